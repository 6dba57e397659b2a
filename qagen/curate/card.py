"""The dataset card: what is in the dataset, from where, by whom, under which licences, and what it is not good for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harvest.records import Paper
from qagen.curate.exams import Seal

_AUTHORS = 10  # that a line of the card names


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A document as the card lists it, with what its licence may ask to be named."""

    id: str
    paper: Paper
    part: str


@dataclass(frozen=True, slots=True)
class Card:
    """What the card tells; `closed` are the ids of documents that may not be passed on, `view` what is in published/."""

    settings: Mapping[str, object]
    counts: Mapping[str, Mapping[str, int]]
    documents: tuple[SourceLine, ...]
    closed: frozenset[str]
    view: str
    teachers: tuple[str, ...]
    prompts: tuple[str, ...]
    languages: tuple[str, ...]
    exams: Mapping[str, Seal]
    files: tuple[str, ...]


def write_card(card: Card) -> str:
    """The card in Markdown with the front matter that Hugging Face reads; the same words for the same dataset."""
    parts = [_front(card), "# A question-answer dataset made by fieldsmith\n", _publishing(card), _table("What is in it", card.counts)]
    parts += [_sources(card), _making(card), _exams(card), _LIMITS]
    return "\n".join(parts)


def _front(card: Card) -> str:
    configs = "".join(
        f"- config_name: {name.partition('.')[0]}\n  data_files: {name}\n" for name in card.files if name != "validation.jsonl"
    )
    if "validation.jsonl" in card.files:
        split = "  data_files:\n  - split: train\n    path: train.jsonl\n  - split: validation\n    path: validation.jsonl\n"
        configs = configs.replace("  data_files: train.jsonl\n", split)
    exams = "".join(
        f"- config_name: exam_{name}\n  data_files:\n  - split: test\n    path: exams/{name}.jsonl\n" for name in sorted(card.exams)
    )
    languages = "".join(f"- {language}\n" for language in card.languages)
    return f"---\nlanguage:\n{languages}tags:\n- question-answering\n- fieldsmith\nconfigs:\n{configs}{exams}---\n"


def _publishing(card: Card) -> str:
    if not card.closed:
        return f"**Licences:** every source may be passed on; name the authors as their licences ask.{_share_alike(card)}\n"
    closed: dict[str, list[str]] = {}
    for line in card.documents:
        if line.id in card.closed:
            closed.setdefault(line.paper.licence, []).append(line.id)
    listed = "".join(f"- `{licence}`: {', '.join(ids)}\n" for licence, ids in sorted(closed.items()))
    said = "**Not publishable as it is.** These documents do not allow anyone to pass on what is made of them:"
    return f"{said}\n\n{listed}\n{card.view}\n"


def _share_alike(card: Card) -> str:
    alike = sorted({line.paper.licence for line in card.documents if "-SA-" in line.paper.licence})
    return f" What is made of sources under {_listed(alike)} may be passed on under the same licence only." if alike else ""


def _table(title: str, counts: Mapping[str, Mapping[str, int]]) -> str:
    rows = "".join(f"| {what} | {name} | {n} |\n" for what, held in counts.items() for name, n in sorted(held.items()))
    return f"## {title}\n\n| what | which | number |\n| --- | --- | ---: |\n{rows}"


def _sources(card: Card) -> str:
    rows = "".join(_row(line) for line in card.documents)
    head = "| document | title | authors | address | source | licence | part |\n| --- | --- | --- | --- | --- | --- | --- |\n"
    return f"## Sources\n\n{head}{rows}"


def _row(line: SourceLine) -> str:
    paper = line.paper
    authors = ", ".join(paper.authors[:_AUTHORS]) + (" and others" if len(paper.authors) > _AUTHORS else "")
    address = f"https://doi.org/{paper.doi}" if paper.doi else next(iter(paper.urls), "")
    cells = (line.id, paper.title, authors, address, paper.source, paper.licence, line.part)
    return f"| {' | '.join(map(_cell, cells))} |\n"


def _making(card: Card) -> str:
    lines = [f"- Teacher: {_listed(card.teachers)}", f"- Prompts (SHA-256): {_listed(card.prompts)}"]
    lines += [f"- {name}: `{json.dumps(value, ensure_ascii=False, sort_keys=True)}`" for name, value in sorted(card.settings.items())]
    return "## How it was made\n\n" + "\n".join(lines) + "\n"


def _exams(card: Card) -> str:
    rows = "".join(f"| {name} | {seal.n} | `{seal.sha256}` |\n" for name, seal in sorted(card.exams.items()))
    return (
        "## Exams\n\nSealed before any training data was written; none of their questions, nor one near to it, is trained on.\n\n"
        f"| exam | questions | SHA-256 |\n| --- | ---: | --- |\n{rows}"
    )


_LIMITS = """## Limits

Questions and answers were written by a model. Each answer is found in a sentence of its source, which does not make the
source right, nor the sentence understood. Near-copies are found by words, numbers and names: a question asked in wholly
other words is not seen as one. The corpus holds the text of the trained documents, of copies only the longest.
"""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
