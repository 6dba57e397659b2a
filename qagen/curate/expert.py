"""Exams that people wrote: the lab's own questions, and the general ones that show what a model has forgotten.

A JSONL, JSON, CSV or TSV file. `question` and `answer` are enough (a plain list of open questions with a reference answer, as PACuna was
judged by, arXiv 2310.19106); options make a choice of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harvest.store import UsageError, sha256_text
from qagen.curate.split import nearest
from qagen.own.choices import NoSuchOptionError, choice_of
from qagen.own.files import read_file
from qagen.own.names import SPELLINGS, Role, named
from qagen.own.rows import Fault, Row
from qagen.records import EXAMINED, ExamQuestion, Part

GENERAL: Final = Path(__file__).with_name("general.jsonl")
"""The general questions that come with qagen."""
Read = Callable[[Mapping[str, Any]], dict[str, Any]]

_TABLES: Final = (".csv", ".tsv")
_KINDS: Final = (".jsonl", ".ndjson", ".json", *_TABLES)
_LETTERS: Final = "ABCDEFGHIJ"
_YES: Final = {"true": True, "yes": True, "1": True, "是": True, "false": False, "no": False, "0": False, "否": False}
_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "id": ("id", "编号"),
    "document": ("document", "document_id", "doc_id", "文档"),
    "evidence": ("evidence", "quote", "证据"),
    "answerable": ("answerable", "可回答"),
    "licence": SPELLINGS["licence"],
}


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    id: str = ""
    document: str = ""
    options: list[str] = []
    correct: int | str | None = None
    evidence: str = ""
    answerable: bool = True
    licence: str = ""

    @model_validator(mode="after")
    def _choice(self) -> Self:
        if not self.options:
            if self.correct is not None:
                raise ValueError("correct is given without options")
            return self
        if len(set(self.options)) != len(self.options) or len(self.options) < 2:
            raise ValueError("options must be at least two and all different")
        if self.correct is None and self.answer not in self.options:
            raise ValueError(
                "the answer is not among the options; give correct, the index of the right option from 0, its letter or its text"
            )
        self.correct = place = _place(self.answer if self.correct is None else self.correct, self.options)
        if self.answer in self.options and self.options[place] != self.answer:
            raise ValueError(f"correct points at {self.options[place]!r}, but the answer is {self.answer!r}")
        return self


def _place(said: int | str, options: Sequence[str]) -> int:
    """Where the right option stands, said by its index from 0, its letter or its text."""
    if isinstance(said, str) and said in options:
        return options.index(said)
    letter = str(said).strip().rstrip(".)").upper()
    place = _LETTERS.index(letter) if len(letter) == 1 and letter in _LETTERS else int(letter) if letter.isdecimal() else -1
    if not 0 <= place < len(options):
        raise ValueError(f"correct is {said!r}; it is the index of the right option, from 0 to {len(options) - 1}, its letter or its text")
    return place


def read_expert(path: Path, documents: Collection[str]) -> list[ExamQuestion]:
    """The lab's exam: `question`, `answer`, and optionally `id, document, options, correct, evidence, answerable, licence` of each.

    In a table the options are columns (A, B, C, D; option_a, ...) or one of JSON, and its columns may be called otherwise (see
    `qagen.own.names`). Where the right option is worded otherwise than the open answer, it is the answer, and what was given is
    evidence. Raises `UsageError` naming file and line for what cannot be read, a double id, or a document that the run does not hold.
    """
    return list(_read(path, "qagen.exams.expert", documents, "expert"))


def read_general(path: Path = GENERAL) -> list[ExamQuestion]:
    """General questions, ours unless another file is named; their ids and documents mean nothing to the run."""
    return list(_read(path, "qagen.exams.general", None, "general"))


def _read(path: Path, setting: str, documents: Collection[str] | None, prefix: str) -> Collection[ExamQuestion]:
    if not path.is_file():
        raise UsageError(f"{setting} names {path}, which is no file; give the path of a JSONL or CSV file, relative to the YAML file")
    if path.suffix.casefold() not in _KINDS:
        raise UsageError(f"{setting} names {path}; an exam is a {', '.join(_KINDS)} file")
    rows = list(read_file(path))
    read: Read = _table(rows) if path.suffix.casefold() in _TABLES else dict
    questions: dict[str, ExamQuestion] = {}
    for row in rows:
        where = f"{path}, {row.place}"
        if isinstance(row, Fault):
            raise UsageError(f"{where}: {row.detail}")
        question = _question(row.data, read, where, documents, prefix)
        if question.id in questions:
            raise UsageError(f"{where}: the id {question.id!r} is there twice; give each question its own")
        questions[question.id] = question
    if not questions:
        raise UsageError(f"{setting} names {path}, which holds no question")
    return questions.values()


def _question(given: Mapping[str, Any], read: Read, where: str, documents: Collection[str] | None, prefix: str) -> ExamQuestion:
    try:
        line = _Line.model_validate(read(given))
    except ValidationError as error:
        raise UsageError(f"{where}: {_sentence(error.errors()[0])}") from error
    except NoSuchOptionError as error:
        raise UsageError(f"{where}: {error}") from error
    if line.document and documents is not None and line.document not in documents:
        near = nearest(line.document, documents)
        raise UsageError(f"{where}: the document {line.document!r} is not in this run; the nearest are {near}")
    correct = line.correct if isinstance(line.correct, int) else None
    answer = line.options[correct] if correct is not None else line.answer
    return ExamQuestion(
        id=line.id or f"{prefix}-{sha256_text(line.question)[:12]}",
        document_id="" if documents is None else line.document,
        question=line.question,
        answer=answer,
        options=tuple(line.options),
        correct=correct,
        evidence=line.evidence or (line.answer if answer != line.answer else ""),
        answerable=line.answerable,
        licence=line.licence,
    )


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"there is no field {where!r}; the nearest are {nearest(where, _Line.model_fields)}"
    return f"{where}: {error['msg']}" if where else str(error["msg"])


# ---- tables


def _table(rows: Sequence[Row | Fault]) -> Read:
    """How a row of a table is read, by the names of its columns; the right option is named as all its rows can be understood."""
    data = [_parsed(row.data) for row in rows if isinstance(row, Row)]
    columns = list(data[0]) if data else []
    roles: tuple[Role, ...] = ("question", "answer", "key")
    asked, said, key = (named(columns, SPELLINGS[role]) for role in roles)
    choice = choice_of(data, key, said, given=False)
    said = None if choice and said in choice.columns else said

    def read(row: Mapping[str, Any]) -> dict[str, Any]:
        cells = _parsed(row)
        line = {name: cells[column] for name, words in _COLUMNS.items() if (column := named(columns, words)) and cells[column]}
        line |= {"question": cells.get(asked or "", ""), "answer": cells.get(said or "", "")}
        if "answerable" in line:
            line["answerable"] = _YES.get(line["answerable"].casefold(), line["answerable"])
        if choice and (options := choice.options(cells)):
            right, _ = choice.resolve(options, cells)
            line |= {"options": list(options), "correct": right}
            line["answer"] = right if choice.key == said or not line["answer"] else line["answer"]
        return line

    return read


def _parsed(row: Mapping[str, Any]) -> dict[str, Any]:
    """Cells without the space around them; one that holds a list in JSON is that list."""
    return {name: _list(cell.strip()) for name, cell in row.items()}


def _list(cell: str) -> Any:
    if not (cell.startswith("[") and cell.endswith("]")):
        return cell
    try:
        return json.loads(cell)
    except json.JSONDecodeError:
        return cell


def halves(expert: Sequence[ExamQuestion], part_of: Mapping[str, Part]) -> tuple[list[ExamQuestion], list[ExamQuestion]]:
    """Expert questions on trained documents, and on held-out ones; those without a document are in neither."""
    trained = [question for question in expert if part_of.get(question.document_id) == "train"]
    held_out = [question for question in expert if part_of.get(question.document_id) in ("validation", *EXAMINED)]
    return trained, held_out
