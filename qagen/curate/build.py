"""Pairs -> the files of `dataset/`, in the order in which they must come to be."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harvest.records import Document, Rejection, may_publish
from harvest.store import FieldsmithError, safe_name, save_lines, write_text
from qagen.config import QAGenConfig
from qagen.curate.card import Card, SourceLine, write_card
from qagen.curate.dataset import corpus, examples, representatives
from qagen.curate.decontaminate import assert_no_leaks, decontaminate, held_out_grams
from qagen.curate.dedup import Dropped, deduplicate
from qagen.curate.exams import Seal, draw_exam, halves, read_expert, write_exams
from qagen.curate.publish import PUBLISHED, published, write_view
from qagen.records import Example, ExamQuestion, Part, Passage, QAPair, SplitEntry

Read = Callable[[str], Document]
_TRAINED_ON = ("train.jsonl", "validation.jsonl", "corpus.jsonl")  # of the dataset and of the view that may be passed on


def build(
    config: QAGenConfig,
    run: Path,
    split: Sequence[SplitEntry],
    pairs: Sequence[QAPair],
    read: Read,
    *,
    settings: Mapping[str, Any],
    seed: int,
    publish: Sequence[str],
) -> dict[str, Any]:
    """Write everything under `run/dataset` but the split, and return the counts.

    The exams are written and sealed first. What may be passed on, by the licences and patterns of `publish`, is written
    a second time, to `run/dataset/published`. Raises `FieldsmithError` and leaves nothing to train on where nothing is left
    of the pairs or the files leak into the exams.
    """
    folder, part_of = run / "dataset", {entry.document_id: entry.part for entry in split}
    _remove([*(folder / name for name in _TRAINED_ON), *_half_written(run)])
    if (folder / PUBLISHED).exists():
        shutil.rmtree(folder / PUBLISHED)
    learnt, asked, dropped = _without_copies(pairs, part_of, config.near_duplicate)
    exams = _exams(config, learnt, asked, part_of, read, seed=seed)
    seals = write_exams(folder / "exams", exams)
    drawn = {question.id for question in exams["seen"]}
    learnt = [pair for pair in learnt if pair.id not in drawn]
    clean, rejected = decontaminate(learnt, exams, lambda pair: _sentences(pair, read), threshold=config.near_duplicate)
    chats = {part: examples(pair for pair in clean if part_of[pair.document_id] == part) for part in ("train", "validation")}
    passages, foreign = _corpus(config, split, read)
    _write_rejections(run / "rejected", pairs, dropped, rejected, foreign)
    _write_training(folder, chats, passages, len(pairs))
    _look_for_leaks(config, folder, split, read)
    open_ = {entry.document_id for entry in split if may_publish(read(entry.document_id).paper.licence, publish)}
    view = published(chats, passages, exams, pairs, open_, publish)
    view_seals = write_view(folder / PUBLISHED, view)
    counts: dict[str, Any] = {
        "documents": dict(Counter(part_of.values())),
        "pairs": dict(Counter(part_of[pair.document_id] for pair in pairs)),
        "dropped": dict(Counter(item.reason for item in dropped)),
        "rejections": dict(Counter(item.reason for item in [*rejected, *foreign])),
        "examples": {part: len(held) for part, held in chats.items()},
        "passages": {"corpus": len(passages)},
        "exams": {name: seal.n for name, seal in seals.items()},
        "published": view.counts,
    }
    write_text(folder / "README.md", write_card(_card(folder, counts, split, pairs, read, seals, settings, open_)))
    if view.counts:
        of_view = [entry for entry in split if entry.document_id in open_]
        written = [pair for pair in pairs if pair.document_id in open_]
        card = _card(folder / PUBLISHED, {"published": view.counts}, of_view, written, read, view_seals, settings, open_)
        write_text(folder / PUBLISHED / "README.md", write_card(card))
    return counts


def _without_copies(
    pairs: Sequence[QAPair], part_of: Mapping[str, Part], threshold: float
) -> tuple[list[QAPair], list[QAPair], list[Dropped]]:
    """Pairs to learn from, pairs to examine with, and the copies: looked for on each side, for the exam's are not train's."""
    unseen = deduplicate([pair for pair in pairs if part_of[pair.document_id] == "unseen"], threshold=threshold)
    others = deduplicate([pair for pair in pairs if part_of[pair.document_id] != "unseen"], threshold=threshold)
    return list(others.kept), list(unseen.kept), [*others.dropped, *unseen.dropped]


def _exams(
    config: QAGenConfig, learnt: Sequence[QAPair], asked: Sequence[QAPair], part_of: Mapping[str, Part], read: Read, *, seed: int
) -> dict[str, list[ExamQuestion]]:
    trained = [pair for pair in learnt if part_of[pair.document_id] == "train"]

    def evidence(pair: QAPair) -> str:
        return " … ".join(_sentences(pair, read))

    exams = {
        "seen": draw_exam(trained, min(config.exams.seen, len(trained) // 4), evidence, seed=seed),
        "unseen": draw_exam(asked, config.exams.unseen, evidence, seed=seed),
    }
    if config.exams.expert:
        expert = read_expert(config.exams.expert, part_of.keys())
        trained_half, held_out_half = halves(expert, part_of)
        exams |= {"expert": expert, "expert_trained": trained_half, "expert_held_out": held_out_half}
    return exams


def _sentences(pair: QAPair, read: Read) -> list[str]:
    text = read(pair.document_id).text
    return [" ".join(text[span.start : span.end].split()) for span in pair.evidence]


def _corpus(config: QAGenConfig, split: Sequence[SplitEntry], read: Read) -> tuple[list[Passage], list[Rejection]]:
    lengths = {entry.document_id: len(read(entry.document_id).text) for entry in split}
    texts = (read(name) for name in representatives(split, lengths))
    return corpus(texts, held_out_grams(_held_out(split, read)), config.split.near_copy)


def _held_out(split: Sequence[SplitEntry], read: Read) -> Iterator[Document]:
    return (read(entry.document_id) for entry in split if entry.part != "train")


def _write_rejections(
    folder: Path, pairs: Sequence[QAPair], dropped: Sequence[Dropped], rejected: Sequence[Rejection], foreign: Sequence[Rejection]
) -> None:
    document_of = {pair.id: pair.document_id for pair in pairs} | {item.id: item.id.rpartition("#")[0] for item in foreign}
    copies = [Rejection(item.pair.id, "dedup", item.reason, f"asks what {item.twin.id} asks", item.score) for item in dropped]
    stages: dict[str, list[Rejection]] = {"dedup": copies, "decontaminate": [*rejected, *foreign]}
    for stage, items in stages.items():
        held: dict[str, list[Rejection]] = defaultdict(list)
        for item in items:
            held[f"{safe_name(document_of[item.id])}.jsonl"].append(item)
        for name, of_document in held.items():
            of_document.sort(key=lambda rejection: rejection.id)
            save_lines(folder / stage / name, of_document)
        _remove(path for path in sorted((folder / stage).glob("*.jsonl")) if path.name not in held)


def _write_training(folder: Path, chats: Mapping[str, Sequence[Example]], passages: Sequence[Passage], made: int) -> None:
    if not chats["train"]:
        raise FieldsmithError(
            f"of {made} question-answer pairs none is left to train on; see the reasons in {folder.parent / 'rejected'} "
            "and give the run more documents, or exams with fewer questions"
        )
    for name, records in {"train": chats["train"], "validation": chats["validation"], "corpus": passages}.items():
        if records:  # an empty file opens nowhere
            save_lines(folder / f"{name}.jsonl", records)


def _look_for_leaks(config: QAGenConfig, folder: Path, split: Sequence[SplitEntry], read: Read) -> None:
    try:
        assert_no_leaks(folder, _held_out(split, read), threshold=config.near_duplicate, near_copy=config.split.near_copy)
    except FieldsmithError:
        _remove(folder / name for name in _TRAINED_ON)
        raise


def _card(
    folder: Path,
    counts: Mapping[str, Mapping[str, int]],
    split: Sequence[SplitEntry],
    pairs: Sequence[QAPair],
    read: Read,
    seals: Mapping[str, Seal],
    settings: Mapping[str, Any],
    open_: Collection[str],
) -> Card:
    closed = frozenset(entry.document_id for entry in split) - frozenset(open_)
    return Card(
        settings=settings,
        counts=counts,
        documents=tuple(SourceLine(entry.document_id, read(entry.document_id).paper, entry.part) for entry in split),
        closed=closed,
        view=f"The rest is in `{PUBLISHED}/`, with a card of its own." if (folder / PUBLISHED).exists() else "There is nothing else.",
        teachers=tuple(sorted({pair.teacher for pair in pairs})),
        prompts=tuple(sorted({pair.prompt for pair in pairs})),
        languages=tuple(sorted({pair.language for pair in pairs})),
        exams=seals,
        files=tuple(name for name in _TRAINED_ON if (folder / name).exists()),
    )


def _half_written(run: Path) -> list[Path]:
    """What a crash in the middle of an atomic write leaves behind."""
    return [path for folder in ("dataset", "rejected/dedup", "rejected/decontaminate") for path in (run / folder).rglob(".*.tmp")]


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
