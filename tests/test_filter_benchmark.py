import asyncio
import json
from collections import Counter
from dataclasses import replace
from typing import Any, get_args

import filter as benchmark
import pytest
from scripted_judge import serving, speak_judge

from qagen.checks.calibrate import Share
from qagen.config import JudgeConfig, Kind

SPOILS = {
    "number-digit",
    "number-unit",
    "number-power",
    "number-sign",
    "entity",
    "not-in-source",
    "not-self-contained",
    "instruction",
    "negation",
}


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (benchmark.FOLDER / "filter.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def judged() -> tuple[list[benchmark.Labelled], list[dict[str, Any]]]:
    documents, every = benchmark.read_labelled()
    with serving(speak_judge) as (url, bodies):
        judge = JudgeConfig(model="scripted", base_url=url)
        return asyncio.run(benchmark.with_verdicts(documents, every, judge)), bodies


def test_the_set_is_what_its_docstring_says(lines: list[dict[str, Any]]) -> None:
    assert len(lines) == len({(line["document"], line["question"], line["answer"]) for line in lines}) == 329
    assert 0.4 < sum(line["good"] for line in lines) / len(lines) < 0.6
    assert sum(line["language"] == "zh" for line in lines) >= 0.25 * len(lines)
    assert {line["kind"] for line in lines} <= set(get_args(Kind))
    assert all(bool(line["spoil"]) == bool(line["needs"]) != line["good"] for line in lines)


def test_no_document_is_in_both_halves_and_each_half_has_every_main_spoil(lines: list[dict[str, Any]]) -> None:
    halves = {half: {line["document"] for line in lines if line["half"] == half} for half in ("tune", "test")}
    assert not halves["tune"] & halves["test"]
    for half in halves:
        assert {line["spoil"] for line in lines if line["half"] == half} >= SPOILS


def test_every_quote_of_a_good_pair_stands_in_its_document(judged: tuple[list[benchmark.Labelled], list[dict[str, Any]]]) -> None:
    assert not [one.line["quotes"] for one in judged[0] if one.good and "quote-not-found" in one.reasons]


def test_the_judge_sees_no_label(judged: tuple[list[benchmark.Labelled], list[dict[str, Any]]]) -> None:
    every, bodies = judged
    seen = json.dumps(bodies)
    assert all(one.pair.question.split()[0] in seen for one in every if one.pair.language == "en")
    assert not [word for one in every for word in (one.line["spoil"], one.pair.id) if "-" in word and word in seen]


def test_every_pair_has_a_verdict(judged: tuple[list[benchmark.Labelled], list[dict[str, Any]]]) -> None:
    assert not [one.said for one in judged[0] if one.score is None]


# Both halves have been looked at by now; figures to believe are those of sets that nobody has looked at.
@pytest.mark.parametrize(
    ("way", "half", "precision", "good_kept"),
    [("rules", "tune", 0.95, 0.90), ("both", "tune", 0.95, 0.80), ("rules", "test", 0.95, 0.90), ("both", "test", 0.95, 0.75)],
)
def test_what_is_kept_is_good_and_most_of_the_good_is_kept(
    way: str, half: str, precision: float, good_kept: float, judged: tuple[list[benchmark.Labelled], list[dict[str, Any]]]
) -> None:
    found = benchmark.figures([one for one in judged[0] if one.line["half"] == half], way, 70)
    assert found["precision"].value >= precision
    assert found["good kept"].value >= good_kept


def test_the_judge_by_itself_stops_spoiled_pairs_far_more_often_than_good_ones(
    judged: tuple[list[benchmark.Labelled], list[dict[str, Any]]],
) -> None:
    seen = [one for one in judged[0] if one.line["half"] in ("tune", "test")]
    stopped, every = Counter(one.good for one in seen if not one.kept("judge", 70)), Counter(one.good for one in seen)
    assert stopped[False] / every[False] > 3 * stopped[True] / every[True]


def test_figures_count_what_they_say(judged: tuple[list[benchmark.Labelled], list[dict[str, Any]]]) -> None:
    every = [replace(one, score=None) for one in judged[0]]
    none, allowed = benchmark.figures(every, "judge", 70), [one for one in every if one.kept("rules", 70)]
    assert none["precision"] == Share(0, 0)
    assert benchmark.figures(every, "rules", 70)["precision"].n == len(allowed)
    assert sum(share.n for share in none["caught"].values()) == sum(not one.good for one in every)
