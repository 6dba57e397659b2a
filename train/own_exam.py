"""An exam of anyone's: fieldsmith's own files as they are, and pairs in any layout as open questions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError, save, save_lines, sha256_file
from train.entries import Entry, files_of, read_entries
from train.layouts import conversation
from train.prove.exam import read_exam


def exam_folder(exam: Path, folder: Path) -> Path:
    """A folder of exams with their seal: `exam` itself where it is one of fieldsmith's, else one made in `folder`.

    An entry may be an exam question (question, answer, perhaps options and the place of the right one), or a pair in any layout of
    `train.layouts`. Errors: `FieldsmithError` for a file that is missing or holds something else, with its place.
    """
    if not exam.exists():
        raise FieldsmithError(f"there is no exam {exam}: give a JSON or JSONL file of questions, or a folder of them")
    if exam.is_dir() and (exam / "seal.json").is_file():
        return exam
    (folder / "seal.json").unlink(missing_ok=True)
    for stale in folder.glob("*.jsonl"):
        stale.unlink()
    seals = {}
    for file in files_of(exam):
        path = folder / f"{file.stem}.jsonl"
        if path.exists():
            raise FieldsmithError(f"{exam} holds two exams called {file.stem}: rename one of them")
        n = save_lines(path, map(_item, read_entries(file)))
        read_exam(path)
        seals[file.stem] = {"sha256": sha256_file(path), "n": n}
    save(folder / "seal.json", seals)
    return folder


def exam_file(exam: Path, folder: Path) -> Path:
    """The one exam of a file, in fieldsmith's layout; errors as in `exam_folder`."""
    if exam.is_dir():
        raise FieldsmithError(f"{exam} is a folder: name one exam in it")
    return exam_folder(exam, folder) / f"{exam.stem}.jsonl"


def _item(entry: Entry) -> dict[str, Any]:
    name = str(entry.data.get("id") or entry.name)
    if isinstance(entry.data.get("question"), str) and isinstance(entry.data.get("answer"), str):
        return {**entry.data, "id": name, **_choice(entry.data)}
    turns = conversation(entry.data, entry.name, entry.where).turns
    if [turn.role for turn in turns] != ["user", "assistant"]:
        raise FieldsmithError(f"{entry.where}, is a chat of several turns: an exam asks single questions")
    return {"id": name, "question": turns[0].content, "answer": turns[1].content}


def _choice(data: Mapping[str, Any]) -> dict[str, Any]:
    """The place of the right option, where only the options and the answer are given."""
    options = data.get("options")
    if isinstance(options, list) and "correct" not in data and data["answer"] in options:
        return {"correct": options.index(data["answer"])}
    return {}
