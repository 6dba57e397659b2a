"""One question to base and tuned model, and beside their answers what retrieval finds in the documents."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from flows.child import run_train
from flows.field_run import FieldRun, newest_model, open_run
from flows.model_run import plan
from flows.wrapping import harmless, wrapped
from harvest.store import FieldsmithError, UsageError, load
from train.prove.answers import Answer


def ask(field: str, question: str) -> str:
    """Put a question to the newest model of a field and to its base; returns what a terminal shows."""
    if not question.strip():
        raise UsageError("the question is empty")
    run = open_run(field)
    answered = put(run, newest_model(run), question)
    return shown(answered, shutil.get_terminal_size((80, 24)).columns, searched=_searched(run))


def put(run: FieldRun, out: Path, question: str) -> Answer:
    """Ask in a child process, as training and examining happen in one."""
    run_train(plan(run, "answer", out, questions=[question]), out)
    answers = load(out / "answers.json", list[Answer])
    if len(answers) != 1 or answers[0].question != question:
        raise FieldsmithError(f"{out / 'answers.json'} holds other answers than asked for: another process asks this model too; ask again")
    return answers[0]


def _searched(run: FieldRun) -> bool:
    """Whether there was anything to search, so that nothing found is not taken for nothing there."""
    return run.config.prove.retrieval is not None and plan(run, "answer", Path())["passages"] is not None


# ---- on a terminal


def shown(answered: Answer, width: int, *, searched: bool = True) -> str:
    """Three blocks of lines of at most `width` columns: base, tuned, passages."""
    blocks = [
        ["base", *_said(answered.base, width)],
        ["tuned", *_said(answered.tuned, width)],
        ["passages that retrieval finds", *_passages(answered, width, searched)],
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks)


def _said(text: str, width: int) -> list[str]:
    return list(wrapped(text, width)) or ["  (nothing)"]


def _passages(answered: Answer, width: int, searched: bool) -> Iterator[str]:
    if not answered.passages:
        yield from wrapped("none" if searched else "not searched: there are no dataset/chunks.jsonl, or prove.retrieval is off", width)
    for number, passage in enumerate(answered.passages, 1):
        if number > 1:
            yield ""
        place = ", ".join(part for part in (_line(passage.title), _line(passage.section)) if part)
        yield from wrapped(
            f"{number}. {place} [{_line(passage.document_id)}]" if place else f"{number}. [{_line(passage.document_id)}]", width
        )
        yield from wrapped(passage.text, width, "     ")


def _line(text: str) -> str:
    return " ".join(harmless(text).split())
