"""Exams as files, and the seal that says what they were when they were drawn: nothing that is trained on can shape them afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harvest.store import FieldsmithError, load, save, save_lines, sha256_file
from qagen.records import ExamQuestion

NAMES: Final = ("seen", "unseen", "later", "unanswerable", "expert", "expert_trained", "expert_held_out", "general")
MAKER: Final = "2"
"""The version of the way in which exams are drawn and their options chosen; another one draws others."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What an exam file was when it was sealed; `maker` is the version of the exam maker and `seed` the one that it drew with."""

    sha256: str
    n: int
    maker: str = ""
    seed: int | None = None


def write_exams(folder: Path, exams: Mapping[str, Sequence[ExamQuestion]], *, seed: int | None = None) -> dict[str, Seal]:
    """Write the exams that hold questions, then their seal; until the seal stands there is no exam.

    The old seal is broken first, so that a crash in between leaves exams without a seal, which are drawn again.
    """
    (folder / "seal.json").unlink(missing_ok=True)
    seals = {}
    for name in NAMES:
        path = folder / f"{name}.jsonl"
        if exams.get(name):
            seals[name] = Seal(n=save_lines(path, exams[name]), sha256=sha256_file(path), maker=MAKER, seed=seed)
        else:
            path.unlink(missing_ok=True)
    save(folder / "seal.json", seals)
    return seals


def verify_seal(folder: Path) -> dict[str, Seal]:
    """The seals of a folder of exams; `FieldsmithError` where a file was changed, is missing, or was never sealed."""
    if not (folder / "seal.json").exists():
        raise FieldsmithError(f"the exams in {folder} are not sealed (no seal.json); build the dataset again")
    seals = load(folder / "seal.json", dict[str, Seal])
    found = {path.stem: path for path in sorted(folder.glob("*.jsonl"))}
    for name in sorted(seals.keys() | found.keys()):
        if name not in found:
            raise FieldsmithError(f"the exam {name} is sealed but {folder / f'{name}.jsonl'} is missing; restore it or delete {folder}")
        if name not in seals:
            raise FieldsmithError(f"{found[name]} is no sealed exam; take it out of the folder or name it in qagen.exams.expert")
        if sha256_file(found[name]) != seals[name].sha256:
            raise FieldsmithError(f"{found[name]} was changed after it was sealed; restore it, or delete {folder} to draw new exams")
    return seals
