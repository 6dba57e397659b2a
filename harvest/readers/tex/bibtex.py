"""BibTeX databases and biblatex's own .bbl files: the entries that are cited, one readable line each.

Only what is cited is parsed, in a time linear in the file, so that a database of a whole field costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from harvest.readers.tex.wordlists import pairs

_ENTRY = re.compile(r"@\s*(\w+)\s*[{(]\s*([^\s,{}()=]+)\s*,")
_FIELD = re.compile(r"[\s,]*([A-Za-z][\w:-]*)\s*=\s*")
_STRING = re.compile(r"@\s*string\s*[{(]\s*(\w+)\s*=\s*", re.IGNORECASE)
_WORD = re.compile(r"[\w:.+/-]+")
_MONTHS = pairs("""
jan January feb February mar March apr April may May jun June jul July aug August sep September oct October nov November dec December
""")
_PLACES = ("journal", "journaltitle", "booktitle", "school", "institution", "publisher")
_MAX_VALUE = 20_000
_MAX_AUTHORS = 8


@dataclass(slots=True)
class Record:
    """One entry: its kind and its fields, still in LaTeX."""

    key: str
    kind: str
    fields: dict[str, str] = field(default_factory=dict)


def records(text: str, keys: Iterable[str] | None) -> dict[str, Record]:
    """The entries of a .bib with these keys (None: all of them), in the order of the file."""
    wanted = None if keys is None else set(keys)
    strings = dict(_MONTHS)
    for match in _STRING.finditer(text):
        strings[match[1].lower()] = _value(text, match.end(), strings)[0]
    found: dict[str, Record] = {}
    for match in _ENTRY.finditer(text):
        if (wanted is None or match[2] in wanted) and match[1].lower() not in ("string", "comment", "preamble"):
            found.setdefault(match[2], Record(match[2], match[1].lower(), _fields(text, match.end(), strings)))
    return found


def biblatex_records(text: str) -> dict[str, Record]:
    r"""The entries of a .bbl that biber wrote: \entry{key}{kind}{}, \name{author}..., \field{title}{...}."""
    found: dict[str, Record] = {}
    for part in re.split(r"\\entry(?=\{)", text)[1:]:
        head = re.match(r"\{([^{}]*)\}\s*\{([^{}]*)\}", part)
        if head:
            fields = {m[1]: _balanced(part, m.end() - 1)[0] for m in re.finditer(r"\\(?:field|list)\{(\w+)\}(?:\{\d+\})?\{", part)}
            fields |= {m[1]: part[m.end() :].partition("\n")[0] for m in re.finditer(r"\\verb\{(doi|url|eprint)\}\s*\n\s*\\verb ", part)}
            fields["author"] = " and ".join(_biber_names(part))
            found.setdefault(head[1], Record(head[1], head[2], {name: re.sub(r"^\{+|\}+$", "", value) for name, value in fields.items()}))
    return found


def _biber_names(part: str) -> list[str]:
    block = re.search(r"\\name\{(?:author|labelname|editor)\}", part)
    if not block:
        return []
    end = part.find("\\strng", block.end())
    names = part[block.end() : end if end > 0 else len(part)]
    people = re.findall(r"family=\{?([^{},=]+(?:\{[^{}]*\}[^{},=]*)*)\}?(.*?)(?=\bfamily=|\Z)", names, re.DOTALL)
    return [f"{family}, {given[1]}" if (given := re.search(r"given=\{?([^{},=]+)", rest)) else family for family, rest in people]


def surnames(record: Record) -> str:
    """The authors as a citation has them: one, two, or the first et al."""
    last = [_last_name(name) for name in _names(record)]
    return "" if not last else last[0] if len(last) == 1 else " and ".join(last) if len(last) == 2 else f"{last[0]} et al."


def year(record: Record) -> str:
    """The year of an entry."""
    match = re.search(r"\d{4}", record.fields.get("year", "") or record.fields.get("date", ""))
    return match[0] if match else ""


def line(record: Record) -> str:
    """An entry as one line in LaTeX: authors, title, where it appeared, year, DOI or address."""
    of = record.fields.get
    authors = [_in_order(name) for name in _names(record)]
    if len(authors) > _MAX_AUTHORS or (authors and authors[-1] == "others"):
        authors = [f"{authors[0]} et al."]
    where = next((value for name in _PLACES if (value := of(name))), "")
    volume = f" {of('volume')}" if of("volume") else ""
    number = f"({of('number')})" if of("number") else ""
    pages = f", {of('pages')}" if of("pages") else ""
    doi = f"doi:{of('doi')}" if of("doi") else f"arXiv:{of('eprint')}" if of("eprint") else of("url") or of("howpublished") or ""
    placed = f"{where.rstrip('. ')}{volume}{number}{pages}" + (f" ({year(record)})" if year(record) else "")
    parts = (", ".join(authors), of("title", ""), placed.strip(" ,"), doi)
    return ". ".join(part.strip().rstrip(".") for part in parts if part and part.strip()) + "."


def _names(record: Record) -> list[str]:
    text = re.sub(r"\s+", " ", record.fields.get("author", "") or record.fields.get("editor", ""))
    names, depth, start = [], 0, 0
    for match in re.finditer(r"[{}]| and ", text):
        if match[0] in "{}":
            depth += 1 if match[0] == "{" else -1
        elif depth == 0:
            names.append(text[start : match.start()].strip())
            start = match.end()
    return [name for name in (*names, text[start:].strip()) if name]


def _in_order(name: str) -> str:
    """ "Family, Jr., Given" and "Family, Given" as they are spoken."""
    parts = [part.strip() for part in name.split(",")]
    return name if name.startswith("{") else f"{parts[2]} {parts[0]} {parts[1]}" if len(parts) == 3 else " ".join(reversed(parts[:2]))


def _last_name(name: str) -> str:
    if ", " in name or name.startswith("{"):
        return name.partition(",")[0]
    return name.rpartition(" ")[2]


def _fields(text: str, at: int, strings: dict[str, str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    while (match := _FIELD.match(text, at)) and len(fields) < 60:
        value, at = _value(text, match.end(), strings)
        fields.setdefault(match[1].lower(), value)
    return fields


def _value(text: str, at: int, strings: dict[str, str]) -> tuple[str, int]:
    """A value at a place, `#` joining its parts, and where it ends."""
    parts: list[str] = []
    while at < len(text):
        if text[at] == "{":
            part, at = _balanced(text, at)
        elif text[at] == '"':
            part, at = _quoted(text, at)
        elif match := _WORD.match(text, at):
            part, at = strings.get(match[0].lower(), match[0]), match.end()
        else:
            break
        parts.append(part)
        joint = re.compile(r"\s*#\s*").match(text, at)
        if not joint:
            break
        at = joint.end()
    return re.sub(r"\s+", " ", "".join(parts))[:_MAX_VALUE], at


def _balanced(text: str, at: int) -> tuple[str, int]:
    depth = 0
    for match in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, at, at + _MAX_VALUE):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0 and match[0] == "}":
            return text[at + 1 : match.start()], match.end()
    return text[at + 1 : at + 200], min(at + _MAX_VALUE, len(text))


def _quoted(text: str, at: int) -> tuple[str, int]:
    depth = 0
    for match in re.compile(r'\\.|[{}"]', re.DOTALL).finditer(text, at + 1, at + _MAX_VALUE):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if match[0] == '"' and depth <= 0:
            return text[at + 1 : match.start()], match.end()
    return text[at + 1 : at + 200], min(at + _MAX_VALUE, len(text))
