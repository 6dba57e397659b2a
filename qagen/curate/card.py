"""The dataset card: what is in the dataset, from where, by whom, under which licences, and what it is not good for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qagen.curate.exams import Seal

_OPEN = ("CC0-1.0", "PDDL-1.0", "Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Unlicense")


@dataclass(frozen=True, slots=True)
class Card:
    """What the card tells; `licences` are ids of documents by licence, `documents` (id, title, source, part)."""

    settings: Mapping[str, object]
    counts: Mapping[str, Mapping[str, int]]
    licences: Mapping[str, tuple[str, ...]]
    documents: tuple[tuple[str, str, str, str], ...]
    teachers: tuple[str, ...]
    prompts: tuple[str, ...]
    languages: tuple[str, ...]
    exams: Mapping[str, Seal]
    files: tuple[str, ...]


def may_be_passed_on(licence: str) -> bool:
    """Whether text under this SPDX id, and what is made of it, may be published by anyone: not so for ND, NC or unknown terms."""
    return licence in _OPEN or licence.startswith(("CC-BY-SA-", "CC-BY-1", "CC-BY-2", "CC-BY-3", "CC-BY-4"))


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
    closed = {licence: ids for licence, ids in card.licences.items() if not may_be_passed_on(licence)}
    if not closed:
        return "**Licences:** every source may be passed on; name the authors as their licences ask.\n"
    listed = "".join(f"- `{licence}`: {', '.join(ids)}\n" for licence, ids in sorted(closed.items()))
    return f"**Not publishable as it is.** These documents do not allow anyone to pass on what is made of them:\n\n{listed}"


def _table(title: str, counts: Mapping[str, Mapping[str, int]]) -> str:
    rows = "".join(f"| {what} | {name} | {n} |\n" for what, held in counts.items() for name, n in sorted(held.items()))
    return f"## {title}\n\n| what | which | number |\n| --- | --- | ---: |\n{rows}"


def _sources(card: Card) -> str:
    licence_of = {document: licence for licence, ids in card.licences.items() for document in ids}
    rows = (
        f"| {_cell(name)} | {_cell(title)} | {_cell(source)} | {licence_of[name]} | {part} |\n"
        for name, title, source, part in card.documents
    )
    return "## Sources\n\n| document | title | source | licence | part |\n| --- | --- | --- | --- | --- |\n" + "".join(rows)


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
