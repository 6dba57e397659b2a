r"""What \cite and its kin print: [n], or authors and year where the bibliography is of that style."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harvest.readers.tex.marks import Marks

_AUTHOR_YEAR_CLASSES = re.compile(r"aastex|mnras|emulateapj|^aa$|jfm|agu|copernicus|apa\d?$|ametsoc|rsproca|oup")
_NUMBER_CLASSES = re.compile(r"revtex|elsarticle|ieee|jacow|jhep|iopart|svjour|sn-jnl|llncs|acmart|cernrep|epj|webofc|PoS", re.IGNORECASE)
_AUTHOR_YEAR_STYLES = re.compile(
    r"apalike|aasjournal|mnras|^aa(?:_\w+)?$|^apj|agsm|chicago|^apa|author-?(?:date|year)|^jfm|copernicus|harv|(?:plain|abbrv)nat$",
    re.IGNORECASE,
)
_SORTED_STYLES = re.compile(r"^(?:plain|abbrv|acm|siam|amsplain|alpha|amsalpha|plainnat|abbrvnat|splncs\w*|plainurl)$")
_NATBIB_LABEL = re.compile(r"^(?P<author>.+?)\s*\((?P<year>[^()]*)\)(?P<long>.*)$", re.DOTALL)
_APALIKE_LABEL = re.compile(r"^(?P<author>.+?),\s*(?P<year>\d{4}[a-z]?)$", re.DOTALL)
_ONLY_YEAR = ("citeyear", "citeyearpar", "citedate")


@dataclass(frozen=True, slots=True)
class Entry:
    """One work of the bibliography: its key, the label printed (empty: its number), authors in short, year, the line itself."""

    key: str
    label: str
    author: str
    year: str
    text: str


@dataclass(frozen=True, slots=True)
class Cite:
    """One citation command: its name, whether starred, its keys and notes."""

    command: str
    keys: tuple[str, ...]
    before: str
    after: str


class Citations:
    """The citations of one document and, at its end, the works they name."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self.cited: dict[str, int] = {}  # key to place in the order of first citation
        self.entries: dict[str, Entry] = {}
        self._numbers: dict[str, int] = {}
        self.everything = False  # \nocite{*}
        self.style = ""  # of BibTeX
        self.author_year: bool | None = None  # as packages and their options say; None where they say nothing

    def cite(self, cite: Cite) -> str:
        """A mark for a citation."""
        for key in cite.keys:
            self.cited.setdefault(key, len(self.cited) + 1)
        return self._marks.later(lambda: self._printed(cite))

    def add(self, key: str, label: str, text: str) -> None:
        """A work of the bibliography; labels of natbib hold authors and year."""
        found = _NATBIB_LABEL.match(label) or _APALIKE_LABEL.match(label)
        author, year = (found["author"], found["year"]) if found else ("", "")
        self.put(Entry(key, "" if found else label, author, year, text))

    def put(self, entry: Entry) -> None:
        """A work of the bibliography."""
        if entry.key not in self.entries:
            self.entries[entry.key] = entry
            self._numbers[entry.key] = len(self.entries)

    @property
    def sorted_by_author(self) -> bool:
        """Whether BibTeX's style sorts by authors instead of keeping the order of citation."""
        return bool(_SORTED_STYLES.match(self.style))

    def by_class(self, name: str, options: str) -> None:
        """What the class of the document says about the style of citations."""
        if "authoryear" in options or "author-year" in options or "rmp" in options.split(","):
            self.author_year = True
        elif _NUMBER_CLASSES.search(name) or "numbers" in options:
            self.author_year = False
        elif _AUTHOR_YEAR_CLASSES.search(name):
            self.author_year = True

    def _by_authors(self, entry: Entry | None) -> bool:
        if entry is None or not entry.author or not entry.year:
            return False
        if self.author_year is not None:
            return self.author_year
        return bool(_AUTHOR_YEAR_STYLES.search(self.style))

    def _printed(self, cite: Cite) -> str:
        entries = [self.entries.get(key) for key in cite.keys]
        command = cite.command.lower()
        if command.startswith("citeauthor") and entries and entries[0] and entries[0].author:
            return _listed([entry.author for entry in entries if entry])
        if command in _ONLY_YEAR and entries and entries[0] and entries[0].year:
            years = ", ".join(entry.year for entry in entries if entry)
            return f"({years})" if command == "citeyearpar" else years
        if command.startswith("fullcite") and entries and entries[0]:
            return "; ".join(entry.text for entry in entries if entry)
        if cite.keys and self._by_authors(entries[0]):
            return self._authors_and_years(cite, entries)
        return self._bracketed(cite, entries)

    def _authors_and_years(self, cite: Cite, entries: list[Entry | None]) -> str:
        works = _by_author([entry for entry in entries if entry and entry.author])
        name = cite.command.lower()
        after = f", {cite.after}" if cite.after else ""
        before = f"{cite.before} " if cite.before else ""
        if "citet" in name or name in ("cite", "textcite", "textcites", "citeasnoun", "onlinecite", "newcite", "shortcite"):
            last = len(works) - 1
            return before + _listed([f"{author} ({years}{after if place == last else ''})" for place, (author, years) in enumerate(works)])
        joined = "; ".join(f"{author} {years}" if "citealt" in name else f"{author}, {years}" for author, years in works)
        bare = "citeal" in name or name == "footcite"
        return f"{before}{joined}{after}" if bare else f"({before}{joined}{after})"

    def _bracketed(self, cite: Cite, entries: list[Entry | None]) -> str:
        labels = [
            entry.label or str(self._numbers[key]) if entry else str(self.cited[key]) for key, entry in zip(cite.keys, entries, strict=True)
        ]
        if not labels:
            return ""
        text = f"[{', '.join(part for part in (cite.before, *labels, cite.after) if part)}]"
        first = entries[0]
        named = cite.command.lower() in ("citet", "textcite", "citealt") and first and first.author and len(entries) == 1
        return f"{first.author} {text}" if named and first else text


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _by_author(entries: list[Entry]) -> list[tuple[str, str]]:
    """Authors and years; neighbours of the same authors share their name, as natbib prints them."""
    works: list[tuple[str, str]] = []
    for entry in entries:
        if works and works[-1][0] == entry.author:
            works[-1] = (entry.author, f"{works[-1][1]}, {entry.year}")
        else:
            works.append((entry.author, entry.year))
    return works
