"""The teacher over real HTTP: every reply kept before use, faults survived, caps never overshot, the key never shown."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_teacher import ScriptedTeacher

from harvest.store import FieldsmithError
from qagen.config import BudgetConfig, Price, TeacherConfig
from qagen.facts import SCHEMA, facts_in
from qagen.records import Chunk, Message
from qagen.teacher.budget import Budget, worst_case
from qagen.teacher.client import Teacher
from qagen.teacher.ledger import Ledger, Reply, Request, Spent, spent_in
from qagen.teacher.local import local_server
from qagen.teacher.parse import parse_question
from qagen.teacher.prompt import load_prompt
from qagen.teacher.protocol import Failure

SCRIPT = Path(__file__).parent / "scripted_teacher.py"
SECRET = "sk-very-secret-1234567890"  # noqa: S105 - made up


def request(number: int, *, schema: bool = False, max_tokens: int = 50) -> Request:
    message = Message("user", f"Machine {number} weighs [how many tonnes].")
    return Request((message,), max_tokens, schema=SCHEMA if schema else None)


def ask(
    folder: Path, server: ScriptedTeacher | str, requests: Sequence[Request], *, caps: BudgetConfig | None = None, **changes: object
) -> tuple[list[Reply | Failure], Teacher, Budget]:
    """Ask all at once, as generation does, with a ledger in `folder`."""
    url = server if isinstance(server, str) else server.url
    config = TeacherConfig.model_validate({"model": "scripted", "base_url": url, "timeout": 5, "retries": 3, "concurrency": 8, **changes})

    async def run() -> tuple[list[Reply | Failure], Teacher, Budget]:
        budget = Budget(caps or BudgetConfig(), {"scripted": Price(input=1.0, output=2.0)}, spent_in(folder))
        async with Teacher(config, budget.account("scripted")) as teacher:
            ledger = Ledger(folder, "doc")
            return list(await asyncio.gather(*(teacher.ask(one, ledger) for one in requests))), teacher, budget

    return asyncio.run(run())


def spent(where: Budget | Path) -> Spent:
    """What was spent on the one model."""
    return (spent_in(where) if isinstance(where, Path) else where.spent).get("scripted", Spent())


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "doc.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_reply_is_kept_with_what_was_asked_and_never_asked_again(tmp_path: Path) -> None:
    with ScriptedTeacher() as server:
        first, teacher, _ = ask(tmp_path, server, [request(n) for n in range(6)])
        again, second, _ = ask(tmp_path, server, [request(n) for n in range(6)])
        assert (server.requests, teacher.made, second.made, second.kept) == (6, 6, 0, 6)
    moved, _, _ = ask(tmp_path, "http://127.0.0.1:9/v1", [request(n) for n in range(6)])  # another address, nobody there
    assert first == again == moved
    line = lines(tmp_path)[0]
    assert {"key", "model", "messages", "parameters", "content", "finish_reason", "usage"} <= line.keys()


@pytest.mark.parametrize("changed", [{"max_tokens": 51}, {"schema": True}])
def test_another_question_is_another_request(changed: dict[str, int]) -> None:
    assert request(1).key("m") != request(1, **changed).key("m")  # type: ignore[arg-type]
    assert request(1).key("m") != request(1).key("n")


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut", "garbage", "empty"])
def test_a_passing_fault_costs_a_retry_and_nothing_else(tmp_path: Path, fault: str) -> None:
    with ScriptedTeacher(faults=["ok", fault, "ok", fault], retry_after="0") as server:
        replies, _, _ = ask(tmp_path, server, [request(n) for n in range(5)])
        assert all(isinstance(reply, Reply) for reply in replies)
        assert server.requests == 7
        assert max(server.served.values()) == 1


def test_a_hanging_endpoint_is_left_after_the_timeout(tmp_path: Path) -> None:
    with ScriptedTeacher(faults=["ok", "hang"]) as server:
        replies, _, _ = ask(tmp_path, server, [request(1), request(2)], timeout=0.6)
        assert all(isinstance(reply, Reply) for reply in replies)
    lost = [line for line in lines(tmp_path) if "lost" in line]
    assert len(lost) == 1  # it may have been billed, so the budget must know
    assert spent(tmp_path).calls == 3


def test_retry_after_holds_for_every_request(tmp_path: Path) -> None:
    with ScriptedTeacher(faults=["ok", "429"], retry_after="1.2") as server:
        ask(tmp_path, server, [request(n) for n in range(4)], concurrency=1)
        refused = next(at for at, fault in server.arrivals if fault == "429")
        after = [at - refused for at, fault in server.arrivals if at > refused]
        assert len(after) == 3
        assert min(after) >= 1.15


def test_no_more_than_the_allowed_number_are_in_flight(tmp_path: Path) -> None:
    with ScriptedTeacher(delay=0.05) as server:
        ask(tmp_path, server, [request(n) for n in range(30)], concurrency=5)
        assert 2 <= server.most_in_flight <= 5


def test_a_call_that_keeps_failing_is_a_value_and_the_others_go_on(tmp_path: Path) -> None:
    with ScriptedTeacher(faults=["ok", "filter"]) as server:
        replies, teacher, _ = ask(tmp_path, server, [request(n) for n in range(4)])
    failed = [reply for reply in replies if isinstance(reply, Failure)]
    assert [failure.stopped for failure in failed] == [False]
    assert "filtered" in failed[0].detail
    assert teacher.stopped is None


# ---- an endpoint that cannot be used: one sentence, one request


@pytest.mark.parametrize(
    ("server", "changes", "says"),
    [
        (ScriptedTeacher(key="right", echoes_key=True), {}, "HTTP 401"),
        (ScriptedTeacher(model="another"), {}, "does not exist"),
        (ScriptedTeacher(), {"base_path": "/v2"}, "HTTP 404"),
        (ScriptedTeacher(faults=["500"] * 99, echoes_key=True), {"retries": 1}, "internal trouble"),
        (ScriptedTeacher(faults=["429"] * 9, retry_after="86400"), {}, "slow down"),
    ],
)
def test_a_useless_endpoint_is_one_sentence_without_the_key(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    server: ScriptedTeacher,
    changes: dict[str, object],
    says: str,
) -> None:
    monkeypatch.setenv("LAB_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    with server:
        url = server.url.replace("/v1", str(changes.get("base_path", "/v1")))
        replies, teacher, _ = ask(tmp_path, url, [request(n) for n in range(20)], api_key_env="LAB_KEY", retries=changes.get("retries", 3))
        assert server.requests <= 2
    assert isinstance(teacher.stopped, FieldsmithError)
    assert says in str(teacher.stopped)
    assert all(isinstance(reply, Failure) and reply.stopped for reply in replies)
    assert SECRET not in str(teacher.stopped) + str(replies) + caplog.text


def test_an_address_with_a_password_is_refused() -> None:
    for url in (f"https://user:{SECRET}@teacher.example/v1", "teacher.example/v1"):
        with pytest.raises(ValueError, match="base_url"):
            TeacherConfig(model="m", base_url=url)


def test_nobody_at_the_address_is_one_sentence(tmp_path: Path) -> None:
    _, teacher, _ = ask(tmp_path, "http://127.0.0.1:9/v1", [request(n) for n in range(3)], retries=1)
    assert "does not answer" in str(teacher.stopped)
    assert "127.0.0.1:9" in str(teacher.stopped)
    assert not (tmp_path / "doc.jsonl").exists()  # nothing left, nothing to book


def test_an_endpoint_that_dies_stops_the_run_soon(tmp_path: Path) -> None:
    with ScriptedTeacher(faults=["ok"] + ["500"] * 500) as server:
        replies, teacher, _ = ask(tmp_path, server, [request(n) for n in range(60)], retries=0)
        assert server.requests < 30
    assert "does not answer" in str(teacher.stopped)
    assert isinstance(replies[0], Reply)


def test_a_key_is_wanted_for_a_foreign_endpoint_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_KEY", raising=False)
    _, teacher, _ = ask(tmp_path, "http://teacher.invalid/v1", [request(1)], api_key_env="LAB_KEY", retries=0)
    assert "LAB_KEY" in str(teacher.stopped)
    with ScriptedTeacher() as server:
        replies, _, _ = ask(tmp_path, server, [request(1)], api_key_env="LAB_KEY")
    assert isinstance(replies[0], Reply)


def test_the_key_reaches_the_endpoint_and_no_file_or_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LAB_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    with ScriptedTeacher(key=SECRET, faults=["ok", "500", "429", "cut"], retry_after="0", echoes_key=True) as server:
        replies, _, _ = ask(tmp_path, server, [request(n) for n in range(4)], api_key_env="LAB_KEY")
    assert all(isinstance(reply, Reply) for reply in replies)
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET not in written + caplog.text


# ---- structured replies


@pytest.mark.parametrize("schema", ["obeys", "ignores", "refuses"])
def test_json_comes_out_whatever_the_endpoint_makes_of_a_schema(tmp_path: Path, schema: str) -> None:
    passage = "The ring holds 320 mA of current in top-up. The dump weighs 1.1 tonnes of graphite."
    messages = load_prompt("facts").messages(title="T", section="S", passage=passage, definitions=[], most=2, kinds=["fact"])
    requests = [Request(messages, 300 + n, schema=SCHEMA) for n in range(4)]
    with ScriptedTeacher(schema=schema) as server:
        replies, _, _ = ask(tmp_path, server, requests)
        again, _, _ = ask(tmp_path, server, [Request(messages, 400, schema=SCHEMA)])
        assert (server.requests, server.probes) == (5, {"obeys": 1, "ignores": 2, "refuses": 4}[schema])  # what was answered is remembered
    for reply in replies + again:
        assert isinstance(reply, Reply)
        facts, rejected = facts_in(Chunk("c", "d", "S", 0, len(passage), passage), reply.content)
        assert (len(facts), rejected) == (2, [])


@pytest.mark.parametrize(
    ("content", "question"),
    [
        ("What is it?", "What is it?"),
        ("Question: What is it? Answer: 5", "What is it?"),
        ('\n\n1. "What is it?"\nWhy?', "What is it?"),
        ("问题：束流能量是多少？答案：5", "束流能量是多少？"),
        ("The answer is 5", "The answer is 5"),
        ("", ""),
    ],
)
def test_one_question_is_read_out_of_plain_text(content: str, question: str) -> None:
    assert parse_question(content).removeprefix("1. ").strip('"') == question


# ---- the budget


@pytest.mark.parametrize("cap", [0, 1, 7, 20])
def test_calls_stop_exactly_at_the_cap_over_the_life_of_a_run(tmp_path: Path, cap: int) -> None:
    caps = BudgetConfig(calls=cap)
    with ScriptedTeacher(delay=0.01) as server:
        for _ in range(2):  # the second run has nothing left to spend
            replies, teacher, _ = ask(tmp_path, server, [request(n) for n in range(20)], caps=caps)
            assert server.requests == cap
            assert sum(isinstance(reply, Reply) for reply in replies) == cap
            assert (teacher.stopped is None) == (cap >= 20)
    assert cap == 20 or f"{cap} calls" in str(teacher.stopped)


@pytest.mark.parametrize("caps", [BudgetConfig(tokens=1500), BudgetConfig(money=0.0015)])
def test_tokens_and_money_are_never_overshot_by_what_is_in_flight(tmp_path: Path, caps: BudgetConfig) -> None:
    with ScriptedTeacher(delay=0.03) as server:
        replies, teacher, budget = ask(tmp_path, server, [request(n) for n in range(200)], caps=caps, concurrency=32)
        assert 0 < server.tokens == spent(budget).input_tokens + spent(budget).output_tokens
    assert caps.tokens is None or spent(budget).input_tokens + spent(budget).output_tokens <= caps.tokens
    assert caps.money is None or budget.cost() <= caps.money
    assert "budget" in str(teacher.stopped)
    assert any(isinstance(reply, Reply) for reply in replies)
    # and most of it is used, for one waits for what is in flight before giving up
    used = budget.cost() / caps.money if caps.money else (spent(budget).input_tokens + spent(budget).output_tokens) / 1500
    assert used > 0.8


def test_an_endpoint_that_counts_no_tokens_is_booked_at_an_upper_bound(tmp_path: Path) -> None:
    with ScriptedTeacher(usage=False) as server:
        ask(tmp_path, server, [request(1)])
    bound, booked = worst_case(request(1)), spent(tmp_path)
    assert booked.input_tokens == bound.input_tokens
    assert 0 < booked.output_tokens <= bound.output_tokens


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=4), st.integers(1, 500))
def test_no_tokeniser_exceeds_the_worst_case(texts: list[str], most: int) -> None:
    bound = worst_case(Request(tuple(Message("user", text) for text in texts), most))
    assert bound.input_tokens >= sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    assert bound.output_tokens == most


def test_a_torn_last_line_costs_one_reply_only(tmp_path: Path) -> None:
    with ScriptedTeacher() as server:
        ask(tmp_path, server, [request(1), request(2)])
        whole = (tmp_path / "doc.jsonl").read_bytes()
        (tmp_path / "doc.jsonl").write_bytes(whole[:-20])
        ask(tmp_path, server, [request(1), request(2)])
        assert server.requests == 3
    assert len(lines(tmp_path)) == 2
    assert spent(tmp_path).calls == 2


def test_a_request_under_way_when_the_process_was_killed_is_booked_at_its_most(tmp_path: Path) -> None:
    with ScriptedTeacher(faults=["ok", "500"]) as server:
        ask(tmp_path, server, [request(1), request(2)], caps=BudgetConfig(calls=10))
    said = lines(tmp_path)
    assert [next(iter(line.keys() & {"sending", "refused", "content"})) for line in said] == [
        *["sending", "content"],
        *["sending", "refused", "sending", "content"],
    ]
    assert spent(tmp_path).calls == 2
    with (tmp_path / "doc.jsonl").open("w", encoding="utf-8") as file:  # as if killed before the last answer
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in said[:-1])
    assert spent(tmp_path).calls == 2
    assert spent(tmp_path).output_tokens >= worst_case(request(2)).output_tokens


def test_the_same_request_asked_twice_at_once_leaves_once(tmp_path: Path) -> None:
    with ScriptedTeacher(delay=0.05) as server:
        replies, teacher, _ = ask(tmp_path, server, [request(1)] * 5)
        assert server.requests == 1
    assert len({reply.content for reply in replies if isinstance(reply, Reply)}) == 1
    assert (teacher.made, teacher.kept) == (1, 4)


def test_a_damaged_ledger_says_where(tmp_path: Path) -> None:
    (tmp_path / "doc.jsonl").write_bytes(b'{"key": "a"}\nnonsense\n')
    with pytest.raises(FieldsmithError, match=r"doc\.jsonl, line 2"):
        Ledger(tmp_path, "doc")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_one_sentence_and_nothing_is_made_of_the_reply(tmp_path: Path) -> None:
    async def run(url: str) -> tuple[Reply | Failure, Teacher]:
        config = TeacherConfig(model="scripted", base_url=url)
        async with Teacher(config, Budget(BudgetConfig(), {}, {}).account("scripted")) as teacher:
            ledger = Ledger(tmp_path, "doc")
            (tmp_path / "doc.jsonl").symlink_to("/dev/full")
            return await teacher.ask(request(1), ledger), teacher

    with ScriptedTeacher() as server:
        reply, teacher = asyncio.run(run(server.url))
    assert "cannot be written (No space left on device)" in str(teacher.stopped)
    assert isinstance(reply, Failure)


def test_replies_of_many_documents_at_once_are_all_on_the_disk(tmp_path: Path) -> None:
    async def keep() -> None:
        ledgers = [Ledger(tmp_path, f"paper {number}") for number in range(40)]
        reply = Reply("half \ud800 of it", "stop", 1, 1)
        await asyncio.gather(*(ledger.keep("m", request(n), reply) for n in range(5) for ledger in ledgers))

    asyncio.run(keep())
    for number in range(40):
        assert all(Ledger(tmp_path, f"paper {number}").find(request(n).key("m")) for n in range(5))
    assert spent_in(tmp_path) == {"m": Spent(200, 200, 200)}


# ---- the local server


def test_the_local_server_ends_with_its_context() -> None:
    import urllib.request

    with local_server([sys.executable, str(SCRIPT)], ready_seconds=20) as url:
        assert urllib.request.urlopen(f"{url}/models", timeout=5).status == 200  # noqa: S310
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{url}/models", timeout=5)  # noqa: S310


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import sys; print('no such model: x', file=sys.stderr); sys.exit(1)", "no such model: x"),
        ("import sys; sys.stdin.read()", "not ready within"),
        ("print('hello', flush=True)", "did not start"),
    ],
)
def test_a_local_server_that_does_not_come_up_is_one_sentence(code: str, says: str) -> None:
    with pytest.raises(FieldsmithError, match=says), local_server([sys.executable, "-c", code], ready_seconds=3):
        pass


def test_the_local_server_dies_with_us_even_when_we_are_killed() -> None:
    code = (
        "import sys, time; from qagen.teacher.local import local_server\n"
        f"with local_server([sys.executable, {str(SCRIPT)!r}]) as url: print(url, flush=True); time.sleep(60)"
    )
    root = str(SCRIPT.parent.parent)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root})
    assert parent.stdout is not None
    url = parent.stdout.readline().strip()
    assert _alive(url)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while _alive(url) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _alive(url)


def _alive(url: str) -> bool:
    import urllib.request

    try:
        return bool(urllib.request.urlopen(f"{url}/models", timeout=5).status == 200)  # noqa: S310
    except OSError:
        return False
