"""How well qagen tells good pairs from spoiled ones, on labelled/filter*.jsonl: rules alone, the judge alone, and both.

459 pairs about 28 documents, all written and labelled by us (CC0): half of the pairs are good, half were spoiled on purpose (a digit, unit,
power or sign; a name; not in the source; not self-contained; an instruction of the paper obeyed; a "not" turned round; an answer
to something else; a part left out). The 12 `tune` documents were looked at while the rules were written (4 of them were added when the
first 8 were no longer news), then the 8 `test` documents too. The 8 `blind` ones were written by somebody who had seen no rule, when
the rules stood; their figures of that day, in README.md, are the ones to believe. `needs` says what it takes to see a fault: a rule, or a
judge who understands. The whole chain is run: quotes are located, rules applied, verdicts come over HTTP.

The default judge is scripted (tests/scripted_judge.py): a handful of rules of its own that reads source and pairs from the prompt and
never sees a label, but whose author wrote the set. It shows that the chain works, not how good a judge is; for that name a
model: --base-url URL --model NAME.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from table import print_table

from harvest import read_document
from harvest.records import Document, Paper
from qagen.checks.calibrate import Calibration, Share, calibrate
from qagen.checks.chain import check_pair
from qagen.checks.ground import locate_quotes
from qagen.checks.judge import Verdict, judge_document
from qagen.config import JudgeConfig, QAGenConfig, TeacherConfig
from qagen.desk import Desk
from qagen.records import QAPair, Step

FOLDER = Path(__file__).parent / "labelled"
HALVES = ("tune", "test", "blind")
SCRIPTED = Path(__file__).parent.parent / "tests" / "scripted_teacher.py"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A line of the set, its pair, what the rules have against it, and the judge's lowest score (None: no verdict)."""

    line: Mapping[str, Any]
    pair: QAPair
    reasons: tuple[str, ...]
    score: float | None = None
    said: str = ""

    @property
    def good(self) -> bool:
        """The label."""
        return bool(self.line["good"])

    def kept(self, way: str, least: float) -> bool:
        """Whether the pair passes `rules`, `judge` or `both`."""
        by_judge = self.score is not None and self.score >= least
        return {"rules": not self.reasons, "judge": by_judge, "both": not self.reasons and by_judge}[way]


def read_labelled() -> tuple[dict[str, Document], list[Labelled]]:
    """The documents by name, and the pairs as the rules see them."""
    documents = {path.stem: _document(path) for path in sorted((FOLDER / "sources").glob("*.md"))}
    files = (FOLDER / "filter.jsonl", FOLDER / "filter_blind.jsonl")
    lines = [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    return documents, [_labelled(number, line, documents[line["document"]]) for number, line in enumerate(lines)]


async def with_verdicts(documents: Mapping[str, Document], every: Sequence[Labelled], judge: JudgeConfig) -> list[Labelled]:
    """All pairs with what the judge says, whatever the rules say."""
    config = QAGenConfig(teacher=TeacherConfig(model=judge.model, base_url=judge.base_url), judge=judge)
    with tempfile.TemporaryDirectory() as folder:
        async with Desk(config, Path(folder)) as desk:
            parts = await asyncio.gather(*(_of_document(one, every, judge, desk) for one in documents.values()))
    found = {pair_id: outcome for part in parts for pair_id, outcome in part.items()}
    return [replace(one, score=found[one.pair.id][0], said=found[one.pair.id][1]) for one in every]


def figures(every: Sequence[Labelled], way: str, least: float) -> dict[str, Any]:
    """Precision of what is kept, share of the good ones kept, and how much of what was spoiled how was caught."""
    kept = [one for one in every if one.kept(way, least)]
    spoiled = Counter(one.line["spoil"] for one in every if not one.good)
    missed = Counter(one.line["spoil"] for one in kept if not one.good)
    return {
        "precision": Share(sum(one.good for one in kept), len(kept)),
        "good kept": Share(sum(one.good for one in kept), sum(one.good for one in every)),
        "caught": {name: Share(count - missed[name], count) for name, count in sorted(spoiled.items())},
    }


@contextmanager
def scripted() -> Iterator[str]:
    """The address of the scripted judge, a process of its own."""
    with subprocess.Popen([sys.executable, str(SCRIPTED)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        server.communicate()  # it ends when its input is closed


# ---- from a line to a pair


def _document(path: Path) -> Document:
    title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
    return read_document(path, paper=Paper(path.stem, "labelled", title, licence="CC0-1.0"))


def _labelled(number: int, line: Mapping[str, Any], document: Document) -> Labelled:
    evidence = tuple(locate_quotes(document.text, line["quotes"]) or ())
    pair = QAPair(
        id=f"{document.id}-{number}",
        document_id=document.id,
        chunk_id="",
        kind=line["kind"],
        language=line["language"],
        question=line["question"],
        answer=line["answer"],
        evidence=evidence,
        teacher="labelled",
        prompt="",
        licence=document.paper.licence,
        steps=tuple(Step(step) for step in line["steps"]),
        distractors=tuple(line["distractors"]),
    )
    reasons = tuple(fault.reason for fault in check_pair(pair, document, quotes=line["quotes"]))
    return Labelled(line, pair, reasons)


async def _of_document(
    document: Document, every: Sequence[Labelled], judge: JudgeConfig, desk: Desk
) -> dict[str, tuple[float | None, str]]:
    pairs = [one.pair for one in every if one.pair.document_id == document.id]
    outcomes = await judge_document(document, pairs, judge, desk.file(document.id).ask("judge"), None)
    return {pair.id: _told(outcome) for pair, outcome in zip(pairs, outcomes, strict=True)}


def _told(outcome: object) -> tuple[float | None, str]:
    return (outcome.worst[0], outcome.reason) if isinstance(outcome, Verdict) else (None, getattr(outcome, "detail", ""))


# ---- what is shown


def _show(every: Sequence[Labelled], ways: Sequence[str], least: float) -> dict[str, Any]:
    parts = {half: [one for one in every if one.line["half"] == half] for half in HALVES} | {"all": list(every)}
    parts |= {language: [one for one in every if one.line["language"] == language] for language in ("en", "zh")}
    rows = [(way, part, figures(parts[part], way, least)) for way in ways for part in parts]
    print_table(["way", "part", "precision of kept", "good kept"], [[w, p, str(f["precision"]), str(f["good kept"])] for w, p, f in rows])
    print()
    spoils = sorted({one.line["spoil"] for one in every if not one.good})
    found = {(way, half): figures(parts[half], way, least)["caught"] for way in ways for half in HALVES}
    heads = ["spoiled", *(f"{way} {half}" for way, half in found)]
    print_table(heads, [[spoil, *(_caught(caught.get(spoil)) for caught in found.values())] for spoil in spoils])
    return {f"{way} {part}": {name: asdict(value) for name, value in f.items() if isinstance(value, Share)} for way, part, f in rows}


def _caught(share: Share | None) -> str:
    return f"{share.good}/{share.n}" if share else "-"


def _show_calibration(calibration: Calibration, test: Sequence[Labelled]) -> None:
    choice = calibration.choose()
    if choice is None:
        print("\nno least score gives this judge a precision of 0.95 on the tune half")
        return
    sure = "with 95 % confidence" if choice.sure else "on these pairs, without certainty"
    print(f"\njudge alone, calibrated on tune: least {choice.least:g} gives a precision of 0.95 {sure}")
    there = figures(test, "judge", choice.least)
    print(f"  on tune {choice.precision}, good kept {choice.recall}; on blind {there['precision']}, good kept {there['good kept']}")


def _show_misses(every: Sequence[Labelled], way: str, least: float) -> None:
    for one in every:
        if one.line["half"] == "tune" and one.kept(way, least) != one.good:
            why = "" if not one.good else f" [{', '.join(one.reasons)}; {one.score}: {one.said}]"
            print(f"{'lost' if one.good else 'kept ' + one.line['spoil']}: {one.pair.question} -> {one.pair.answer}{why}")


def main() -> None:
    """Print the figures, judge off and on."""
    parser = argparse.ArgumentParser(description="The filter chain on the labelled set.")
    parser.add_argument("--base-url", help="a real judge's endpoint; none: the scripted one")
    parser.add_argument("--model", default="scripted")
    parser.add_argument("--api-key-env", default="OPENAI_API_KEY")
    parser.add_argument("--least", type=float, default=70.0)
    parser.add_argument("--misses", choices=["rules", "judge", "both"], help="print what is judged wrongly of the tune half")
    parser.add_argument("--json", type=Path, help="write the figures there")
    given = parser.parse_args()
    documents, every = read_labelled()
    with nullcontext(given.base_url) if given.base_url else scripted() as url:
        judge = JudgeConfig(model=given.model, base_url=url, api_key_env=given.api_key_env, least=given.least)
        every = asyncio.run(with_verdicts(documents, every, judge))
    print(f"judge: {given.model + ' at ' + given.base_url if given.base_url else 'scripted, rules of its own that see no label'}")
    print(f"{sum(one.score is None for one in every)} of {len(every)} pairs without a verdict\n")
    shown = _show(every, ("rules", "judge", "both"), given.least)
    tune = [one for one in every if one.line["half"] == "tune" and one.score is not None]
    if tune:
        blind = [one for one in every if one.line["half"] == "blind"]
        _show_calibration(calibrate([one.good for one in tune], [one.score or 0.0 for one in tune]), blind)
    if given.misses:
        _show_misses(every, given.misses, given.least)
    if given.json:
        given.json.write_text(json.dumps(shown, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
