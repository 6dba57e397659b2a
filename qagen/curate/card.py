"""The dataset card: what is in the dataset, from where, by whom, under which licences, and what it is not good for.

Every figure is counted from what is on disk; what was not looked at is said not to have been.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harvest.records import Paper
from qagen.curate.making import Making
from qagen.curate.seal import Seal
from qagen.own.ids import is_own, source_of
from qagen.records import Part, QAPair

_AUTHORS = 10  # that a line of the card names


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A document as the card lists it, with what its licence may ask to be named."""

    id: str
    paper: Paper
    part: str


@dataclass(frozen=True, slots=True)
class OwnLine:
    """A lab's own pairs as the card lists them: how many pairs in how many groups, and their licences."""

    name: str
    pairs: int
    groups: int
    licences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """What the card tells; `closed` are the ids of documents that may not be passed on, `view` what is in published/.

    `kinds` counts what is trained on by (part, kind, language); `closed_own` are the lab's own sources that may not be passed on.
    """

    settings: Mapping[str, object]
    counts: Mapping[str, Mapping[str, int]]
    documents: tuple[SourceLine, ...]
    closed: frozenset[str]
    view: str
    languages: tuple[str, ...]
    exams: Mapping[str, Seal]
    files: tuple[str, ...]
    own: tuple[OwnLine, ...] = ()
    closed_own: frozenset[str] = frozenset()
    kinds: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    making: Making = field(default_factory=Making)


# ---- what the card is made of


def kinds_of(pairs: Iterable[QAPair], part_of: Mapping[str, Part]) -> dict[tuple[str, str, str], int]:
    """How many pairs of each (part, kind, language)."""
    return dict(sorted(Counter((part_of[pair.document_id], pair.kind, pair.language) for pair in pairs).items()))


def own_lines(pairs: Iterable[QAPair]) -> tuple[OwnLine, ...]:
    """The lab's own sources among the pairs."""
    held: dict[str, list[QAPair]] = {}
    for pair in pairs:
        if is_own(pair.document_id):
            held.setdefault(source_of(pair.document_id), []).append(pair)
    return tuple(
        OwnLine(name, len(of), len({pair.document_id for pair in of}), tuple(sorted({pair.licence for pair in of})))
        for name, of in sorted(held.items())
    )


# ---- the text


def write_card(card: Card) -> str:
    """The card in Markdown with the front matter that Hugging Face reads; the same words for the same dataset."""
    parts = [_front(card), "# A question-answer dataset made by fieldsmith\n", _publishing(card), _table("What is in it", card.counts)]
    parts += [_files(card), _kinds(card), _sources(card), _making(card), _filters(card), _exams(card), _limits(card)]
    return "\n".join(filter(None, parts))


def _front(card: Card) -> str:
    """The configurations by which `datasets.load_dataset` opens the folder: chats by default, texts, exams.

    All are JSONL, for `datasets` reads all configurations of a folder by one format; the Parquet files have a folder of their own.
    """
    configs = _config("default", _splits(card.files, "jsonl"), default=True)
    texts = {"corpus": {"train": "corpus", "validation": "validation_corpus"}, "restatements": {"train": "restatements"},
             "chunks": {"all": "chunks"}}  # fmt: skip
    for name, splits in texts.items():
        configs += _config(name, [(split, f"{file}.jsonl") for split, file in splits.items() if f"{file}.jsonl" in card.files])
    configs += "".join(_config(f"exam_{name}", [("test", f"exams/{name}.jsonl")]) for name in sorted(card.exams))
    languages = "".join(f"- {language}\n" for language in card.languages)
    heads = [f"language:\n{languages}" if languages else "", f"license: {licence.lower()}\n" if (licence := _one_licence(card)) else ""]
    return f"---\n{''.join(heads)}tags:\n- question-answering\n- fieldsmith\nconfigs:\n{configs}---\n"


def _splits(files: Sequence[str], ending: str) -> list[tuple[str, str]]:
    return [(part, f"{part}.{ending}") for part in ("train", "validation") if f"{part}.{ending}" in files]


def _config(name: str, splits: Sequence[tuple[str, str]], *, default: bool = False) -> str:
    if not splits:
        return ""
    files = "".join(f"  - split: {split}\n    path: {path}\n" for split, path in splits)
    mark = "  default: true\n" if default else ""
    return f"- config_name: {name}\n{mark}  data_files:\n{files}"


def _one_licence(card: Card) -> str:
    """The licence of everything, where it is one that anybody may read the name of."""
    licences = {line.paper.licence for line in card.documents} | {licence for line in card.own for licence in line.licences}
    only = next(iter(licences)) if len(licences) == 1 else ""
    return "" if only.startswith("LicenseRef-") else only


def _publishing(card: Card) -> str:
    if not card.closed and not card.closed_own:
        return f"**Licences:** every source may be passed on; name the authors as their licences ask.{_share_alike(card)}\n"
    closed: dict[str, list[str]] = {}
    for line in card.documents:
        if line.id in card.closed:
            closed.setdefault(line.paper.licence, []).append(line.id)
    for own in card.own:
        if own.name in card.closed_own:
            closed.setdefault(" or ".join(own.licences), []).append(own.name)
    listed = "".join(f"- `{licence}`: {', '.join(ids)}\n" for licence, ids in sorted(closed.items()))
    said = "**Not publishable as it is.** These documents do not allow anyone to pass on what is made of them:"
    return f"{said}\n\n{listed}\n{card.view}\n"


def _share_alike(card: Card) -> str:
    licences = [*(line.paper.licence for line in card.documents), *(licence for line in card.own for licence in line.licences)]
    alike = sorted({licence for licence in licences if "-SA-" in licence})
    return f" What is made of sources under {_listed(alike)} may be passed on under the same licence only." if alike else ""


def _table(title: str, counts: Mapping[str, Mapping[str, int]]) -> str:
    rows = "".join(f"| {what} | {name} | {n} |\n" for what, held in counts.items() for name, n in sorted(held.items()))
    return f"## {title}\n\n| what | which | number |\n| --- | --- | ---: |\n{rows}"


_TOLD = {
    "parquet/train.parquet": "`load_dataset` on this folder opens the chats; on `parquet/` the same examples with kind, source, evidence, "
    "spans and scores.",
    "corpus.jsonl": "`corpus.jsonl` is the text of the trained documents, in pieces below their title and section.",
    "validation_corpus.jsonl": "`validation_corpus.jsonl` is that of the documents on which training is watched.",
    "restatements.jsonl": "`restatements.jsonl` says the trained documents again, in a teacher's words; numbers, units and names were held "
    "against the source by rule, nothing else was.",
    "chunks.jsonl": "`chunks.jsonl` is the text of all documents, **held-out ones too**, for retrieval to find. Do not train on it.",
}


def _files(card: Card) -> str:
    return "\n".join(f"- {said}" for name, said in _TOLD.items() if name in card.files) + "\n"


def _kinds(card: Card) -> str:
    rows = "".join(f"| {part} | {_cell(kind)} | {_cell(language)} | {n} |\n" for (part, kind, language), n in sorted(card.kinds.items()))
    return f"## Pairs by part, kind and language\n\n| part | kind | language | pairs |\n| --- | --- | --- | ---: |\n{rows}" if rows else ""


def _sources(card: Card) -> str:
    rows = "".join(_row(line) for line in card.documents)
    head = "| document | title | authors | address | source | licence | part |\n| --- | --- | --- | --- | --- | --- | --- |\n"
    own = "".join(f"| {line.name} | {line.pairs} | {line.groups} | {_cell(', '.join(line.licences))} |\n" for line in card.own)
    own_head = "| own pairs | pairs | groups | licence |\n| --- | ---: | ---: | --- |\n"
    tables = [f"{head}{rows}" if rows else "", f"{own_head}{own}" if own else ""]
    return "## Sources\n\n" + "\n".join(filter(None, tables))


def _row(line: SourceLine) -> str:
    paper = line.paper
    authors = ", ".join(paper.authors[:_AUTHORS]) + (" and others" if len(paper.authors) > _AUTHORS else "")
    address = f"https://doi.org/{paper.doi}" if paper.doi else next(iter(paper.urls), "")
    cells = (line.id, paper.title, authors, address, paper.source, paper.licence, line.part)
    return f"| {' | '.join(map(_cell, cells))} |\n"


def _making(card: Card) -> str:
    making = card.making
    named = sorted((name, print_) for print_, name in making.prompts.items())
    prompts = ", ".join(f"{name} `{print_}`".strip() for name, print_ in named)
    lines = [f"- Teacher: {_listed(making.teachers)}", f"- Judge: {_listed(filter(None, [making.judge]))}"]
    lines += [f"- Asked without the source, to mark what it answers: `{making.base}`"] if making.base else []
    lines += [f"- Prompts (SHA-256): {prompts or 'none'}"]
    lines += [f"- {name.replace('_', ' ')}: {value:,.10g}" for name, value in sorted(making.cost.items())]
    lines += [f"- {name}: `{json.dumps(value, ensure_ascii=False, sort_keys=True)}`" for name, value in sorted(card.settings.items())]
    return "## How it was made\n\n" + "\n".join(lines) + "\n"


def _filters(card: Card) -> str:
    rows = "".join(
        f"| {stage} | {_cell(reason)} | {n} |\n" for stage, held in sorted(card.making.rejections.items()) for reason, n in held.items()
    )
    lines = [f"| stage | reason | left out |\n| --- | --- | ---: |\n{rows}"] if rows else ["Nothing was left out.\n"]
    if card.making.conflicts is not None:
        lines.append(f"Pairs of different sources that disagree on a value: {card.making.conflicts}.\n")
    lines.append(f"Read by a person: {card.making.review or 'not reviewed'}.\n")
    return "## Filters\n\n" + "\n".join(lines)


_EXAMS = {
    "seen": "questions on trained documents that are not trained on",
    "unseen": "questions on held-out documents",
    "later": "questions on documents that appeared on the day of `split.later` or after it",
    "unanswerable": "questions that the sources leave open, and about things with invented names: the right answer is that it is not known",
    "expert": "the lab's own questions",
    "expert_trained": "those of them on trained documents",
    "expert_held_out": "those on held-out documents",
    "general": "general knowledge, to see what a model has forgotten",
}


def _exams(card: Card) -> str:
    rows = "".join(f"| {name} | {_EXAMS[name]} | {seal.n} | `{seal.sha256}` |\n" for name, seal in sorted(card.exams.items()))
    makers = sorted({f"version {seal.maker} of the exam maker, seed {seal.seed}" for seal in card.exams.values() if seal.maker})
    return (
        "## Exams\n\nSealed before any training data was written; none of their questions, nor one near to it, is trained on"
        f"{f' ({_said(makers)})' if makers else ''}. The options of the drawn ones are chosen so that the longest, the shortest, the "
        "largest number or the one most like the question is right as often as by chance; a question without such options is asked "
        "openly.\n\n"
        f"| exam | what | questions | SHA-256 |\n| --- | --- | ---: | --- |\n{rows}"
    )


def _said(parts: Iterable[str]) -> str:
    return "; ".join(parts)


def _limits(card: Card) -> str:
    said = []
    if card.documents:
        said.append(
            "Questions and answers on documents were written by a model. What an answer rests on is found in its source, which does not "
            "make the source right, nor the sentence understood. The corpus holds the text of the trained documents, of copies only the "
            "longest."
        )
    if card.own:
        said.append("A lab's own pairs are as the lab gave them: no source stands behind them here, and no answer was checked against one.")
    said.append("Near-copies are found by words, numbers and names: a question asked in wholly other words is not seen as one.")
    if not card.making.judge and card.documents:
        said.append("No model judged the pairs; what they were checked by is rules.")
    return "## Limits\n\n" + "\n\n".join(said) + "\n"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
