"""Question-answer pairs from a simulator: Ising and Potts models on a square lattice, by Monte Carlo.

`questions` is what the YAML names. The rest is the physics: Metropolis updates of the two sublattices in turn, many lattices at once, and
the exact results that a user should check a simulator against (L. Onsager, Phys. Rev. 65, 117 (1944); C. N. Yang, Phys. Rev. 85, 808
(1952); R. B. Potts, Proc. Camb. Phil. Soc. 48, 106 (1952)). Temperatures are in units of J/k_B, energies in units of J per spin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cosh, log, sinh, sqrt, tanh
from typing import Any

import numpy as np
import numpy.typing as npt
from sentences import CHINESE, ENGLISH

States = npt.NDArray[np.int8]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """`q` states to a spin; the Ising model (q = 2) counts a bond as -s s', a Potts model as -1 between equal states and 0 otherwise."""

    q: int
    ising: bool = False

    @property
    def critical(self) -> float:
        """The temperature of the phase transition of the infinite lattice: 2 / ln(1 + sqrt 2), and 1 / ln(1 + sqrt q)."""
        return (2 if self.ising else 1) / log(1 + sqrt(self.q))

    def energy(self, lattices: States) -> Values:
        """Energy per spin of each lattice; `lattices` is (n, L, L) with periodic boundaries, the result (n,)."""
        equal = sum((lattices == np.roll(lattices, 1, axis)).mean((1, 2)) for axis in (1, 2))
        return np.asarray(2 - 2 * equal if self.ising else -equal)

    def order(self, lattices: States) -> Values:
        """Order parameter of each lattice, 0 to 1: the absolute magnetisation per spin, in general (q n_max / N - 1) / (q - 1)."""
        shares = np.stack([(lattices == state).mean((1, 2)) for state in range(self.q)])
        return np.asarray((self.q * shares.max(0) - 1) / (self.q - 1))


ISING = Model(2, ising=True)


# ---- the simulation


def simulate(
    model: Model, temperatures: Sequence[float], size: int, sweeps: int, rng: np.random.Generator
) -> tuple[States, Values, Values]:
    """Lattices of `size` x `size` spins (even) in equilibrium at each temperature, and their mean energies and order parameters.

    A third of the sweeps bring the lattices, which start ordered below the critical temperature and at random above it, into
    equilibrium; over the rest the means are taken.
    """
    heat = np.asarray(temperatures, dtype=float)
    cold = (heat < model.critical)[:, None, None]
    ordered, mixed = (rng.integers(0, model.q, (len(heat), *shape), dtype=np.int8) for shape in ((1, 1), (size, size)))
    lattices = np.where(cold, ordered, mixed)
    energies, orders = np.zeros(len(heat)), np.zeros(len(heat))
    start = sweeps // 3
    for sweep in range(sweeps):
        _sweep(model, lattices, heat[:, None, None], rng)
        if sweep >= start:
            energies += model.energy(lattices)
            orders += model.order(lattices)
    return lattices, energies / (sweeps - start), orders / (sweeps - start)


def _sweep(model: Model, lattices: States, heat: Values, rng: np.random.Generator) -> None:
    """One Metropolis trial of every spin: spins of one colour of the chessboard have no bond with each other."""
    rows, columns = np.indices(lattices.shape[1:])
    for colour in (0, 1):
        new = (lattices + rng.integers(1, model.q, lattices.shape, dtype=np.int8)) % model.q
        neighbours = [np.roll(lattices, step, axis) for axis in (1, 2) for step in (1, -1)]
        gain = sum((near == new).astype(np.int8) - (near == lattices) for near in neighbours) * (2 if model.ising else 1)
        accepted = (rng.random(lattices.shape) < np.exp(gain / heat)) & ((rows + columns) % 2 == colour)
        lattices[accepted] = new[accepted]


# ---- what is known exactly


def onsager_energy(temperature: float) -> float:
    """Energy per spin of the infinite Ising lattice (Onsager); the elliptic integral by the arithmetic-geometric mean."""
    k = 1 / temperature
    modulus = 2 * sinh(2 * k) / cosh(2 * k) ** 2
    a, b = 1.0, sqrt(max(1 - modulus**2, 0))
    if b == 0:
        return -1 / tanh(2 * k)
    while abs(a - b) > 1e-12:
        a, b = (a + b) / 2, sqrt(a * b)
    return -(1 + (2 * tanh(2 * k) ** 2 - 1) / a) / tanh(2 * k)


def onsager_magnetisation(temperature: float) -> float:
    """Spontaneous magnetisation per spin of the infinite Ising lattice (Yang); 0 from the critical temperature on."""
    return float((1 - sinh(2 / temperature) ** -4) ** 0.125) if temperature < ISING.critical else 0.0


# ---- questions


def questions(
    seed: int, runs: int = 80, size: int = 12, sweeps: int = 900, languages: Sequence[str] = ("en", "zh"), states: Sequence[int] = (3, 4)
) -> Iterator[dict[str, Any]]:
    """Pairs on simulated lattices and on the exact results; those on one lattice are one group.

    `runs` lattices are divided among the Ising model and the Potts models of these numbers of `states`. Temperatures within 8 % of
    the critical one are left out, where a lattice of this size belongs to neither phase, and those at which hardly a spin differs.
    """
    rng = np.random.default_rng(seed)
    models = [ISING, *map(Model, states)]
    for number, model in enumerate(models):
        count = runs // len(models) + (number < runs % len(models))
        ratios = np.where(rng.random(count) < 0.5, rng.uniform(0.8, 0.92, count), rng.uniform(1.08, 1.8, count))
        heat = np.round(ratios * model.critical, 3)
        lattices, energies, orders = simulate(model, heat.tolist(), size, sweeps, rng)
        for place in range(count):
            run = Run(model, lattices[place], float(heat[place]), float(energies[place]), float(orders[place]))
            language = languages[int(rng.integers(len(languages)))]
            yield from ({**one, "group": f"{run.name}-{place}", "language": language} for one in _about(run, language, rng))
    yield from _theory(models, languages)


@dataclass(frozen=True)
class Run:
    """One lattice in equilibrium, with the means over its sweeps."""

    model: Model
    lattice: States
    temperature: float
    energy: float
    order: float

    @property
    def name(self) -> str:
        """Short and the same for all lattices of one model."""
        return "ising" if self.model.ising else f"potts{self.model.q}"


def _about(run: Run, language: str, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    say = CHINESE if language == "zh" else ENGLISH
    model, size = run.model, len(run.lattice)
    called = say["ising"] if model.ising else say["potts"].format(q=model.q)
    picture = "\n".join("".join(map(str, row)) for row in run.lattice.tolist())
    coding = say["coding ising"] if model.ising else say["coding potts"].format(last=model.q - 1)
    shown = say["shown"].format(model=called, size=size, coding=coding)
    counts = np.bincount(run.lattice.ravel(), minlength=model.q).tolist()
    yield _order_question(say, f"{shown}\n{picture}", run, counts)
    yield _energy_question(say, f"{shown}\n{picture}", run)
    yield _phase_question(say, called, run)
    yield _temperature_question(say, called, run, rng)


def _order_question(say: dict[str, str], shown: str, run: Run, counts: list[int]) -> dict[str, Any]:
    total, q = sum(counts), run.model.q
    if run.model.ising:
        value = (counts[1] - counts[0]) / total
        steps = [
            say["up down"].format(up=counts[1], down=counts[0], total=total),
            f"m = ({counts[1]} - {counts[0]}) / {total} = {value:.2f}",
        ]
        return _pair("numerical", f"{shown}\n{say['ask magnetisation']}", f"m = {value:.2f}", steps)
    most = max(counts)
    value = (q * most / total - 1) / (q - 1)
    steps = [say["most"].format(most=most, total=total), f"m = ({q} · {most} / {total} - 1) / ({q} - 1) = {value:.3f}"]
    return _pair("numerical", f"{shown}\n{say['ask order']}", f"m = {value:.3f}", steps)


def _energy_question(say: dict[str, str], shown: str, run: Run) -> dict[str, Any]:
    value, total = float(run.model.energy(run.lattice[None])[0]), run.lattice.size
    equal = round((2 - value) / 2 * total) if run.model.ising else round(-value * total)
    bonds = say["bonds"].format(bonds=2 * total, equal=equal, other=2 * total - equal)
    if run.model.ising:
        sum_ = f"E / N = -({equal} - {2 * total - equal}) J / {total} = {value:.2f} J"
    else:
        sum_ = f"E / N = -{equal} J / {total} = {value:.2f} J"
    return _pair("numerical", f"{shown}\n{say['ask energy']}", f"{value:.2f} J", [bonds, sum_])


def _phase_question(say: dict[str, str], called: str, run: Run) -> dict[str, Any]:
    critical, cold = run.model.critical, run.temperature < run.model.critical
    formula = "2 / ln(1 + √2)" if run.model.ising else f"1 / ln(1 + √{run.model.q})"
    steps = [f"T_c = {formula} J/k_B = {critical:.4f} J/k_B", f"{run.temperature:.3f} {'<' if cold else '>'} {critical:.4f}"]
    answer = say["ordered" if cold else "disordered"]
    return _pair("concept", say["ask phase"].format(model=called, temperature=f"{run.temperature:.3f}"), answer, steps)


def _temperature_question(say: dict[str, str], called: str, run: Run, rng: np.random.Generator) -> dict[str, Any]:
    """The wrong temperatures are far enough away to be told from the right one by energy and order parameter."""
    factors = rng.choice([0.4, 0.55, 0.7, 1.4, 1.75, 2.2, 2.8], 3, replace=False)
    question = say["ask temperature"].format(model=called, size=len(run.lattice), energy=f"{run.energy:.3f}", order=f"{run.order:.3f}")
    wrong = [f"{run.temperature * factor:.3f} J/k_B" for factor in factors]
    return {"kind": "choice", "question": question, "answer": f"{run.temperature:.3f} J/k_B", "distractors": wrong}


def _theory(models: Sequence[Model], languages: Sequence[str]) -> Iterator[dict[str, Any]]:
    for language in languages:
        say = CHINESE if language == "zh" else ENGLISH
        for model in models:
            called = say["ising"] if model.ising else say["potts"].format(q=model.q)
            formula = "2 / ln(1 + √2)" if model.ising else f"1 / ln(1 + √{model.q})"
            pair = _pair("fact", say["ask critical"].format(model=called), f"T_c = {formula} J/k_B ≈ {model.critical:.4f} J/k_B", [])
            yield {**pair, "language": language, "group": f"critical-{'ising' if model.ising else model.q}"}
        for tenths in range(12, 28):
            pair = _onsager_question(say, tenths / 10)
            yield {**pair, "language": language, "group": f"onsager-{tenths}"}


def _onsager_question(say: dict[str, str], heat: float) -> dict[str, Any]:
    question = say["ask onsager"].format(model=say["ising"], temperature=f"{heat:.1f}")
    if heat > ISING.critical:
        return _pair("numerical", question, "m = 0", [f"T_c = 2.2692 J/k_B < {heat:.1f} J/k_B"])
    value = onsager_magnetisation(heat)
    steps = [f"T_c = 2.2692 J/k_B > {heat:.1f} J/k_B", f"m = (1 - sinh(2 / {heat:.1f})^(-4))^(1/8) = {value:.4f}"]
    return _pair("numerical", question, f"m = {value:.4f}", steps)


def _pair(kind: str, question: str, answer: str, steps: list[str]) -> dict[str, Any]:
    return {"kind": kind, "question": question, "answer": answer, "steps": steps}
