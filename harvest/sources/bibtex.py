"""BibTeX files as lists of papers: title, authors and year as a person reads them, addresses as a server wants them.

bibtexparser parses; what it cannot parse is said with file and line. Addresses are not decoded like text: `\\_` and `\\%`
are undone, `~` and `%20` stay.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harvest.sources.eprint import eprint_of
from harvest.store import UsageError

_LARGEST = 50_000_000  # bytes
_ARXIV = "arxiv"
_DEEPEST = 100  # braces in one value


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a bibliography and the line on which it begins; what it does not have is empty."""

    key: str
    line: int
    title: str
    authors: tuple[str, ...]
    year: str
    urls: tuple[str, ...]
    doi: str
    eprint: str


def entries(path: Path) -> Iterator[Entry]:
    """The entries of a BibTeX file in their order. Raises `UsageError` naming file and line of what is no entry."""
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import DuplicateBlockKeyBlock, DuplicateFieldKeyBlock, ParsingFailedBlock
    from bibtexparser.model import Entry as Parsed

    if path.stat().st_size > _LARGEST:
        raise UsageError(f"{path} is larger than {_LARGEST // 1_000_000} MB; split it")
    with _quiet():
        blocks = parse_string(decoded(path)).blocks
    for block in blocks:
        line, found = (block.start_line or 0) + 1, block
        if isinstance(block, DuplicateBlockKeyBlock | DuplicateFieldKeyBlock):
            found = block.ignore_error_block or block  # two entries of one key are two entries; of two fields the first holds
        elif isinstance(block, ParsingFailedBlock):
            said = re.sub(r"\s+", " ", str(block.error or "")).strip() or "it does not end before the next one begins"
            raise UsageError(f"{path}, line {line}: this entry is not BibTeX ({said[:200]})")
        if isinstance(found, Parsed):
            bare = _bare if found is not block else str
            yield _entry(found.key, line, {field.key.lower(): bare(field.value) for field in reversed(found.fields)})


def decoded(path: Path) -> str:
    """The text of a list, UTF-8 with or without mark; `UsageError` naming the line that is something else."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}, line {line}: these bytes are not UTF-8; save the file as UTF-8") from error


def _entry(key: str, line: int, fields: dict[str, str]) -> Entry:
    doi = re.search(r"10\.\d{4,9}/\S+", _address(fields.get("doi", "")))
    urls = [word for name in ("pdf", "url", "howpublished", "note") for word in _urls(_address(fields.get(name, "")), name)]
    return Entry(
        key=key,
        line=line,
        title=_text(fields.get("title", "")),
        authors=tuple(_spoken(name) for name in _names(fields.get("author") or fields.get("editor", ""))),
        year=next(iter(re.findall(r"\d{4}", fields.get("year") or fields.get("date", ""))), ""),
        urls=tuple(dict.fromkeys(urls)),
        doi=doi[0].rstrip(".,;") if doi else "",
        eprint=_eprint(fields),
    )


def _bare(value: object) -> str:
    """A value without the quotes or braces around it, which the parser leaves on entries that it calls duplicates."""
    text = str(value)
    return text[1:-1] if text[:1] + text[-1:] in ('""', "{}") else text


def _eprint(fields: dict[str, str]) -> str:
    """The arXiv id of an entry; other archives use the same field."""
    archive = (fields.get("archiveprefix") or fields.get("eprinttype") or _ARXIV).strip().lower()
    name = fields.get("eprint", "").strip()
    old = f"{fields.get('primaryclass', '').strip()}/{name}"  # hep-ph and 9901001, as some databases split it
    return (eprint_of(name) or eprint_of(old)) if archive == _ARXIV else ""


def _urls(value: str, name: str) -> list[str]:
    r"""Addresses in a field: words that begin like one; in text only those inside \url{...} or \href{...}."""
    commands = re.findall(r"\\(?:url|href)\s*\{([^{}]*)\}", value)
    words = [] if name == "note" else re.split(r"[\s{}]+", re.sub(r"\\(?:url|href)\s*\{[^{}]*\}", " ", value))
    return [word for word in (*commands, *words) if re.match(r"https?://", word.strip(), re.IGNORECASE)]


def _address(text: str) -> str:
    """An address or DOI as it was before someone wrote it for LaTeX."""
    text = re.sub(r"\{?\\(?:textasciitilde|sim)\b\s*(?:\{\})?\}?|\\~\s*\{\s*\}|\$\\sim\$", "~", text)
    return re.sub(r"\\([_%&#$])", r"\1", text).strip()


def _names(value: str) -> list[str]:
    """Names between `and` outside braces (bibtexparser 2.1 loses the accent of a name that begins with one)."""
    names, depth = [""], 0
    for part in re.split(r"(\s+and\s+|[{}])", f" {value} ", flags=re.IGNORECASE):
        depth += (part == "{") - (part == "}")
        if depth == 0 and part.strip().lower() == "and":
            names.append("")
        else:
            names[-1] += part
    return [name.strip() for name in names if name.strip().lower() not in ("", "others")]


def _spoken(name: str) -> str:
    """A name in the order in which it is spoken."""
    from bibtexparser.middlewares.names import InvalidNameError, parse_single_name_into_parts

    try:
        parts = parse_single_name_into_parts(name)
    except InvalidNameError:  # more commas than a name has
        return _text(name)
    return _text(" ".join([*parts.first, *parts.von, *parts.last, *parts.jr]))


def _text(value: str) -> str:
    """LaTeX as a person reads it, mathematics left as it is."""
    from pylatexenc.latex2text import LatexNodes2Text

    if value.count("{") > _DEEPEST:  # nobody writes this; the parser calls itself for each of them
        value = value.replace("{", "").replace("}", "")
    read = LatexNodes2Text(math_mode="verbatim").latex_to_text(re.sub(r"(?<!\\)%", r"\\%", value))
    return re.sub(r"\s+", " ", read).strip()


@contextmanager
def _quiet() -> Iterator[None]:
    """The parser logs what it cannot parse, which we say ourselves."""
    log = logging.getLogger("bibtexparser.splitter")
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = False
