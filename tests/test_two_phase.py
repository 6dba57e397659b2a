"""The example of two phases: what is committed is what its code makes, and the apparatus differs from the simulation as it says."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml

from train.config import TrainConfig
from train.prove.exam import read_exam

Values = npt.NDArray[np.float64]
FOLDER = Path(__file__).parent.parent / "examples" / "ising"


@pytest.fixture(scope="module")
def curves() -> Iterator[ModuleType]:
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("ising_curves", FOLDER / "curves.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(FOLDER))
    for name in ("ising", "sentences"):
        sys.modules.pop(name, None)


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def temperature(question: str) -> float:
    return float(question.partition("T = ")[2].partition(":")[0])


def test_the_measured_files_are_what_the_code_makes(curves: ModuleType) -> None:
    learnt, exam = curves.measured()
    assert lines("measured.jsonl") == learnt
    assert [line["answer"] for line in lines("measured_exam.jsonl")] == [line["answer"] for line in exam]
    assert len(read_exam(FOLDER / "measured_exam.jsonl")) == len(exam) == 80


def test_the_exam_asks_about_other_temperatures_than_were_learnt() -> None:
    learnt, asked = ({temperature(line["question"]) for line in lines(name)} for name in ("measured.jsonl", "measured_exam.jsonl"))
    assert len(learnt) == 12
    assert len(asked) == 40
    assert not learnt & asked


def curve(pairs: list[dict[str, Any]], what: str) -> tuple[Values, Values]:
    """Temperatures, rising, and what was found at them."""
    points = sorted((temperature(pair["question"]), float(pair["answer"])) for pair in pairs if what in pair["question"])
    return np.array([heat for heat, _ in points]), np.array([value for _, value in points])


@pytest.mark.parametrize(("what", "signal"), [("magnetisation", 0.93), ("energy", 0.96)])
def test_the_apparatus_differs_from_the_simulation_as_it_says(curves: ModuleType, what: str, signal: float) -> None:
    """Read at a temperature, the film is warmer, and its signal weaker: who knows that is left with noise."""
    heat, value = curve(lines("measured_exam.jsonl"), what)
    simulated, small = (curve(list(curves.questions(3, temperatures=300, size=size)), what) for size in (16, 8))
    off = np.abs(np.interp(heat, *simulated) - value).mean()
    known = np.abs(signal * np.interp(1.05 * heat + 0.05, *small) - value).mean()
    assert np.corrcoef(np.interp(heat, *simulated), value)[0, 1] > 0.95
    assert off > 0.04
    assert known < off / 2


def test_the_same_seed_gives_the_same_pairs(curves: ModuleType) -> None:
    one, again, other = (list(curves.questions(seed, temperatures=20, sweeps=60, languages=("en", "zh"))) for seed in (1, 1, 2))
    assert one == again != other
    assert {pair["language"] for pair in one} == {"en", "zh"}
    assert not any("{" in pair["question"] for pair in one)
    assert len({pair["group"] for pair in one}) == 20


def test_its_yaml_names_files_that_are_there() -> None:
    settings = TrainConfig.model_validate(yaml.safe_load((FOLDER.parent / "ising.yaml").read_text())["train"]).absolute(FOLDER.parent)
    assert [stage.data and stage.data.is_file() for stage in settings.stages] == [None, True]
