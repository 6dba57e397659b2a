"""The second view of a dataset: what may be passed on, by the licences of its documents.

A line is in it if its own licence and its document's are among those that may be published; an unknown licence never is.
The lab's own exam states no licence, so it stays at home, and so does the general one, which comes with qagen. A wrong option may be
the answer of another document: where that one may not be passed on, the question is asked openly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harvest.records import may_publish
from harvest.store import save_lines
from qagen.curate.seal import Seal, write_exams
from qagen.curate.unanswerable import pair_of
from qagen.own.ids import is_own
from qagen.records import ChunkLine, Example, ExamQuestion, Passage, QAPair, Restatement

PUBLISHED = "published"
_EXAMS = ("seen", "unseen", "later", "unanswerable")
Text = Passage | Restatement | ChunkLine


@dataclass(frozen=True, slots=True)
class View:
    """What is in the view, and how much of it; no counts where there is nothing."""

    chats: Mapping[str, Sequence[Example]]
    texts: Mapping[str, Sequence[Text]]
    exams: Mapping[str, Sequence[ExamQuestion]]

    @property
    def files(self) -> dict[str, Sequence[Example] | Sequence[Text]]:
        """The lines of each file but the exams'."""
        return {**self.chats, **self.texts}

    @property
    def counts(self) -> dict[str, int]:
        """Lines by file, without empty ones."""
        exams = {f"exam {name}": len(held) for name, held in self.exams.items() if held}
        return {name: len(held) for name, held in self.files.items() if held} | exams


def published(
    chats: Mapping[str, Sequence[Example]],
    texts: Mapping[str, Sequence[Text]],
    exams: Mapping[str, Sequence[ExamQuestion]],
    pairs: Iterable[QAPair],
    documents: Collection[str],
    publish: Sequence[str],
) -> View:
    """The part of a dataset that rests on `documents` and whose own licences match the patterns of `publish`.

    A lab's own pairs rest on no document; their own licence alone decides.
    """
    pairs = list(pairs)
    shown = [pair for pair in pairs if _is_open(pair, documents, publish)]
    ids = {pair.id for pair in shown}
    closed = _texts(pair for pair in pairs if pair.id not in ids) - _texts(shown)
    open_chats = {
        name: [chat for chat in held if chat.pair_id in ids and may_publish(chat.licence, publish)] for name, held in chats.items()
    }
    open_texts = {
        name: [one for one in held if one.document_id in documents and may_publish(one.licence, publish)] for name, held in texts.items()
    }
    asked = {name: [_openly(question, closed) for question in exams.get(name, ()) if pair_of(question) in ids] for name in _EXAMS}
    return View(open_chats, open_texts, asked)


def _is_open(pair: QAPair, documents: Collection[str], publish: Sequence[str]) -> bool:
    """Whether all documents that a pair rests on may be passed on; of a lab's own its licence decides."""
    if is_own(pair.document_id):
        return may_publish(pair.licence, publish)
    return {pair.document_id, *(span.document_id or pair.document_id for span in pair.evidence)} <= set(documents)


def write_view(folder: Path, view: View, *, seed: int | None = None) -> dict[str, Seal]:
    """Write the view, its exams sealed like the others; nothing at all where it is empty."""
    if not view.counts:
        return {}
    for name, held in view.files.items():
        if held:  # an empty file opens nowhere
            save_lines(folder / f"{name}.jsonl", held)
    return write_exams(folder / "exams", view.exams, seed=seed)


def _texts(pairs: Iterable[QAPair]) -> set[str]:
    return {text for pair in pairs for text in (pair.answer, *pair.distractors)}


def _openly(question: ExamQuestion, closed: set[str]) -> ExamQuestion:
    """Without options, if any of them is said by nothing but what may not be passed on."""
    return question if closed.isdisjoint(question.options) else replace(question, options=(), correct=None)
