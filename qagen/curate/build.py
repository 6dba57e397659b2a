"""Pairs -> the files of `dataset/`, in the order in which they must come to be."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harvest.records import Rejection, may_publish
from harvest.store import FieldsmithError, UsageError, save_lines
from qagen.checks.conflicts import Conflict, find_conflicts
from qagen.config import QAGenConfig
from qagen.curate.borderline import settle_borderline
from qagen.curate.cards import Cards
from qagen.curate.dataset import examples, for_part
from qagen.curate.decontaminate import assert_no_leaks, decontaminate
from qagen.curate.dedup import DedupResult, Dropped, deduplicate
from qagen.curate.examine import all_exams
from qagen.curate.exams import untouched
from qagen.curate.making import making_of
from qagen.curate.parquet import write_parquet
from qagen.curate.plan import Plan
from qagen.curate.publish import PUBLISHED, published, write_view
from qagen.curate.seal import write_exams
from qagen.curate.texts import CHUNKS, Texts, texts_of
from qagen.desk import Desk
from qagen.own.ids import file_stem, is_own
from qagen.own.pairs import load_pairs
from qagen.records import EXAMINED, Example, Part, QAPair
from qagen.teacher.protocol import Stopped

_PARTS: tuple[Part, ...] = ("train", "validation")
TRAINED_ON = (
    *("train.jsonl", "validation.jsonl", "corpus.jsonl", "validation_corpus.jsonl", "restatements.jsonl"),
    *("parquet/train.parquet", "parquet/validation.parquet"),
)
"""What is trained on and watched, of the dataset and of the view that may be passed on."""
CONFLICTS = "conflicts.jsonl"
BESIDE = (CONFLICTS, f"{CHUNKS}.jsonl")
"""What is not trained on: pairs that contradict each other, and the chunks of all documents."""


def build(plan: Plan, pairs: Sequence[QAPair], *, settings: Mapping[str, Any], publish: Sequence[str]) -> dict[str, Any]:
    """Write everything under `run/dataset` but the split, and return the counts.

    The exams are written and sealed first. What may be passed on, by the licences and patterns of `publish`, is written
    a second time, to `run/dataset/published`. Raises `FieldsmithError` and leaves nothing to train on where nothing is left
    of the pairs or the files leak into the exams.
    """
    _clear(plan)
    learnt, asked, dropped = _without_copies(plan, pairs)
    exams = all_exams(plan, learnt, asked)
    seals = write_exams(plan.folder / "exams", exams, seed=plan.seed)
    learnt = untouched(learnt, [*exams["seen"], *exams["unanswerable"]])
    clean, rejected = decontaminate(
        learnt, exams, plan.sentences, threshold=plan.config.near_duplicate, foreign=_foreign(plan.config), embed=plan.embed
    )
    chats: dict[str, list[Example]] = {part: examples(for_part(clean, plan.part_of, part)) for part in _PARTS}
    texts = texts_of(plan, exams)
    conflicts = _conflicts(plan, clean)
    _write_rejections(plan.run / "rejected", pairs, dropped, rejected, texts)
    _write_training(plan, chats, texts, clean, len(pairs))
    _look_for_leaks(plan)
    open_ = {name for name, paper in plan.papers.items() if may_publish(paper.licence, publish)}
    view = published(chats, texts.files, exams, pairs, open_, publish)
    view_seals = write_view(plan.folder / PUBLISHED, view, seed=plan.seed)
    _write_tables(plan, plan.folder / PUBLISHED, view.chats, clean)
    counts: dict[str, Any] = {
        "documents": dict(Counter(entry.part for entry in plan.documents)),
        "own groups": dict(Counter(entry.part for entry in plan.split if is_own(entry.document_id))),
        "pairs": dict(Counter(plan.part_of[pair.document_id] for pair in pairs)),
        "dropped": dict(Counter(item.reason for item in dropped)),
        "rejections": dict(Counter(item.reason for item in [*rejected, *texts.rejected])),
        "conflicts": {"values": len(conflicts)} if conflicts else {},
        "examples": {part: len(held) for part, held in chats.items()},
        "passages": texts.counts,
        "exams": {name: seal.n for name, seal in seals.items()},
        "published": view.counts,
    }
    making = making_of(plan.config, plan.run, pairs, conflicts=len(conflicts))
    cards = Cards(plan.folder, (*TRAINED_ON, *BESIDE), settings, counts, plan.split, pairs, plan.papers, making, open_, publish)
    cards.write(chats, seals, view, view_seals)
    return counts


def _clear(plan: Plan) -> None:
    """Take away what an earlier dataset left, and what a crash in the middle of an atomic write leaves behind."""
    torn = [path for folder in ("dataset", "rejected/dedup", "rejected/decontaminate") for path in (plan.run / folder).rglob(".*.tmp")]
    _remove([*(plan.folder / name for name in (*TRAINED_ON, *BESIDE)), *torn])
    if (plan.folder / PUBLISHED).exists():
        shutil.rmtree(plan.folder / PUBLISHED)


def _without_copies(plan: Plan, pairs: Sequence[QAPair]) -> tuple[list[QAPair], list[QAPair], list[Dropped]]:
    """Pairs to learn from, pairs to examine with, and the copies: looked for on each side, for the exam's are not train's."""
    sides: dict[bool, list[QAPair]] = {True: [], False: []}
    for pair in pairs:
        sides[plan.part_of[pair.document_id] in EXAMINED].append(pair)
    found = {side: deduplicate(held, threshold=plan.config.near_duplicate, embed=plan.embed) for side, held in sides.items()}
    if plan.config.borderline == "ask" and any(result.borderline for result in found.values()):
        found = asyncio.run(_settled(plan, found))
    return list(found[False].kept), list(found[True].kept), [*found[False].dropped, *found[True].dropped]


async def _settled(plan: Plan, found: Mapping[bool, DedupResult]) -> dict[bool, DedupResult]:
    """The results with what the teacher says of the doubtful; raises `FieldsmithError` where it cannot be asked."""
    async with Desk(plan.config, plan.run) as desk:
        ask = desk.file("_borderline").ask("teacher")
        try:
            return {side: await settle_borderline(result, ask, prompts=plan.config.prompts) for side, result in found.items()}
        except Stopped as stopped:
            raise FieldsmithError(f"{stopped}; the dataset was not made, since questions that may be one are not settled") from stopped


def _foreign(config: QAGenConfig) -> dict[str, list[QAPair]]:
    """The questions of files that must not be trained on; raises `UsageError` where one is not there."""
    for path in config.decontaminate.files:
        if not path.exists():
            raise UsageError(f"{path}, named under qagen.decontaminate.files, does not exist")
    return {path.name: list(load_pairs(path)) for path in config.decontaminate.files}


def _conflicts(plan: Plan, pairs: Sequence[QAPair]) -> list[Conflict]:
    """Pairs that contradict each other stay, for nobody here knows which is right; the file says which they are."""
    found = find_conflicts((pair for pair in pairs if not is_own(pair.document_id)), plan.papers)
    if found:
        save_lines(plan.folder / CONFLICTS, found)
    return found


# ---- writing


def _write_rejections(
    folder: Path, pairs: Sequence[QAPair], dropped: Sequence[Dropped], rejected: Sequence[Rejection], texts: Texts
) -> None:
    document_of = {**{pair.id: pair.document_id for pair in pairs}, **texts.document_of}
    copies = [Rejection(item.pair.id, "dedup", item.reason, f"asks what {item.twin.id} asks", item.score) for item in dropped]
    stages: dict[str, list[Rejection]] = {"dedup": copies, "decontaminate": [*rejected, *texts.rejected]}
    for stage, items in stages.items():
        held: dict[str, list[Rejection]] = defaultdict(list)
        for item in items:
            held[f"{file_stem(document_of[item.id])}.jsonl"].append(item)
        for name, of_document in held.items():
            of_document.sort(key=lambda rejection: rejection.id)
            save_lines(folder / stage / name, of_document)
        _remove(path for path in sorted((folder / stage).glob("*.jsonl")) if path.name not in held)


def _write_training(plan: Plan, chats: Mapping[str, Sequence[Example]], texts: Texts, pairs: Iterable[QAPair], made: int) -> None:
    if not chats["train"]:
        raise FieldsmithError(
            f"of {made} question-answer pairs none is left to train on; see the reasons in {plan.run / 'rejected'} "
            "and give the run more documents, or exams with fewer questions"
        )
    for name, records in {**chats, **texts.files}.items():
        if records:  # an empty file opens nowhere
            save_lines(plan.folder / f"{name}.jsonl", records)
    _write_tables(plan, plan.folder, chats, pairs)


def _write_tables(plan: Plan, folder: Path, chats: Mapping[str, Sequence[Example]], pairs: Iterable[QAPair]) -> None:
    by_id = {pair.id: pair for pair in pairs}
    for part in _PARTS:
        if chats.get(part):
            write_parquet(folder / "parquet" / f"{part}.parquet", chats[part], by_id, plan.title, plan.sentences)


def _look_for_leaks(plan: Plan) -> None:
    try:
        assert_no_leaks(plan.folder, plan.held_out(), threshold=plan.config.near_duplicate, near_copy=plan.config.split.near_copy)
    except FieldsmithError:
        _remove(plan.folder / name for name in (*TRAINED_ON, *BESIDE))
        raise


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
