r"""LaTeX's counters: what \section, \caption and equations count, and how the numbers are printed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"),
          (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
_CHINESE = "零一二三四五六七八九"
_FOOTNOTE_SIGNS = "*†‡§¶‖"
SECTIONS = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph")
_FLOATING = ("figure", "table", "equation", "algorithm", "listing", "lstlisting")
_MAX = 100_000


def roman(number: int) -> str:
    """A number in small Roman digits; empty for what has none."""
    out = ""
    for value, sign in _ROMAN if 0 < number < 4000 else ():
        while number >= value:
            out, number = out + sign, number - value
    return out


def letter(number: int) -> str:
    """1 is a, 26 is z, then aa."""
    return chr(96 + number) if 0 < number < 27 else chr(96 + (number - 1) % 26 + 1) * 2 if 26 < number < 53 else ""


def chinese(number: int) -> str:
    """A number below 100 in Chinese digits, as headings have it."""
    tens, ones = divmod(number, 10)
    if not 0 < number < 100:
        return str(number)
    head = "" if not tens else "十" if tens == 1 else _CHINESE[tens] + "十"
    return head + (_CHINESE[ones] if ones else "")


STYLES: dict[str, Callable[[int], str]] = {
    "arabic": str,
    "roman": roman,
    "Roman": lambda n: roman(n).upper(),
    "alph": letter,
    "Alph": lambda n: letter(n).upper(),
    "fnsymbol": lambda n: _FOOTNOTE_SIGNS[(n - 1) % 6] if n > 0 else "",
    "chinese": chinese,
    "zhnumber": chinese,
    "zhnum": chinese,
    "Chinese": chinese,
}


class Counters:
    """The values of all counters, which of them start again with which, and how each is printed by default."""

    def __init__(self, *, chapters: bool = False, joint: str = "") -> None:
        self.values: dict[str, int] = dict.fromkeys((*SECTIONS, *_FLOATING, "footnote", "page", "subfigure", "subtable"), 0)
        self.values |= dict.fromkeys(("enumi", "enumii", "enumiii", "enumiv", "item"), 0)
        self.values |= {"secnumdepth": 2 if chapters else 3, "tocdepth": 3}
        self.chapters = chapters
        self.roman_sections = bool(joint)  # sections I, subsections A, as in Physical Review
        self.joint = joint or "."
        self.appendix = False
        self._within: dict[str, str] = {}
        self._children: dict[str, list[str]] = {}
        self._prefixed: set[str] = set()
        self.parents: list[tuple[str, int]] = []  # of subequations: what is printed before the letter, and the value to go on with
        for above, below in pairwise(SECTIONS[1:]):
            self.new(below, above)
        for name in ("subfigure", "subtable"):
            self.new(name, name[3:])
        for name in ("figure", "table", "equation", "algorithm", "lstlisting", "footnote") if chapters else ():
            self.new(name, "chapter")
        self._prefixed |= set(_FLOATING) if chapters else set()

    def new(self, name: str, within: str = "", *, prefixed: bool = False) -> None:
        r"""\newcounter{name}[within]; `prefixed` puts the number of the counter above before its own."""
        self.values.setdefault(name, 0)
        if old := self._within.get(name):
            self._children[old].remove(name)
        self._within.pop(name, None)
        if within and within != name:
            self._within[name] = within
            self._children.setdefault(within, []).append(name)
            self._prefixed |= {name} if prefixed else set()

    def without(self, name: str) -> None:
        r"""\counterwithout."""
        self.new(name)
        self._prefixed.discard(name)

    def set(self, name: str, value: int) -> None:
        r"""\setcounter."""
        self.values[name] = max(-_MAX, min(value, _MAX))

    def step(self, name: str) -> None:
        r"""\stepcounter: one more, and what is counted within it starts again."""
        self.set(name, self.values.get(name, 0) + 1)
        waiting, seen = list(self._children.get(name, ())), {name}
        while waiting:
            child = waiting.pop()
            if child not in seen:
                seen.add(child)
                self.values[child] = 0
                waiting += self._children.get(child, ())

    def begin_appendix(self) -> None:
        r"""\appendix: letters from here on."""
        self.appendix = True
        self.values["chapter" if self.chapters else "section"] = 0

    def above(self, name: str) -> str:
        """The counter whose number is printed before that of `name`; empty if none is."""
        if name in SECTIONS:
            place = SECTIONS.index(name)
            lowest = 2 if not self.chapters else 1
            return SECTIONS[place - 1] if place > lowest else ""
        return self._within.get(name, "") if name in self._prefixed else ""

    def own(self, name: str) -> str:
        """The number itself, without what is printed before it."""
        value = self.values.get(name, 0)
        top = "chapter" if self.chapters else "section"
        if name == top and self.appendix:
            return letter(value).upper()
        if name == "part" or (name == "section" and self.roman_sections):
            return roman(value).upper()
        if name == "subsection" and self.roman_sections:
            return letter(value).upper()
        if name == "equation" and self.parents:
            return letter(value)
        style = {"enumii": letter, "subfigure": letter, "subtable": letter, "enumiii": roman, "enumiv": STYLES["Alph"]}
        return style.get(name, str)(value)
