"""Pairs -> the files of `dataset/`, in the order in which they must come to be."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harvest.embed import Embed, load_embedder
from harvest.records import Document, Paper, Rejection, may_publish
from harvest.store import FieldsmithError, UsageError, save_lines
from qagen.checks.conflicts import Conflict, find_conflicts
from qagen.config import QAGenConfig
from qagen.curate.borderline import settle_borderline
from qagen.curate.cards import Cards
from qagen.curate.dataset import corpus, examples, for_part, representatives
from qagen.curate.decontaminate import assert_no_leaks, decontaminate, held_out_grams
from qagen.curate.dedup import DedupResult, Dropped, deduplicate
from qagen.curate.exams import draw_exam, halves, read_expert, untouched, write_exams
from qagen.curate.making import making_of
from qagen.curate.parquet import write_parquet
from qagen.curate.publish import PUBLISHED, published, write_view
from qagen.desk import Desk
from qagen.own.ids import file_stem, is_own
from qagen.own.pairs import load_pairs
from qagen.records import Example, ExamQuestion, Part, Passage, QAPair, SplitEntry
from qagen.teacher.protocol import Stopped

Read = Callable[[str], Document]
_PARTS: tuple[Part, ...] = ("train", "validation")
TRAINED_ON = ("train.jsonl", "validation.jsonl", "corpus.jsonl", "parquet/train.parquet", "parquet/validation.parquet")
"""What is trained on, of the dataset and of the view that may be passed on."""
CONFLICTS = "conflicts.jsonl"


@dataclass(frozen=True)
class Plan:
    """What a dataset is made of: settings, run, the split of documents and own groups, and how a document is read."""

    config: QAGenConfig
    run: Path
    split: Sequence[SplitEntry]
    read: Read
    seed: int

    @property
    def folder(self) -> Path:
        """Where it goes."""
        return self.run / "dataset"

    @cached_property
    def part_of(self) -> dict[str, Part]:
        """The part of each document and own group."""
        return {entry.document_id: entry.part for entry in self.split}

    @cached_property
    def documents(self) -> list[SplitEntry]:
        """The entries that are documents."""
        return [entry for entry in self.split if not is_own(entry.document_id)]

    @cached_property
    def papers(self) -> dict[str, Paper]:
        """The papers of the documents."""
        return {entry.document_id: self.read(entry.document_id).paper for entry in self.documents}

    @cached_property
    def embed(self) -> Embed | None:
        """The sentence embeddings of the settings."""
        return load_embedder(self.config.embedder) if self.config.embedder else None

    def held_out(self) -> Iterator[Document]:
        """The documents that are not trained on."""
        return (self.read(entry.document_id) for entry in self.documents if entry.part != "train")

    def sentences(self, pair: QAPair) -> list[str]:
        """The evidence of a pair in words; own pairs have none."""
        texts = ((self.read(span.document_id or pair.document_id).text, span) for span in pair.evidence)
        return [" ".join(text[span.start : span.end].split()) for text, span in texts]

    def title(self, document: str) -> str:
        """Of a document; own pairs have none."""
        return "" if is_own(document) else self.papers[document].title


def build(plan: Plan, pairs: Sequence[QAPair], *, settings: Mapping[str, Any], publish: Sequence[str]) -> dict[str, Any]:
    """Write everything under `run/dataset` but the split, and return the counts.

    The exams are written and sealed first. What may be passed on, by the licences and patterns of `publish`, is written
    a second time, to `run/dataset/published`. Raises `FieldsmithError` and leaves nothing to train on where nothing is left
    of the pairs or the files leak into the exams.
    """
    _clear(plan)
    learnt, asked, dropped = _without_copies(plan, pairs)
    exams = _exams(plan, learnt, asked)
    seals = write_exams(plan.folder / "exams", exams)
    learnt = untouched(learnt, exams["seen"])
    clean, rejected = decontaminate(
        learnt, exams, plan.sentences, threshold=plan.config.near_duplicate, foreign=_foreign(plan.config), embed=plan.embed
    )
    chats: dict[str, list[Example]] = {part: examples(for_part(clean, plan.part_of, part)) for part in _PARTS}
    passages, foreign = _corpus(plan)
    conflicts = _conflicts(plan, clean)
    _write_rejections(plan.run / "rejected", pairs, dropped, rejected, foreign)
    _write_training(plan, chats, passages, clean, len(pairs))
    _look_for_leaks(plan)
    open_ = {name for name, paper in plan.papers.items() if may_publish(paper.licence, publish)}
    view = published(chats, passages, exams, pairs, open_, publish)
    view_seals = write_view(plan.folder / PUBLISHED, view)
    _write_tables(plan, plan.folder / PUBLISHED, view.chats, clean)
    counts: dict[str, Any] = {
        "documents": dict(Counter(entry.part for entry in plan.documents)),
        "own groups": dict(Counter(entry.part for entry in plan.split if is_own(entry.document_id))),
        "pairs": dict(Counter(plan.part_of[pair.document_id] for pair in pairs)),
        "dropped": dict(Counter(item.reason for item in dropped)),
        "rejections": dict(Counter(item.reason for item in [*rejected, *foreign])),
        "conflicts": {"values": len(conflicts)} if conflicts else {},
        "examples": {part: len(held) for part, held in chats.items()},
        "passages": {"corpus": len(passages)},
        "exams": {name: seal.n for name, seal in seals.items()},
        "published": view.counts,
    }
    making = making_of(plan.config, plan.run, pairs, conflicts=len(conflicts))
    cards = Cards(plan.folder, TRAINED_ON, settings, counts, plan.split, pairs, plan.papers, making, open_, publish)
    cards.write(chats, seals, view, view_seals)
    return counts


def _clear(plan: Plan) -> None:
    """Take away what an earlier dataset left, and what a crash in the middle of an atomic write leaves behind."""
    torn = [path for folder in ("dataset", "rejected/dedup", "rejected/decontaminate") for path in (plan.run / folder).rglob(".*.tmp")]
    _remove([*(plan.folder / name for name in (*TRAINED_ON, CONFLICTS)), *torn])
    if (plan.folder / PUBLISHED).exists():
        shutil.rmtree(plan.folder / PUBLISHED)


def _without_copies(plan: Plan, pairs: Sequence[QAPair]) -> tuple[list[QAPair], list[QAPair], list[Dropped]]:
    """Pairs to learn from, pairs to examine with, and the copies: looked for on each side, for the exam's are not train's."""
    sides: dict[bool, list[QAPair]] = {True: [], False: []}
    for pair in pairs:
        sides[plan.part_of[pair.document_id] == "unseen"].append(pair)
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


def _exams(plan: Plan, learnt: Sequence[QAPair], asked: Sequence[QAPair]) -> dict[str, list[ExamQuestion]]:
    wanted = plan.config.exams
    trained = [pair for pair in learnt if plan.part_of[pair.document_id] == "train"]

    def evidence(pair: QAPair) -> str:
        return " … ".join(plan.sentences(pair))

    exams = {
        "seen": draw_exam(trained, min(wanted.seen, len(trained) // 4), evidence, seed=plan.seed),
        "unseen": draw_exam(asked, wanted.unseen, evidence, seed=plan.seed),
    }
    if wanted.expert:
        expert = read_expert(wanted.expert, plan.part_of.keys())
        trained_half, held_out_half = halves(expert, plan.part_of)
        exams |= {"expert": expert, "expert_trained": trained_half, "expert_held_out": held_out_half}
    return exams


def _foreign(config: QAGenConfig) -> dict[str, list[QAPair]]:
    """The questions of files that must not be trained on; raises `UsageError` where one is not there."""
    for path in config.decontaminate.files:
        if not path.exists():
            raise UsageError(f"{path}, named under qagen.decontaminate.files, does not exist")
    return {path.name: list(load_pairs(path)) for path in config.decontaminate.files}


def _corpus(plan: Plan) -> tuple[list[Passage], list[Rejection]]:
    lengths = {entry.document_id: len(plan.read(entry.document_id).text) for entry in plan.documents}
    texts = (plan.read(name) for name in representatives(plan.documents, lengths))
    return corpus(texts, held_out_grams(plan.held_out()), plan.config.split.near_copy)


def _conflicts(plan: Plan, pairs: Sequence[QAPair]) -> list[Conflict]:
    """Pairs that contradict each other stay, for nobody here knows which is right; the file says which they are."""
    found = find_conflicts((pair for pair in pairs if not is_own(pair.document_id)), plan.papers)
    if found:
        save_lines(plan.folder / CONFLICTS, found)
    return found


# ---- writing


def _write_rejections(
    folder: Path, pairs: Sequence[QAPair], dropped: Sequence[Dropped], rejected: Sequence[Rejection], foreign: Sequence[Rejection]
) -> None:
    document_of = {pair.id: pair.document_id for pair in pairs} | {item.id: item.id.rpartition("#")[0] for item in foreign}
    copies = [Rejection(item.pair.id, "dedup", item.reason, f"asks what {item.twin.id} asks", item.score) for item in dropped]
    stages: dict[str, list[Rejection]] = {"dedup": copies, "decontaminate": [*rejected, *foreign]}
    for stage, items in stages.items():
        held: dict[str, list[Rejection]] = defaultdict(list)
        for item in items:
            held[f"{file_stem(document_of[item.id])}.jsonl"].append(item)
        for name, of_document in held.items():
            of_document.sort(key=lambda rejection: rejection.id)
            save_lines(folder / stage / name, of_document)
        _remove(path for path in sorted((folder / stage).glob("*.jsonl")) if path.name not in held)


def _write_training(
    plan: Plan, chats: Mapping[str, Sequence[Example]], passages: Sequence[Passage], pairs: Iterable[QAPair], made: int
) -> None:
    if not chats["train"]:
        raise FieldsmithError(
            f"of {made} question-answer pairs none is left to train on; see the reasons in {plan.run / 'rejected'} "
            "and give the run more documents, or exams with fewer questions"
        )
    for name, records in {"train": chats["train"], "validation": chats["validation"], "corpus": passages}.items():
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
        _remove(plan.folder / name for name in TRAINED_ON)
        raise


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
