"""The example simulator tells the truth about physics, and its questions about its lattices."""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
from collections.abc import Iterator
from math import exp, isclose, log, sqrt, tanh
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from qagen.own.pairs import load_pairs
from qagen.records import QAPair

FOLDER = Path(__file__).parent.parent / "examples" / "ising"


@pytest.fixture(scope="module")
def ising() -> Iterator[ModuleType]:
    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("ising_example", FOLDER / "ising.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ising_example"] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(FOLDER))
    for name in ("ising_example", "sentences"):
        sys.modules.pop(name, None)


# ---- against what is known exactly


def test_energy_and_magnetisation_are_onsagers(ising: ModuleType) -> None:
    """Sixteen lattices a temperature, far enough from the critical one that the lattice counts as infinite."""
    temperatures, lattices = [1.6, 2.0, 3.0], 16
    heat = np.repeat(temperatures, lattices).tolist()
    _, energies, orders = ising.simulate(ising.ISING, heat, 32, 900, np.random.default_rng(7))
    for place, temperature in enumerate(temperatures):
        energy, order = (values[place * lattices : (place + 1) * lattices] for values in (energies, orders))
        error = energy.std(ddof=1) / sqrt(lattices)
        assert error < 0.004
        assert abs(energy.mean() - ising.onsager_energy(temperature)) < 4 * error
        if temperature < ising.ISING.critical:
            assert abs(order.mean() - ising.onsager_magnetisation(temperature)) < 4 * order.std(ddof=1) / sqrt(lattices)


@pytest.mark.parametrize(("q", "is_ising", "size"), [(2, True, 4), (2, False, 4), (3, False, 2), (4, False, 2)])
def test_a_small_lattice_has_the_energy_of_the_sum_over_all_its_states(ising: ModuleType, q: int, is_ising: bool, size: int) -> None:
    """At the critical temperature too, where everything fluctuates: up to 2^16 configurations, each with its Boltzmann weight."""
    model = ising.Model(q, ising=is_ising)
    every = np.array(list(itertools.product(range(q), repeat=size * size)), dtype=np.int8).reshape(-1, size, size)
    energy, order = model.energy(every), model.order(every)
    weights = np.exp(-(energy - energy.min()) * size * size / model.critical)
    _, energies, orders = ising.simulate(model, [model.critical] * 32, size, 2500, np.random.default_rng(3))
    for exact, found in ((energy, energies), (order, orders)):
        assert abs(found.mean() - np.average(exact, weights=weights)) < 4 * found.std(ddof=1) / sqrt(32) < 0.05


def test_three_states_order_below_the_critical_temperature_and_not_above(ising: ModuleType) -> None:
    for q in (3, 4):
        model = ising.Model(q)
        _, _, (cold, hot) = ising.simulate(model, [0.8 * model.critical, 1.3 * model.critical], 24, 400, np.random.default_rng(q))
        assert cold > 0.9
        assert hot < 0.3


def test_critical_temperatures_are_the_self_dual_points(ising: ModuleType) -> None:
    """Kramers and Wannier 1941, Potts 1952: (exp(1/T) - 1)^2 = q; for Ising's bonds exp(-2K) = tanh K."""
    assert isclose(ising.ISING.critical, 2 / log(1 + sqrt(2)), rel_tol=1e-12)
    assert isclose(exp(-2 / ising.ISING.critical), tanh(1 / ising.ISING.critical), rel_tol=1e-12)
    for q in range(2, 9):
        assert isclose((exp(1 / ising.Model(q).critical) - 1) ** 2, q, rel_tol=1e-12)


def test_onsagers_energy_is_that_of_known_limits(ising: ModuleType) -> None:
    assert isclose(ising.onsager_energy(ising.ISING.critical), -sqrt(2), abs_tol=1e-6)
    assert isclose(ising.onsager_energy(0.2), -2, abs_tol=1e-6)
    assert isclose(ising.onsager_energy(100.0), -2 * tanh(0.01), rel_tol=1e-3)


# ---- the questions


@pytest.fixture(scope="module")
def pairs() -> list[QAPair]:
    return list(load_pairs("ising:questions", folder=FOLDER, arguments={"runs": 24, "sweeps": 200}, seed=5))


def test_the_pairs_are_of_both_languages_and_of_several_kinds(pairs: list[QAPair]) -> None:
    assert {pair.language for pair in pairs} == {"en", "zh"}
    assert {pair.kind for pair in pairs} == {"numerical", "concept", "choice", "fact"}
    assert len({pair.question for pair in pairs}) == len(pairs)
    assert not any("{" in pair.question + pair.answer for pair in pairs)


def test_the_same_seed_gives_the_same_pairs(pairs: list[QAPair]) -> None:
    again = load_pairs("ising:questions", folder=FOLDER, arguments={"runs": 24, "sweeps": 200}, seed=5)
    assert list(again) == pairs
    assert list(load_pairs("ising:questions", folder=FOLDER, arguments={"runs": 24, "sweeps": 200}, seed=6)) != pairs


def test_answers_about_a_lattice_can_be_counted_in_its_picture(pairs: list[QAPair]) -> None:
    checked = 0
    for pair in pairs:
        rows = re.findall(r"^(\d{6,})$", pair.question, re.M)
        if not rows:
            continue
        checked += 1
        lattice = np.array([[int(sign) for sign in row] for row in rows])
        total, is_ising = lattice.size, "Ising" in pair.question or "伊辛" in pair.question
        said = float(re.findall(r"-?\d+\.\d+", pair.answer)[0])
        equal = sum(int((lattice == np.roll(lattice, 1, axis)).sum()) for axis in (0, 1))
        if pair.answer.endswith("J"):
            assert isclose(said, 2 - 2 * equal / total if is_ising else -equal / total, abs_tol=0.0051)
        elif is_ising:
            assert isclose(said, 2 * lattice.mean() - 1, abs_tol=0.0051)
        else:
            state = re.search(r"(\d)(?: 态|-state)", pair.question)
            assert state is not None
            q = int(state[1])
            assert isclose(said, (q * np.bincount(lattice.ravel()).max() / total - 1) / (q - 1), abs_tol=0.00051)
    assert checked == 48


def test_the_steps_recompute(pairs: list[QAPair]) -> None:
    for pair in pairs:
        for step in pair.steps:
            for term, result in re.findall(r"\((\d+ - \d+)\) / \d+ = (-?[\d.]+)", step.text):
                a, b = (int(number) for number in term.split(" - "))
                assert isclose((a - b) / int(re.findall(r"/ (\d+) =", step.text)[0]), float(result), abs_tol=0.0051)


def test_all_questions_on_a_lattice_are_one_group(pairs: list[QAPair]) -> None:
    pictures: dict[str, set[str]] = {}
    for pair in pairs:
        if rows := "\n".join(re.findall(r"^\d{6,}$", pair.question, re.M)):
            pictures.setdefault(rows, set()).add(pair.document_id)
    assert len(pictures) == 24
    assert all(len(groups) == 1 for groups in pictures.values())
