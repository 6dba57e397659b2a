"""Batch mode over real HTTP: few batches, half the price, nothing asked twice or lost whatever dies when."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from batch_runs import asks, request, run
from hypothesis import given
from hypothesis import strategies as st
from scripted_batches import Json, ScriptedBatches

from harvest.records import Document, Paper
from harvest.store import sha256_text
from qagen.config import BudgetConfig, QAGenConfig
from qagen.generate import generate_pairs
from qagen.teacher.batch import BatchTeacher, Limits
from qagen.teacher.batch_files import BatchFolder
from qagen.teacher.ledger import Ledger, Reply, Spent, spent_in
from qagen.teacher.protocol import Failure

ROOT = Path(__file__).parents[1]
SECRET = "sk-very-secret-1234567890"  # noqa: S105 - made up


def kept(folder: Path) -> list[Json]:
    """The lines of all documents' ledgers."""
    paths = sorted((folder / "replies").glob("doc*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


# ---- the ordinary way


def test_what_is_asked_together_is_one_batch_and_is_never_asked_again(tmp_path: Path) -> None:
    with ScriptedBatches(delay=0.2) as server:
        first, teacher, _ = run(tmp_path, server.url, asks(tmp_path, 7))
        again, second, _ = run(tmp_path, server.url, asks(tmp_path, 7))
        assert all(isinstance(reply, Reply) for reply in first)
        assert first == again
        assert (len(server.batches), teacher.made, second.made, second.kept) == (1, 7, 0, 7)
        assert max(server.asked.values()) == 1
    assert len(kept(tmp_path)) == 7


def test_rounds_of_questions_stay_together(tmp_path: Path) -> None:
    """What depends on replies comes in one batch again, though documents think for different times."""

    async def document(teacher: BatchTeacher, number: int) -> None:
        ledger = Ledger(tmp_path / "replies", f"doc{number}")
        for round_ in (1, 2, 3):
            await teacher.ask(request(number, round_=round_), ledger)
            await asyncio.sleep(0.004 * number)

    async def script(teacher: BatchTeacher) -> None:
        await asyncio.gather(*(document(teacher, number) for number in range(10)))

    with ScriptedBatches() as server:
        run(tmp_path, server.url, script)
        assert [batch["request_counts"]["total"] for batch in server.batches.values()] == [10, 10, 10]


def test_a_file_holds_no_more_than_the_endpoint_takes(tmp_path: Path) -> None:
    with ScriptedBatches() as server:
        replies, _, _ = run(tmp_path, server.url, asks(tmp_path, 10), limits=Limits(lines=4))
        assert sorted(batch["request_counts"]["total"] for batch in server.batches.values()) == [2, 4, 4]
        assert all(isinstance(reply, Reply) for reply in replies)
    with ScriptedBatches() as server:
        run(tmp_path / "small", server.url, asks(tmp_path / "small", 4), limits=Limits(size=600))
        assert max(len(data) for file, data in server.files.values() if file["purpose"] == "batch") <= 600


def test_the_same_request_of_two_documents_is_paid_for_once(tmp_path: Path) -> None:
    async def script(teacher: BatchTeacher) -> list[Reply | Failure]:
        ledgers = [Ledger(tmp_path / "replies", f"doc{n}") for n in range(2)]
        return list(await asyncio.gather(*(teacher.ask(request(1), ledger) for ledger in ledgers)))

    with ScriptedBatches() as server:
        replies, _, budget = run(tmp_path, server.url, script)
        assert replies[0] == replies[1]
        assert sum(server.asked.values()) == 1
    assert len(kept(tmp_path)) == 2
    assert spent_in(tmp_path / "replies")["scripted"].output_tokens == budget.spent["scripted"].output_tokens


def test_what_newer_models_refuse_is_found_out_before_the_batch(tmp_path: Path) -> None:
    with ScriptedBatches(refuses=["max_tokens", "temperature"]) as server:
        replies, _, _ = run(tmp_path, server.url, asks(tmp_path, 3, schema=True))
        assert all(isinstance(reply, Reply) for reply in replies)
        assert len(server.batches) == 1
        assert {"max_completion_tokens", "response_format"} <= server.lines[0]["body"].keys()
        before = len(server.live)
        run(tmp_path, server.url, asks(tmp_path, 5, schema=True))
        assert len(server.live) == before  # a run remembers


def test_what_a_batch_refuses_is_put_more_simply_in_the_next(tmp_path: Path) -> None:
    with ScriptedBatches() as server:

        async def script(teacher: BatchTeacher) -> list[Reply | Failure]:
            ledger = Ledger(tmp_path / "replies", "doc0")
            await teacher.ask(request(100), ledger)
            server.refuses.append("temperature")
            return list(await asyncio.gather(*(teacher.ask(request(n), ledger) for n in range(3))))

        replies, _, _ = run(tmp_path, server.url, script)
        assert all(isinstance(reply, Reply) for reply in replies)
        assert len(server.batches) == 3


def test_a_run_in_batch_mode_makes_the_same_pairs_as_a_live_one(tmp_path: Path) -> None:
    text = " ".join(f"Magnet q{number} of the Mere linac carries {number + 2}.5 A through its winding." for number in range(12))
    paper = Paper("mere", "test", "Mere linac", licence="CC0-1.0")
    documents = [Document("mere", paper, (), text, sha256_text(text), "test")]
    with ScriptedBatches() as server:
        teacher = {"model": "scripted", "base_url": server.url}
        settings = {"method": "answer-aware", "pairs_per_chunk": 5}
        for mode in ("live", "batch"):
            config = QAGenConfig.model_validate({"teacher": {**teacher, "mode": mode}, **settings})
            generate_pairs(config, documents, tmp_path / mode, seed=0)
        live, batch = ((tmp_path / mode / "pairs" / "mere.jsonl").read_bytes() for mode in ("live", "batch"))
        assert live == batch
        assert live
        assert len(server.batches) == 1


# ---- a process that dies

CHILD = """
import asyncio, sys
sys.path[:0] = [{root!r}, {tests!r}]
from pathlib import Path
from batch_runs import asks, run
replies, teacher, _ = run(Path({folder!r}), {url!r}, asks(Path({folder!r}), {count}), caps=None)
sys.exit(0 if all(hasattr(reply, "content") for reply in replies) else 3)
"""


def start(folder: Path, server: ScriptedBatches, count: int) -> subprocess.Popen[bytes]:
    code = CHILD.format(root=str(ROOT), tests=str(ROOT / "tests"), folder=str(folder), url=server.url, count=count)
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, start_new_session=True)


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("step", ["files", "upload", "create", "retrieve", "content"])
def test_killed_at_any_step_a_batch_is_neither_lost_nor_made_twice(tmp_path: Path, step: str) -> None:
    with ScriptedBatches(stall=step) as server:
        first = start(tmp_path, server, 6)
        assert server.stalled.wait(20), "the step was not reached"
        kill(first)
        server.stall = ""
        replies, _, _ = run(tmp_path, server.url, asks(tmp_path, 6))
        assert all(isinstance(reply, Reply) for reply in replies)
        assert len(server.batches) == 1
        assert sum(file["purpose"] == "batch" for file, _ in server.files.values()) == 1
        assert set(server.asked.values()) == {1}
    assert len({line["key"] for line in kept(tmp_path)}) == len(kept(tmp_path)) == 6
    assert run(tmp_path, "http://127.0.0.1:9/v1", asks(tmp_path, 6))[0] == replies


def test_killed_while_replies_are_put_away_all_of_them_are_there_once(tmp_path: Path) -> None:
    with ScriptedBatches() as server:
        first = start(tmp_path, server, 700)
        ledger = tmp_path / "replies" / "doc0.jsonl"
        while first.poll() is None and not (ledger.exists() and ledger.stat().st_size):
            time.sleep(0.001)
        kill(first)
        replies, _, budget = run(tmp_path, server.url, asks(tmp_path, 700))
        assert all(isinstance(reply, Reply) for reply in replies)
        assert (len(server.batches), set(server.asked.values())) == (1, {1})
    assert len({line["key"] for line in kept(tmp_path)}) == len(kept(tmp_path)) == 700
    assert spent_in(tmp_path / "replies")["scripted"] == budget.spent["scripted"]


def test_replies_to_questions_that_are_no_longer_asked_are_kept_for_later(tmp_path: Path) -> None:
    with ScriptedBatches(stall="retrieve") as server:
        first = start(tmp_path, server, 6)
        assert server.stalled.wait(20)
        kill(first)
        server.stall = ""
        run(tmp_path, server.url, asks(tmp_path, 2))  # of the six, two are wanted by now
        assert (len(server.batches), len(kept(tmp_path))) == (1, 2)
        replies, teacher, budget = run(tmp_path, server.url, asks(tmp_path, 6))
        assert (len(server.batches), teacher.made, len(kept(tmp_path))) == (1, 0, 6)
        assert all(isinstance(reply, Reply) for reply in replies)
        assert budget.spent["scripted"].output_tokens == spent_in(tmp_path / "replies")["scripted"].output_tokens


@pytest.mark.parametrize("ending", ["expired", "cancelled"])
def test_of_a_batch_that_ended_early_what_was_answered_counts(tmp_path: Path, ending: str) -> None:
    with ScriptedBatches(endings=[ending]) as server:
        replies, teacher, _ = run(tmp_path, server.url, asks(tmp_path, 8))
        if ending == "cancelled":  # a person did that, so a person decides
            assert "was cancelled" in str(teacher.stopped)
            assert [isinstance(reply, Reply) for reply in replies].count(True) == 4
            replies, _, _ = run(tmp_path, server.url, asks(tmp_path, 8))
        assert all(isinstance(reply, Reply) for reply in replies)
        assert [batch["request_counts"]["total"] for batch in server.batches.values()] == [8, 4]
        assert set(server.asked.values()) == {1}


# ---- what goes wrong with a batch or a line


def test_a_lost_answer_to_create_makes_no_second_batch(tmp_path: Path) -> None:
    with ScriptedBatches(cuts=1) as server:
        replies, _, _ = run(tmp_path, server.url, asks(tmp_path, 3))
        assert all(isinstance(reply, Reply) for reply in replies)
        assert len(server.batches) == 1


def test_a_download_that_is_cut_is_begun_again(tmp_path: Path) -> None:
    with ScriptedBatches(delay=0.3) as server:

        async def script(teacher: BatchTeacher) -> Any:
            asking = asyncio.create_task(_as_task(asks(tmp_path, 3)(teacher)))
            while not server.batches:
                await asyncio.sleep(0.01)
            server.cuts = 1
            return await asking

        replies, _, _ = run(tmp_path, server.url, script)
        assert all(isinstance(reply, Reply) for reply in replies)
        assert server.downloads == 2


async def _as_task(waited_for: Awaitable[Any]) -> Any:
    return await waited_for


def test_lines_that_fail_for_a_while_are_asked_again_and_in_the_end_given_up(tmp_path: Path) -> None:
    def fault(body: Json, batch: int) -> int:
        number = int(body["messages"][-1]["content"].split()[1])
        return 500 if number == 0 or (number == 1 and batch == 1) else 400 if number == 2 else 0

    with ScriptedBatches(line_fault=fault) as server:
        replies, teacher, _ = run(tmp_path, server.url, asks(tmp_path, 5))
        assert [isinstance(reply, Reply) for reply in replies] == [False, True, False, True, True]
        assert "not answered in 3 batches" in replies[0].detail
        assert "filtered" in replies[2].detail
        assert [batch["request_counts"]["total"] for batch in server.batches.values()] == [5, 2, 1]
    assert teacher.stopped is None


@pytest.mark.parametrize("ending", ["short", "twice", "garbled"])
def test_strange_results_end_as_a_reply_or_a_failure(tmp_path: Path, ending: str) -> None:
    with ScriptedBatches(endings=[ending]) as server:
        replies, _, budget = run(tmp_path, server.url, asks(tmp_path, 4))
        failed = [reply for reply in replies if isinstance(reply, Failure)]
        assert len(failed) == (1 if ending == "short" else 0)
        assert len(server.batches) == 1
    assert len({line["key"] for line in kept(tmp_path) if "content" in line}) == 4 - len(failed)
    assert sum("lost" in line for line in kept(tmp_path)) == len(failed)  # it may have been billed
    assert budget.spent["scripted"] == spent_in(tmp_path / "replies")["scripted"]


def test_more_than_the_endpoint_queues_is_sent_in_smaller_batches(tmp_path: Path) -> None:
    with ScriptedBatches(endings=["failed:token_limit_exceeded"]) as server:
        replies, _, _ = run(tmp_path, server.url, asks(tmp_path, 8))
        assert all(isinstance(reply, Reply) for reply in replies)
        assert [batch["request_counts"]["total"] for batch in server.batches.values()] == [8, 4, 4]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"endings": ["failed:invalid_model"]}, "refused the batch batch_1: invalid_model"),
        ({"line_fault": lambda body, batch: 404}, "answered none of 3 requests"),
        ({"key": "another"}, "401"),
        ({"refuse_upload": True}, "this file is not wanted"),
    ],
)
def test_what_makes_all_pointless_is_one_sentence_without_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: Any, says: str
) -> None:
    monkeypatch.setenv("BATCH_KEY", SECRET)
    with ScriptedBatches(**how) as server, caplog.at_level(logging.DEBUG, logger="qagen"):
        replies, teacher, _ = run(tmp_path, server.url, asks(tmp_path, 3), api_key_env="BATCH_KEY")
    assert says in str(teacher.stopped)
    assert all(isinstance(reply, Failure) and reply.stopped for reply in replies)
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET not in caplog.text + str(teacher.stopped) + written


def test_an_endpoint_that_goes_away_is_waited_for_and_then_said(tmp_path: Path) -> None:
    server = ScriptedBatches(delay=60)
    with server:

        async def script(teacher: BatchTeacher) -> Any:
            asking = asyncio.create_task(_as_task(asks(tmp_path, 3)(teacher)))
            while not server.batches:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            server.__exit__()
            return await asking

        replies, teacher, _ = run(tmp_path, server.url, script, retries=0)
    assert all(isinstance(reply, Failure) for reply in replies)
    assert "nothing is lost" in str(teacher.stopped)


# ---- money


@pytest.mark.parametrize("caps", [BudgetConfig(calls=4), BudgetConfig(money=0.0008), BudgetConfig(tokens=700)])
def test_a_batch_is_no_larger_than_its_worst_case_fits_the_budget(tmp_path: Path, caps: BudgetConfig) -> None:
    (tmp_path / "batches").mkdir(parents=True)
    with ScriptedBatches() as server:
        _, seen, _ = run(tmp_path, server.url, asks(tmp_path, 1))  # the endpoint is known from here on
        assert seen.stopped is None
        replies, teacher, budget = run(tmp_path, server.url, asks(tmp_path, 30), caps=caps)
        assert "budget" in str(teacher.stopped)
        spent = budget.spent["scripted"]
        assert server.tokens <= spent.input_tokens + spent.output_tokens
    assert caps.calls is None or spent.calls <= caps.calls
    assert caps.money is None or budget.cost() <= caps.money
    assert caps.tokens is None or spent.input_tokens + spent.output_tokens <= caps.tokens
    assert 1 < sum(isinstance(reply, Reply) for reply in replies) < 30


def test_a_batch_under_way_counts_against_the_budget_of_the_next_process(tmp_path: Path) -> None:
    with ScriptedBatches(stall="retrieve") as server:
        first = start(tmp_path, server, 6)
        assert server.stalled.wait(20)
        kill(first)
        server.stall = ""
        replies, teacher, budget = run(tmp_path, server.url, asks(tmp_path, 30), caps=BudgetConfig(calls=9))
        assert sum(isinstance(reply, Reply) for reply in replies) >= 6
        assert "9 calls" in str(teacher.stopped)
        assert budget.spent["scripted"].calls <= 9


# ---- without a Files API


def test_where_there_is_no_files_api_another_program_may_answer_the_file(tmp_path: Path) -> None:
    """What `vllm run-batch` does: reads the requests, writes the replies beside them."""
    with ScriptedBatches(files_api=False) as server:
        replies, teacher, _ = run(tmp_path, server.url, asks(tmp_path, 3, schema=True))
        assert all(isinstance(reply, Failure) for reply in replies)
        assert "vllm run-batch -i" in str(teacher.stopped)
        [requests] = (path for path in (tmp_path / "batches").glob("*.jsonl") if "asked" not in path.name)
        assert requests.name in str(teacher.stopped)
        assert not server.live
        again, same, _ = run(tmp_path, server.url, asks(tmp_path, 3, schema=True))
        assert str(same.stopped) == str(teacher.stopped)  # and no second file
        lines = [json.loads(line) for line in requests.read_text().splitlines()]
        assert all(line.keys() == {"custom_id", "method", "url", "body"} for line in lines)
        assert {(line["method"], line["url"]) for line in lines} == {("POST", "/v1/chat/completions")}
        known = {"model", "messages", "max_tokens", "temperature", "seed", "response_format"}  # fields of vLLM's ChatCompletionRequest
        assert all(line["body"].keys() <= known for line in lines)
        results = [
            {
                "id": "vllm-1",
                "custom_id": line["custom_id"],
                "error": None,
                "response": {"request_id": "r", "body": server.complete(line["body"])},
            }
            for line in lines[1:]
        ]
        refused = {"id": "vllm-2", "custom_id": lines[0]["custom_id"], "response": {"status_code": 400, "request_id": "r", "body": None}}
        results.append({**refused, "error": {"message": "too long", "code": 400}})
        output = requests.with_name(requests.name.replace(".jsonl", ".output.jsonl"))
        output.write_text("".join(json.dumps(line) + "\n" for line in results))
        again, _, _ = run(tmp_path, server.url, asks(tmp_path, 3, schema=True))
    assert [isinstance(reply, Reply) for reply in again].count(True) == 2
    assert any("too long" in reply.detail for reply in again if isinstance(reply, Failure))


WORDS = ["custom_id", "response", "error", "body", "choices", "message", "content", "status_code", "usage", "prompt_tokens"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=12,
)
LINES = st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode())


@given(st.lists(LINES, max_size=4))
def test_nothing_that_comes_back_breaks_the_reading(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    folder = BatchFolder(tmp_path_factory.mktemp("batches"))
    folder.output("x").write_bytes(b"\n".join(line.replace(b"\n", b" ") for line in lines))
    for returned in folder.answers("x"):
        reply = returned.reply(Spent(1, 9, 9))
        assert reply is None or isinstance(reply.content, str)
        assert isinstance(returned.refusal().said, str)
