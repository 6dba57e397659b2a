"""What `check` says before anything is spent, against what the real chain then asks."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted_teacher import ScriptedTeacher

from flows.check import papers_expected, shown
from flows.cost import cost_line, run_cost
from harvest.config import HarvestConfig
from harvest.records import Document, Paper, Section
from harvest.store import StageRecord, sha256_text
from qagen.config import QAGenConfig
from qagen.forecast import Forecast, forecast
from qagen.forecast_plan import LIKELY, plan_document
from qagen.forecast_ranges import Range
from qagen.forecast_sample import sample_of
from qagen.generate import generate_pairs

ROOT = Path(__file__).parents[1]


def config(**settings: Any) -> QAGenConfig:
    return QAGenConfig.model_validate({"teacher": {"model": "gpt-5-mini"}, **settings})


def document(name: str, sentences: int = 40, language: str = "en") -> Document:
    """Parts of ten sentences each, no two of them alike."""
    text, sections = "", list[Section]()
    for start in range(0, sentences, 10):
        begin, title = len(text), f"Part {start // 10}"
        said = [_sentence(name, number, language) for number in range(start, min(start + 10, sentences))]
        text += f"{title}\n\n{' '.join(said)}\n\n"
        sections.append(Section(title, 1, begin, len(text)))
    return Document(name, Paper(name, "test", "Mere linac", licence="CC0-1.0"), tuple(sections), text, sha256_text(text), "test")


def _sentence(name: str, number: int, language: str) -> str:
    if language == "zh":
        return f"{name}加速器第{number}号磁铁的磁场强度在运行期间一直保持在{number + 2}.5特斯拉左右，这一数值由第{number * 7}组线圈测得。"
    return (
        f"Magnet q{number}{name} of the Mere linac carries {number + 2}.5 A through winding k{number * 7} while station s{number * 3} runs."
    )


def all_of(found: Forecast) -> list[Range]:
    lines = [one for line in found.lines for one in (line.calls, line.sent, line.said)]
    return [*lines, found.papers, found.chunks, found.pairs, found.calls, found.tokens]


# ---- against the chain itself


def test_every_request_of_a_run_was_foreseen(tmp_path: Path) -> None:
    """The answer-aware way asks what rules choose: the forecast counts it exactly, and its tokens within the range."""
    settings = config(
        method="answer-aware", pairs_per_chunk=3, paraphrases=0, teacher={"model": "scripted", "base_url": "http://127.0.0.1:9/v1"}
    )
    papers = [document(f"p{n}", 30 + 10 * n) for n in range(3)]
    found = forecast(settings, papers, None)
    with ScriptedTeacher() as server:
        live = settings.model_copy(update={"teacher": settings.teacher.model_copy(update={"base_url": server.url})})
        summary = generate_pairs(live, papers, tmp_path, seed=0)
    [line] = found.lines
    assert [line.calls.low, line.calls.likely, line.calls.high] == pytest.approx([summary.calls_made] * 3)
    assert found.papers == Range.exactly(3)
    again = forecast(live, papers, None, tmp_path)  # now with the replies of the run
    if again.calibrated:
        assert again.lines[0].sent.likely == pytest.approx(summary.input_tokens, rel=0.02)
        assert again.lines[0].said.likely == pytest.approx(summary.output_tokens, rel=0.6)
    assert again.spent.calls == summary.calls_made


def test_a_passage_is_asked_for_its_facts_once_and_every_kind_can_come_up() -> None:
    found = forecast(config(), [document(f"p{n}", 60) for n in range(4)], None)
    calls = {line.what: line.calls for line in found.lines}
    assert calls["facts"] == found.chunks
    assert {"questions: fact", "questions: concept", "questions: unanswerable", "across papers"} <= calls.keys()
    assert not any(line.role != "teacher" for line in found.lines)
    only = forecast(config(kinds={"concept": 1}), [document("p", 60)], None)
    assert {line.what for line in only.lines} == {"facts", "questions: concept"}


def test_what_is_switched_on_is_counted() -> None:
    paper = [document("p", 60)]
    plain = forecast(config(), paper, None)
    judge, base = {"model": "gpt-4.1"}, {"model": "gpt-4.1-nano"}
    full = forecast(config(judge=judge, base=base, paraphrases=2), paper, None)
    assert {"teacher", "judge", "base"} == {line.role for line in full.lines}
    assert {"judge", "closed book", "paraphrases"} <= {line.what for line in full.lines}
    assert [cost.model for cost in full.costs] == ["gpt-5-mini", "gpt-4.1", "gpt-4.1-nano"]
    assert full.pairs.likely > 1.5 * plain.pairs.likely
    two = forecast(config(languages=["en", "zh"]), paper, None)
    questions = [sum(line.calls.likely for line in found.lines if line.what.startswith("questions")) for found in (plain, two)]
    assert questions[1] == pytest.approx(2 * questions[0], rel=0.15)


def test_chinese_text_makes_more_tokens_of_a_character() -> None:
    english, chinese = (plan_document(document("p", 40, language), config(), LIKELY) for language in ("en", "zh"))
    sent = [next(one for one in planned.asked if one.what == "facts").sent for planned in (english, chinese)]
    ratio = [one.tokens[1] / (one.latin + one.cjk) for one in sent]
    assert sent[1].cjk > 200
    assert ratio[1] > ratio[0]


# ---- ranges, samples, money


def test_low_is_below_likely_is_below_high_everywhere() -> None:
    papers = [document(f"p{n}", 20 + 15 * n) for n in range(5)]
    for found in (forecast(config(judge={"model": "x"}), papers, 500), forecast(config(), [], 50)):
        assert all(0 <= one.low <= one.likely <= one.high for one in all_of(found))


def test_a_sample_stands_for_all_and_holds_few() -> None:
    papers = [document(f"p{n}", 20) for n in range(300)]
    some, there = sample_of(iter(papers))
    numbers = [int(one.id[1:]) for one in some]
    assert (len(some), there) == (10, 300)
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > 200
    assert sample_of([]) == ([], 0)
    assert sample_of(papers[:3]) == (papers[:3], 3)
    ten, hundred = forecast(config(), papers[:10], 10), forecast(config(), papers[:10], 100)
    assert hundred.calls.likely == pytest.approx(10 * ten.calls.likely, rel=0.05)


def test_without_documents_it_says_so_and_follows_the_number_of_papers() -> None:
    found = forecast(config(), [], 50)
    assert "no document is here yet" in found.basis
    assert found.calls.likely == pytest.approx(10 * forecast(config(), [], 5).calls.likely, rel=0.05)


def test_the_budget_says_how_far_it_goes() -> None:
    papers = [document(f"p{n}", 40) for n in range(4)]
    need = forecast(config(), papers, 400)
    assert need.money is not None
    assert need.within_budget() == Range.exactly(1)
    half = forecast(config(budget={"money": need.money.likely / 2}), papers, 400)
    assert half.within_budget().likely == pytest.approx(0.5)
    assert "likely not enough; it ends after about 200 of 400 papers" in shown(half, exact=False)
    plenty = forecast(config(budget={"money": 2 * need.money.high, "calls": 10**9}), papers, 400)
    assert "enough" in shown(plenty, exact=True)
    few = forecast(config(budget={"money": 2 * need.money.high, "calls": 10}), papers, 400)
    assert few.within_budget().high < 0.1


def test_batches_cost_half_and_an_unknown_price_is_said() -> None:
    papers = [document("p", 40)]
    live, batch = (forecast(config(teacher={"model": "gpt-5-mini", "mode": mode}), papers, 10) for mode in ("live", "batch"))
    assert live.money is not None
    assert batch.money is not None
    assert batch.money.likely == pytest.approx(live.money.likely / 2)
    small = forecast(config(teacher={"model": "gpt-5-mini", "mode": "batch"}, budget={"money": 0.01}), papers, 10)
    assert "holds the worst case of about 4 of the teacher's" in shown(small, exact=True)
    assert "worst case" not in shown(batch, exact=True)
    unknown = forecast(config(teacher={"model": "unheard-of", "base_url": "https://llm.lab.example/v1"}), papers, 10)
    assert unknown.money is None
    assert "nobody knows the price" in shown(unknown, exact=True)
    served = forecast(config(teacher={"model": "x", "serve": True}), papers, 10)
    assert "costs nothing" in shown(served, exact=True)


def test_replies_of_the_run_correct_the_count(tmp_path: Path) -> None:
    """A model that makes three tokens of what we take for one, and thinks at length before it answers."""
    papers = [document(f"p{n}", 40) for n in range(2)]
    before = forecast(config(), papers, None, tmp_path)
    text = "A sentence of a passage about magnets. " * 20
    line = {
        "key": "k",
        "model": "gpt-5-mini",
        "messages": [{"role": "user", "content": text}],
        "parameters": {},
        "content": "A reply. " * 10,
    }
    line |= {"finish_reason": "stop", "usage": {"input_tokens": int(3 * len(text) / 3.8), "output_tokens": 900}}
    (tmp_path / "replies").mkdir()
    (tmp_path / "replies" / "p0.jsonl").write_text("".join(json.dumps(line | {"key": str(n)}) + "\n" for n in range(30)))
    after = forecast(config(), papers, None, tmp_path)
    assert after.calibrated == ("gpt-5-mini",)
    assert after.lines[0].sent.likely == pytest.approx(3 * before.lines[0].sent.likely, rel=0.02)
    assert after.lines[0].said.likely > 20 * before.lines[0].said.likely
    assert after.lines[0].sent.high / after.lines[0].sent.low < before.lines[0].sent.high / before.lines[0].sent.low
    coverage = {"chunk_id": "c", "section": "", "characters": 1, "facts": 10, "pairs": {}, "rejections": {}}
    (tmp_path / "coverage").mkdir()
    (tmp_path / "coverage" / "p0.jsonl").write_text(json.dumps(coverage) + "\n")
    assert forecast(config(), papers, None, tmp_path).pairs.likely < 0.7 * before.pairs.likely


# ---- the command


def test_papers_are_counted_from_the_yaml(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n\nText.")
    (tmp_path / "b.md").write_text("# B\n\nText.")
    sources = [
        {"arxiv": {"query": "cat:physics.acc-ph", "max_papers": 40}},
        {"arxiv": {"ids": ["2301.00001", "2301.00002"]}},
        {"urls": {"urls": ["https://a.example/x.pdf"]}},
        {"folder": {"path": str(tmp_path)}},
    ]
    assert papers_expected(HarvestConfig.model_validate({"sources": sources}), tmp_path / "run") == 45
    assert papers_expected(HarvestConfig.model_validate({"sources": sources, "max_papers": 7}), tmp_path / "run") == 7


def test_check_reads_local_papers_and_asks_nobody(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.1)
        lab = tmp_path / "fields"
        lab.mkdir()
        shutil.copytree(ROOT / "examples" / "demo" / "documents", lab / "papers", ignore=shutil.ignore_patterns("*.pdf"))
        (lab / "lab.yaml").write_text(
            "title: Lab\nharvest: {sources: [{folder: {path: papers, licence: CC0-1.0}}]}\n"
            f"qagen:\n  teacher: {{model: gpt-5-mini, base_url: 'http://127.0.0.1:{listener.getsockname()[1]}/v1'}}\n"
            "  budget: {money: 0.01}\ntrain: {base: none}\n"
        )
        command = [sys.executable, "-m", "flows.cli", "check", "lab"]
        done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        with pytest.raises(TimeoutError):
            listener.accept()
    assert "is a valid field" in done.stdout
    assert "documents" in done.stdout
    assert "facts" in done.stdout
    assert "0.01 in money: likely not enough; it ends after about" in done.stdout
    assert not (tmp_path / "runs" / "lab" / "replies").exists()


def test_a_number_of_papers_that_is_only_a_limit_is_called_one() -> None:
    found = replace(forecast(config(), [document("p", 20)], 20), budget=config().budget)
    assert shown(found, exact=False).startswith("at most 20 papers")
    assert shown(found, exact=True).startswith("20 papers")


def test_the_report_says_what_an_accepted_pair_cost(tmp_path: Path) -> None:
    (tmp_path / "replies").mkdir()
    ledger = [{"sending": "a"}, {"content": "yes", "sent": "a"}, {"lost": "no answer"}, {"content": "no"}]
    (tmp_path / "replies" / "p.jsonl").write_text("".join(json.dumps(line) + "\n" for line in ledger))
    spent = {"calls_made": 2.0, "input_tokens": 3000.0, "output_tokens": 1000.0, "money": 0.5}
    stages = {"generate": StageRecord("", {}, {"pairs": {"fact": 30, "concept": 10}}, {}, spent)}
    said = cost_line(run_cost(tmp_path, stages))
    assert "2 replies" in said
    assert said.endswith("0.013 and 100 tokens for each of 40 accepted pairs")
    assert "accepted" not in cost_line(run_cost(tmp_path, {}))
