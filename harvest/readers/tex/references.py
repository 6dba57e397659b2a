r"""Labels and what \ref, \autoref, \cref and \nameref print for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harvest.readers.tex.marks import Marks

# What cleveref and hyperref print before a number, in English: (cref, crefs, Cref, Crefs, autoref).
_NAMES = {
    "figure": ("fig.", "figs.", "Figure", "Figures", "Figure"),
    "subfigure": ("fig.", "figs.", "Figure", "Figures", "Figure"),
    "table": ("table", "tables", "Table", "Tables", "Table"),
    "equation": ("eq.", "eqs.", "Equation", "Equations", "Equation"),
    "part": ("part", "parts", "Part", "Parts", "Part"),
    "chapter": ("chapter", "chapters", "Chapter", "Chapters", "chapter"),
    "section": ("section", "sections", "Section", "Sections", "section"),
    "subsection": ("section", "sections", "Section", "Sections", "subsection"),
    "subsubsection": ("section", "sections", "Section", "Sections", "subsubsection"),
    "paragraph": ("paragraph", "paragraphs", "Paragraph", "Paragraphs", "paragraph"),
    "appendix": ("appendix", "appendices", "Appendix", "Appendices", "Appendix"),
    "item": ("item", "items", "Item", "Items", "item"),
    "footnote": ("footnote", "footnotes", "Footnote", "Footnotes", "footnote"),
    "algorithm": ("algorithm", "algorithms", "Algorithm", "Algorithms", "Algorithm"),
    "lstlisting": ("listing", "listings", "Listing", "Listings", "Listing"),
}
_IN_FULL = {"fig.": "figure", "figs.": "figures", "eq.": "equation", "eqs.": "equations"}


@dataclass(frozen=True, slots=True)
class Label:
    """What a label names: its kind (figure, section, ...), the number printed, and the title or caption there."""

    kind: str
    number: str
    title: str = ""


class References:
    """The labels of one document; a reference is a mark until all are known."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._labels: dict[str, Label] = {}
        self.now = Label("section", "")
        self.titles: dict[str, str] = {}  # of theorems, by the name of their environment
        self.names: dict[str, tuple[str, str]] = {}  # said by \crefname, singular and plural
        self.capital_names: dict[str, tuple[str, str]] = {}  # said by \Crefname
        self.capitalise = self.in_full = False

    def label(self, name: str, target: Label | None = None) -> None:
        r"""\label{name}, of what was numbered last or of `target`."""
        self._labels.setdefault(_key(name), target or self.now)

    def reference(self, name: str, style: str, last: str = "") -> str:
        """A mark for a reference to one or several labels; `last` ends a range."""
        keys = [_key(part) for part in name.split(",")]
        return self._marks.later(lambda: self._printed(keys, style, _key(last)))

    def _printed(self, keys: list[str], style: str, last: str) -> str:
        found = [label for key in keys if (label := self._labels.get(key)) and (label.number or style == "name")]
        if not found or style == "page":
            return ""
        if style == "name":
            return found[0].title or found[0].number
        if last and last in self._labels:
            end = self._labels[last]
            return f"{self._name(found[0].kind, style, many=True)} {_set(found[0], style)} to {_set(end, style)}".strip()
        groups: dict[str, list[Label]] = {}
        for label in found:
            groups.setdefault(self._name(label.kind, style, many=False), []).append(label)
        return _listed([self._group(labels, style) for labels in groups.values()])

    def _group(self, labels: list[Label], style: str) -> str:
        numbers = [_set(label, style) for label in labels]
        text = ", ".join(numbers) if style in ("", "()") else _listed(_ranges(numbers))
        return f"{self._name(labels[0].kind, style, many=len(labels) > 1)} {text}".strip()

    def _name(self, kind: str, style: str, *, many: bool) -> str:
        if style in ("", "()"):
            return ""
        if kind in self.names and style != "autoref":
            own = self.capital_names if style == "Cref" and kind in self.capital_names else self.names
            return own[kind][many] if style == "cref" else own[kind][many][:1].upper() + own[kind][many][1:]
        if kind in self.titles:
            title = self.titles[kind]
            return title.lower() if style == "cref" and not self.capitalise else title
        forms = _NAMES.get(kind, ("", "", "", "", ""))
        if style == "autoref":
            return forms[4]
        name = forms[(2 if style == "Cref" else 0) + many]
        name = _IN_FULL.get(name, name) if self.in_full else name
        return name[:1].upper() + name[1:] if self.capitalise else name


def _key(name: str) -> str:
    return re.sub(r"\s+", " ", name.strip())


def _set(label: Label, style: str) -> str:
    """The number as it is set: those of equations in parentheses, except by \\ref and \\autoref."""
    return f"({label.number})" if style == "()" or (style in ("cref", "Cref") and label.kind == "equation") else label.number


def _ranges(numbers: list[str]) -> list[str]:
    """Three and more numbers in a row as "1 to 3", which is how cleveref prints them."""
    out: list[str] = []
    at = 0
    while at < len(numbers):
        end = at
        while end + 1 < len(numbers) and _follows(numbers[end], numbers[end + 1]):
            end += 1
        out += [f"{numbers[at]} to {numbers[end]}"] if end > at + 1 else numbers[at : end + 1]
        at = end + 1
    return out


def _follows(first: str, second: str) -> bool:
    before, after = (re.fullmatch(r"(\(?[\w.]*?)(\d{1,6})(\)?)", number) for number in (first, second))
    return bool(before and after and before[1] == after[1] and int(before[2]) + 1 == int(after[2]))


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
