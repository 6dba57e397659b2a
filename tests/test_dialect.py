"""Endpoints speak dialects: what each understands is found out by asking, once, and a reply stays the same reply in the ledger."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from odd_endpoint import Body, OddEndpoint, Said, completion, refusal

from qagen.config import BudgetConfig, TeacherConfig
from qagen.records import Message
from qagen.teacher.budget import Budget
from qagen.teacher.client import Teacher
from qagen.teacher.ledger import Ledger, Reply, Request, spent_in
from qagen.teacher.protocol import Failure

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}
OTHER = {**SCHEMA, "properties": {"other": {"type": "string"}}, "required": ["other"]}


def request(number: int = 0, *, schema: dict[str, Any] | None = None, seed: int | None = None) -> Request:
    return Request((Message("system", "You answer."), Message("user", f"Question {number}?")), 50, 0.2, seed, schema)


def ask(
    folder: Path, endpoint: OddEndpoint, requests: Sequence[Request], caps: BudgetConfig | None = None, **changes: object
) -> tuple[list[Reply | Failure], Teacher]:
    """One after the other, so that what is found out with the first is known to the second."""
    settings = {"model": "odd", "base_url": endpoint.url, "timeout": 5, "retries": 1, "api_key_env": "LAB_KEY", **changes}

    async def run() -> tuple[list[Reply | Failure], Teacher]:
        budget = Budget(caps or BudgetConfig(), {}, spent_in(folder))
        config = TeacherConfig.model_validate(settings)
        async with Teacher(config, budget.account("odd")) as teacher:
            ledger = Ledger(folder, "doc")
            return [await teacher.ask(one, ledger) for one in requests], teacher

    return asyncio.run(run())


def form(body: Body) -> str:
    """In which form a body asks for a structured reply."""
    given = body.get("response_format", {}).get("type", "")
    return {"json_schema": "schema", "json_object": "json"}.get(given, "text")


def is_probe(body: Body) -> bool:
    return str(body["messages"][-1]["content"]).startswith("Name a colour")


def capable_of(*forms: str, refuses: bool) -> Callable[[Body], Said]:
    """An endpoint that honours some forms, and refuses or ignores the others."""

    def answer(body: Body) -> Said:
        asked = form(body)
        if asked == "text" or (asked not in forms and not refuses):
            return Said(body=completion("Of course! I think it is red."))
        if asked not in forms:
            return Said(400, refusal(f"Invalid parameter: 'response_format' of type '{asked}' is not supported.", "response_format"))
        return Said(body=completion('{"colour": "red"}' if is_probe(body) else '{"answer": "red"}'))

    return answer


# ---- structured replies


@pytest.mark.parametrize("refuses", [True, False])
@pytest.mark.parametrize(("forms", "asked"), [(["schema", "json"], "schema"), (["schema"], "schema"), (["json"], "json"), ([], "text")])
def test_what_an_endpoint_honours_is_found_out_once(tmp_path: Path, forms: list[str], asked: str, refuses: bool) -> None:
    with OddEndpoint(capable_of(*forms, refuses=refuses)) as endpoint:
        ask(tmp_path, endpoint, [request(n, schema=SCHEMA) for n in range(3)])
        asked_for = [body for body in endpoint.bodies if not is_probe(body)]
        probes = len(endpoint.bodies) - len(asked_for)
        assert [form(body) for body in asked_for] == [asked] * 3
        assert probes == {"schema": 1, "json": 2, "text": 2}[asked]
        ask(tmp_path, endpoint, [request(9, schema=SCHEMA)])  # another process
        assert form(endpoint.bodies[-1]) == asked
        assert sum(is_probe(body) for body in endpoint.bodies) - probes <= (probes if refuses else 0)  # only a refusal is asked for again


@pytest.mark.parametrize("wanted", ["schema", "json", "text"])
def test_a_form_that_is_named_is_used_without_asking(tmp_path: Path, wanted: str) -> None:
    with OddEndpoint(lambda _: Said(body=completion('{"answer": "red"}'))) as endpoint:
        ask(tmp_path, endpoint, [request(schema=SCHEMA)], replies=wanted)
    assert [form(body) for body in endpoint.bodies] == [wanted]
    words = endpoint.bodies[0]["messages"][-1]["content"]
    assert words.startswith("Question 0?")  # what is the same for many requests stays in front
    assert (json.dumps(SCHEMA) in words) == (wanted != "schema")


def test_the_ledger_does_not_know_in_which_form_was_asked(tmp_path: Path) -> None:
    with OddEndpoint(lambda _: Said(body=completion('{"answer": "red"}'))) as endpoint:
        first, _ = ask(tmp_path, endpoint, [request(schema=SCHEMA)], replies="text")
        again, teacher = ask(tmp_path, endpoint, [request(schema=SCHEMA)], replies="schema")
        assert len(endpoint.bodies) == 1
    assert first == again
    assert teacher.kept == 1


def test_a_schema_that_is_refused_costs_its_own_form_only(tmp_path: Path) -> None:
    def answer(body: Body) -> Said:
        if form(body) == "schema" and "other" in json.dumps(body["response_format"]):
            return Said(400, refusal("failed to parse grammar"))
        return capable_of("schema", "json", refuses=True)(body)

    with OddEndpoint(answer) as endpoint:
        replies, _ = ask(tmp_path, endpoint, [request(n, schema=[SCHEMA, OTHER][n % 2]) for n in range(4)])
    assert all(isinstance(reply, Reply) for reply in replies)
    forms = [form(body) for body in endpoint.bodies if not is_probe(body)]
    assert forms == ["schema", "schema", "json", "schema", "json"]  # refused once


def test_an_endpoint_that_stops_to_follow_schemas_is_noticed(tmp_path: Path) -> None:
    def answer(body: Body) -> Said:
        return Said(body=completion('{"colour": "red"}' if is_probe(body) else "I would say it is red."))

    with OddEndpoint(answer) as endpoint:
        ask(tmp_path, endpoint, [request(n, schema=SCHEMA) for n in range(12)])
    assert [form(body) for body in endpoint.bodies[1:]] == ["schema"] * 8 + ["text"] * 4


# ---- parameters


def test_a_reasoning_model_is_asked_in_its_own_words(tmp_path: Path) -> None:
    """As o-series models refuse: one parameter after the other."""

    def answer(body: Body) -> Said:
        if "max_tokens" in body:
            said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
            return Said(400, refusal(said, "max_tokens", "unsupported_parameter"))
        if "temperature" in body:
            return Said(400, refusal("Unsupported value: 'temperature' does not support 0.2 with this model.", "temperature"))
        if "seed" in body:
            return Said(422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"]}]})
        return Said(body=completion("red"))

    with OddEndpoint(answer) as endpoint:
        replies, _ = ask(tmp_path, endpoint, [request(n, seed=1) for n in range(3)])
    assert [reply.content for reply in replies if isinstance(reply, Reply)] == ["red"] * 3
    assert len(endpoint.bodies) == 6  # three refusals, all of them for the first request
    assert endpoint.bodies[-1]["max_completion_tokens"] == 50


def test_a_request_that_is_refused_later_says_so_and_changes_nothing_for_the_others(tmp_path: Path) -> None:
    def answer(body: Body) -> Said:
        if "1" in body["messages"][-1]["content"]:
            return Said(400, refusal("this prompt speaks of temperature and seed, and was filtered", code="content_filter"))
        return Said(body=completion("red"))

    with OddEndpoint(answer) as endpoint:
        replies, teacher = ask(tmp_path, endpoint, [request(n) for n in range(3)])
    assert [type(reply) for reply in replies] == [Reply, Failure, Reply]
    assert "filtered" in getattr(replies[1], "detail", "")
    assert teacher.stopped is None
    assert endpoint.bodies[-1]["temperature"] == 0.2


def test_settings_that_no_request_survives_are_one_sentence(tmp_path: Path) -> None:
    with OddEndpoint(lambda _: Said(400, refusal("max_tokens is too large"))) as endpoint:
        _, teacher = ask(tmp_path, endpoint, [request(n) for n in range(9)])
        assert len(endpoint.bodies) == 3
    assert "max_tokens is too large; check the teacher settings" in str(teacher.stopped)


# ---- where it is


def test_azure_is_reached_as_azure_wants_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "azure-key\n")
    with OddEndpoint(lambda _: Said(body=completion("red"))) as endpoint:
        ask(tmp_path, endpoint, [request()], base_url=endpoint.address, azure_api_version="2024-10-21")
    assert endpoint.paths == ["/openai/deployments/odd/chat/completions?api-version=2024-10-21"]
    assert endpoint.headers[0]["api-key"] == "azure-key"
    assert "authorization" not in endpoint.headers[0]


def test_the_key_does_not_follow_a_redirect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-secret")
    with OddEndpoint(lambda _: Said(body=completion("red"))) as elsewhere:
        with OddEndpoint(lambda _: Said(308, b"", {"location": f"{elsewhere.url}/chat/completions"})) as endpoint:
            _, teacher = ask(tmp_path, endpoint, [request()])
        assert not elsewhere.bodies
    assert "HTTP 308" in str(teacher.stopped)


@pytest.mark.parametrize("key", ["sk-sécret", "sk\tsecret", "sk-\x00"])
def test_a_key_that_can_be_none_is_said_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr("os.environ", {"LAB_KEY": key})
    with OddEndpoint(lambda _: Said(body=completion("red"))) as endpoint:
        _, teacher = ask(tmp_path, endpoint, [request()])
    assert "LAB_KEY" in str(teacher.stopped)
    assert key not in str(teacher.stopped)


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999/v1", "http://"])
def test_an_address_that_is_none_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LAB_KEY", "sk-secret")
    with OddEndpoint(lambda _: Said()) as endpoint:
        _, teacher = ask(tmp_path, endpoint, [request()], base_url=url, retries=0)
    assert teacher.stopped is not None
    assert "sk-secret" not in str(teacher.stopped)


# ---- answers that nobody expects


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (completion("red", created=1.5, object="something"), "red"),
        (completion([{"type": "thinking", "text": "hm "}, {"type": "text", "text": "red"}]), "hm red"),
        (completion("half \ud800 of it"), "half ? of it"),
        (completion(None), ""),
        (completion("red", usage={"prompt_tokens": -5, "completion_tokens": None}), "red"),
        (completion("red", usage="none"), "red"),
        ({"choices": [{"message": {"content": "red"}}]}, "red"),
    ],
)
def test_answers_that_stray_from_the_protocol_are_read(tmp_path: Path, body: Body, content: str) -> None:
    with OddEndpoint(lambda _: Said(body=body)) as endpoint:
        replies, _ = ask(tmp_path, endpoint, [request()])
    assert isinstance(replies[0], Reply)
    assert replies[0].content == content
    assert replies[0].input_tokens >= 0
    assert replies[0].output_tokens >= 0
    assert Ledger(tmp_path, "doc").find(request().key("odd")) == replies[0]


@pytest.mark.parametrize(
    "said",
    [
        Said(body=b"[" * 100_000),
        Said(body=b"\xff\xfe"),
        Said(body=b"null"),
        Said(body=completion("red", choices=[])),
        Said(body=completion("red", choices=["red"])),
        Said(body=completion("red", choices=[{"message": "red"}])),
        Said(body={"error": {"message": "overloaded", "code": 529}}),
        Said(500, b"[" * 100_000),
        Said(503, {"error": ["what", {"a": 1}]}),
    ],
)
def test_answers_that_are_none_end_as_a_failure(tmp_path: Path, said: Said) -> None:
    answers = [Said(body=completion("red")), said, said, Said(body=completion("red"))]
    with OddEndpoint(lambda _: answers.pop(0)) as endpoint:
        replies, teacher = ask(tmp_path, endpoint, [request(n) for n in range(3)])
    assert [type(reply) for reply in replies] == [Reply, Failure, Reply]
    assert teacher.stopped is None


def test_a_reply_that_was_cut_off_says_so(tmp_path: Path) -> None:
    cut = completion('{"answer": "re')
    cut["choices"][0]["finish_reason"] = "length"
    with OddEndpoint(lambda _: Said(body=cut)) as endpoint:
        replies, _ = ask(tmp_path, endpoint, [request(schema=SCHEMA)], replies="schema")
    assert isinstance(replies[0], Reply)
    assert replies[0].finish_reason == "length"


def test_retry_after_may_be_a_date(tmp_path: Path) -> None:
    arrived: list[float] = []

    def answer(_: Body) -> Said:
        arrived.append(time.time())
        told = {"retry-after": formatdate(time.time() + 2, usegmt=True)}
        return Said(429, refusal("slow down"), told) if len(arrived) == 1 else Said(body=completion("red"))

    with OddEndpoint(answer) as endpoint:
        replies, _ = ask(tmp_path, endpoint, [request()])
    assert isinstance(replies[0], Reply)
    assert arrived[1] - arrived[0] > 0.9  # a date has whole seconds


def test_a_purse_that_is_empty_ends_the_run(tmp_path: Path) -> None:
    said = Said(429, refusal("You exceeded your current quota", code="insufficient_quota"))
    with OddEndpoint(lambda _: said) as endpoint:
        _, teacher = ask(tmp_path, endpoint, [request(n) for n in range(3)])
        assert len(endpoint.bodies) == 1
    assert "exceeded your current quota" in str(teacher.stopped)
