"""Curves of the Ising model, simulated and "measured": much cheap data of a theory, and a little of an apparatus that differs from it.

For the recipe of two phases of "Large language models, physics-based modeling, experimental measurements" (arXiv 2407.02770): train first
on what a simulation gives, then on the few samples that were measured. Nothing here was measured: `measured` stands for an apparatus
whose film is made of islands of 8 x 8 spins, whose thermometer reads too low, whose detectors lose some signal and are noisy. None
of that is in `questions`, but the shape of the curves is.

    python examples/ising/curves.py      writes measured.jsonl (to train on) and measured_exam.jsonl (other temperatures)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ising import ISING, simulate
from sentences import CHINESE, ENGLISH

COLDEST, HOTTEST = 1.3, 3.4
"""The range of temperatures, in J/k_B, with the critical one (2.269) in its middle."""

SEED = 7
SAMPLES, ASKED = 12, 40
"""Temperatures of the measured samples, and of the exam: two questions each."""


def questions(
    seed: int, temperatures: int = 240, size: int = 16, sweeps: int = 600, languages: Sequence[str] = ("en",)
) -> Iterator[dict[str, Any]]:
    """Phase 1: magnetisation and energy per spin of a simulated lattice at so many temperatures; those of one temperature are one group."""
    rng = np.random.default_rng(seed)
    heat = np.round(rng.uniform(COLDEST, HOTTEST, temperatures), 3)
    _, energies, orders = simulate(ISING, heat.tolist(), size, sweeps, rng)
    for place, temperature in enumerate(heat):
        language = languages[int(rng.integers(len(languages)))]
        for what, value in (("magnetisation", orders[place]), ("energy", energies[place])):
            yield _pair(language, f"simulated {what}", f"{temperature:.3f}", float(value)) | {"group": f"simulated-{place}"}


def measured(seed: int = SEED, samples: int = SAMPLES, asked: int = ASKED) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Phase 2: what the apparatus says at a few temperatures, and an exam on others."""
    rng = np.random.default_rng(seed)
    read = rng.permutation(np.arange(round(COLDEST * 100), round(HOTTEST * 100)))[: samples + asked] / 100
    _, energies, orders = simulate(ISING, (1.05 * read + 0.05).tolist(), 8, 2000, rng)  # the thermometer reads too low
    magnetisations = 0.93 * orders + 0.01 + rng.normal(0, 0.012, len(read))
    energies = 0.96 * energies + rng.normal(0, 0.012, len(read))
    lines = [
        _pair("en", f"measured {what}", f"{temperature:.2f}", float(value)) | {"id": f"measured-{what}-{temperature:.2f}"}
        for temperature, pair in zip(read, zip(magnetisations, energies, strict=True), strict=True)
        for what, value in zip(("magnetisation", "energy"), pair, strict=True)
    ]
    return lines[: 2 * samples], lines[2 * samples :]


def _pair(language: str, what: str, temperature: str, value: float) -> dict[str, Any]:
    say = CHINESE if language == "zh" else ENGLISH
    return {"kind": "numerical", "language": language, "question": say[what].format(temperature=temperature), "answer": f"{value:.2f}"}


def _write(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    learnt, exam = measured()
    folder = Path(__file__).parent
    _write(folder / "measured.jsonl", learnt)
    _write(folder / "measured_exam.jsonl", [{name: line[name] for name in ("id", "question", "answer")} for line in exam])
