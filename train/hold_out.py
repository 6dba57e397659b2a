"""Some of anyone's pairs as an exam, for those who have no other: sealed before training, and asked of nobody in training.

Whole groups of equal questions are held out (equal but for case, width of signs, blanks and punctuation), and every chat that asks a
held-out question in any of its turns stays out of the training data too. What asks the same in other words is not found: for that,
build a dataset with qagen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harvest.store import FieldsmithError, save, save_lines, sha256_file, sha256_text
from train.data import read_conversations
from train.layouts import Conversation
from train.records import ExamItem

EXAM = "held_out"
FEWEST = 2
"""Questions of the smallest exam: fewer have no interval."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Where what is trained on and the folder of the exam lie; how many questions are asked, and how many more chats were kept out."""

    train: Path
    exams: Path
    questions: int
    kept_out: int


def hold_out(pairs: Path, folder: Path, *, share: float, seed: int) -> HeldOut:
    """Divide the pairs of a file or folder of files into `folder/exams/held_out.jsonl`, sealed, and `folder/train.jsonl`.

    Which questions are drawn follows from `seed` and the questions alone. Errors: `FieldsmithError` where there are too few.
    """
    chats = read_conversations(pairs)
    items = _draw(chats, share, seed, pairs)
    held = {plain(item.question) for item in items}
    learnt = [chat for chat in chats if held.isdisjoint(asked(chat))]
    if not learnt:
        raise FieldsmithError(f"{pairs} leaves nothing to train on once {len(items)} questions are held out: hold fewer out")
    exam = folder / "exams" / f"{EXAM}.jsonl"
    (folder / "exams" / "seal.json").unlink(missing_ok=True)
    save_lines(exam, items)
    save(folder / "exams" / "seal.json", {EXAM: {"sha256": sha256_file(exam), "n": len(items), "seed": seed}})
    save_lines(folder / "train.jsonl", ({"messages": [turn.model_dump() for turn in chat.turns], "pair_id": chat.name} for chat in learnt))
    return HeldOut(folder / "train.jsonl", folder / "exams", len(items), len(chats) - len(learnt) - len(items))


def check_apart(exams: Path, data: Path) -> None:
    """`FieldsmithError` where other training data asks a held-out question."""
    from train.prove.exam import read_exam

    held = {plain(item.question): item.question for item in read_exam(exams / f"{EXAM}.jsonl")}
    for chat in read_conversations(data):
        for question in asked(chat):
            if question in held:
                raise FieldsmithError(
                    f"{data} asks what is held out ({held[question]!r}, in {chat.name}): take it out, or hold nothing out"
                )


def asked(chat: Conversation) -> set[str]:
    """What a chat asks, in the form in which equal questions are equal."""
    return {plain(turn.content) for turn in chat.turns if turn.role == "user"}


def plain(question: str) -> str:
    """A question without what does not tell it from another: case, width, blanks, sentence marks and quotes."""
    text = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(re.sub(r"[.,;:!?。、，；：！？\"'“”‘’«»()]", " ", text).split()) or text.strip()


def _draw(chats: Sequence[Conversation], share: float, seed: int, pairs: Path) -> list[ExamItem]:
    groups: dict[str, Conversation] = {}
    for chat in chats:
        if _is_a_pair(chat):
            groups.setdefault(plain(chat.turns[0].content), chat)
    wanted = max(FEWEST, round(share * len(groups)))
    if len(groups) <= wanted:
        raise FieldsmithError(
            f"{pairs} has {len(groups)} different questions with one answer, of which {wanted} would be held out: "
            "give more pairs, or hold nothing out"
        )
    drawn = sorted(groups, key=lambda question: sha256_text(f"{seed} {question}"))[:wanted]
    return _items(groups[question] for question in drawn)


def _is_a_pair(chat: Conversation) -> bool:
    return [turn.role for turn in chat.turns] == ["user", "assistant"]


def _items(chats: Iterable[Conversation]) -> list[ExamItem]:
    return [ExamItem(chat.name, chat.turns[0].content, chat.turns[1].content) for chat in chats]
