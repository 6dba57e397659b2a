"""Is the value that of the thing that is asked about, or its neighbour's? Clauses, conditions and cells of tables."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from qagen.checks.alignment import class_of
from qagen.checks.elements import forms, names
from qagen.checks.quantities import Quantity, quantities
from qagen.checks.relevance import asks_why
from qagen.checks.support import worded
from qagen.checks.typography import plain
from qagen.checks.units import unit_at
from qagen.checks.words import content_words


def wrong_place(question: str, answer: str, evidence: str) -> str | None:
    """Why the answer belongs to another thing than is asked about: `K1` asked, the value of `K2` given; or None.

    Looks at parallel clauses and rows of a table: what the question names stands in one of them only, what the answer
    says in another one only, and both say the same kind of thing.
    """
    clauses = _clauses(evidence)
    strong = _places(_strong(question), clauses)
    said = _places(_keys(answer) - _keys(question), clauses)
    if not strong or not said:
        return None
    mine = set.intersection(*map(set, said.values()))
    asked = {key: places for key, places in strong.items() if not mine & set(places)}
    theirs = {place for places in asked.values() for place in places}
    if evidence.count("|") >= 2 and _AMONG.search(question) and len(theirs) > 1 and len(strong) > 1:
        return None  # `which of W1 to W4`: the answer is one of them, or between
    if len(asked) < len(strong) or not mine or not all(any(_parallel(clauses[a], clauses[b]) for a in theirs) for b in mine):
        return None
    if evidence.count("|") < 2 and all(_inherited(key, places, mine, clauses) for key, places in asked.items()):
        return None
    return f"`{', '.join(sorted(map(_named, said)))}` is said of another than `{', '.join(sorted(map(_named, asked)))}`"


_AMONG = re.compile(r"\bwhich\b|\bwhat\b.*\b\w+est\b|哪", re.I)


def _inherited(key: object, places: Sequence[int], mine: Collection[int], clauses: Sequence[str]) -> bool:
    """Whether what the first clause names is meant in the answer's too: it stands before it, and that names nothing of its kind."""
    if min(places) > min(mine):
        return False
    for clause in (clauses[number] for number in mine):
        if isinstance(key, str) and any(class_of(other) == class_of(key) for other in names(clause) - {key}):
            return False
        if isinstance(key, tuple) and any(one.unit.dimension == key[1] and one.key != key for one in quantities(clause)):
            return False
    return True


def _named(key: object) -> str:
    return key if isinstance(key, str) else f"{key[0]:g}" if isinstance(key, tuple) else str(key)


def _strong(text: str) -> frozenset[object]:
    """What names one of several things: names, letters, quantities."""
    values: set[object] = {one.key for one in quantities(text)} | {(one.value, ()) for one in quantities(text)}
    return frozenset(values | names(text))


def _clauses(quoted: str) -> list[str]:
    """Rows of a table, or clauses of prose."""
    if quoted.count("|") >= 2:
        return [row for row in quoted.split("\n") if row.strip(" |-")]
    return [
        clause
        for clause in re.split(
            r"[;；。\n]|\.\s|,\s(?=and\s|while\s|whereas\s|but\s)|\sand\s(?=\S+\s\S+)|\swhile\s|\swhereas\s|,(?=[\u3400-\u9fff])|，",
            plain(quoted),
        )
        if clause.strip()
    ]


def _keys(text: str) -> frozenset[object]:
    """What can tell one clause from its neighbour: names, quantities, single letters, content words."""
    values: set[object] = {one.key for one in quantities(text)}
    return frozenset(values | names(text) | set(content_words(worded(text))))


def _places(keys: Collection[object], clauses: Sequence[str]) -> dict[object, list[int]]:
    """For each key that stands in some clauses but not in all, in which."""
    held = [_keys(clause) | {(one.value, ()) for one in quantities(clause)} | forms(clause) for clause in clauses]
    found = {key: [number for number, there in enumerate(held) if key in there] for key in keys}
    return {key: places for key, places in found.items() if places and len(places) < len(clauses)}


def _parallel(a: str, b: str) -> bool:
    """Whether two clauses say the same kind of thing: the same number of cells, or a word and a kind of quantity or name in common."""
    if a.count("|") >= 2:
        return a.count("|") == b.count("|") and [bool(quantities(cell)) for cell in a.split("|")] == [
            bool(quantities(cell)) for cell in b.split("|")
        ]
    kinds_a, kinds_b = {one.unit.dimension for one in quantities(a)}, {one.unit.dimension for one in quantities(b)}
    words = set(content_words(worded(a))) & set(content_words(worded(b)))
    if not content_words(worded(b)) or not content_words(
        worded(a)
    ):  # `4.2 at 600 °C and 2.3 at 800 °C`: the second leaves its words to the first
        return len(kinds_a) > 1 and kinds_a == kinds_b
    return bool(words) and (
        bool(kinds_a & kinds_b)
        or bool(names(a) and names(b))
        or bool(re.search(r"\b(?:zero|first|second|third)\b", a) and re.search(r"\b(?:zero|first|second|third)\b", b))
    )


def other_condition(question: str, answer: str, evidence: str) -> str | None:
    """A quantity of the question in whose place the evidence has another of its kind (300 mA asked, 210 mA told); or None."""
    told = [one for one in quantities(evidence) if one.unit.dimension]
    if any(a.key == b.key for a in told for b in quantities(question)):
        return None
    said = {one.key for one in quantities(answer)}
    read = plain(question)
    for one in quantities(question):
        if not _sets_a_condition(read, one):
            continue  # `the 52 mm pipe`: part of a name
        rivals = [other for other in told if other.unit.dimension == one.unit.dimension and one.unit.dimension]
        if rivals and (len(rivals) > 1 or rivals[0].key in said) and not any(other.key[0] == one.value for other in quantities(evidence)):
            return f"`{one.text}` is asked about, the evidence speaks of `{rivals[0].text}`"
    return None


_CONDITION = re.compile(
    r"\b(?:at|to|of|beyond|below|above|under|over|from|by|for|with|near|around|reach(?:es|ed)?|exceeds?)\s+(?:about\s+)?$"
    r"|(?:在|到|至|于|为|达|过|当)\s?$",
    re.I,
)
_NOUN = re.compile(r"\s?(?!时|下|处|以|之|的条件)[\u3400-\u9fff]{2}|\s(?!and\b|the\b)[a-z]{3,}")


def _sets_a_condition(question: str, one: Quantity) -> bool:
    """Whether a quantity says under what condition is asked (`at 300 mA`), and not what thing is meant (`the 52 mm pipe`)."""
    return bool(_CONDITION.search(question[: one.start])) and not _NOUN.match(question, one.end)


# ---- tables


def wrong_cell(question: str, answer: str, evidence: str, context: str) -> str | None:
    """Why the cell of a table that answers is not the one that is asked for: another column or row is named; or None."""
    if asks_why(question):
        return None  # a value in a reason is no answer
    whole = list(_tables(context))
    held = {" ".join(row) for _, rows in whole for row in rows}
    for header, rows in [*whole, *(table for table in _tables(evidence) if " ".join(table[0]) not in held)]:
        for row in rows:
            columns = [number for number, cell in enumerate(row) if number and _answers(cell, answer)]
            if len(columns) != 1 or not any(" ".join(row) in " ".join(_cells(line)) for line in evidence.split("\n")):
                continue
            found = _other_cell(question, header, columns[0])
            if found and not _tells(answer, row[header.index(found)]):
                return f"`{answer[:40]}` stands under `{header[columns[0]]}`, not under `{found}`"
            if found := _other_row(question, row, rows, columns[0]):
                return f"`{answer[:40]}` stands in the row of `{row[0]}`, not in that of `{found}`"
    return None


def _tells(answer: str, cell: str) -> bool:
    """Whether an answer of several values tells that of a cell too."""
    return bool({one.value for one in quantities(cell)} & {one.value for one in quantities(answer)[1:]})


def cells(evidence: str, context: str) -> list[Quantity]:
    """The values of the cited rows in the units and with the factors of their headings: 0.92 under `Q (10^28/s)`, 41 under `Day`."""
    lines = {" ".join(_cells(line)) for line in evidence.split("\n") if line.count("|") >= 2}
    if not lines:
        return []
    return [
        found
        for header, rows in _tables(context)
        for row in rows
        if " ".join(row) in lines
        for head, cell in zip(header, row, strict=True)
        for found in _under(head, cell)
    ]


_HEAD_FACTOR = re.compile(r"\s*(?:[×x*·]\s?)?(?:10\^(?P<power>-?\d{1,2}))?\s*")
_HEAD_UNIT = re.compile(r"[(\[（]\s*([^()\[\]（）]{1,32})\s*[)\]）]|[,，/]\s+(?P<behind>[^,，/]{1,20})$")


def _under(head: str, cell: str) -> Iterator[Quantity]:
    read = plain(head)
    bracket = _HEAD_UNIT.search(read)
    inside = (bracket[1] or bracket["behind"]) if bracket else read.lower()
    factor = _HEAD_FACTOR.match(inside)
    power = int(factor["power"]) if factor and factor["power"] else 0
    unit = unit_at(inside, factor.end() if factor else 0)
    whole = unit is not None and unit[0] == len(inside.rstrip())
    if not power and not whole:
        return
    for one in quantities(cell):
        if not one.unit.dimension:
            scaled = replace(one, value=one.value * 10.0**power, place=one.place * 10.0**power)
            yield scaled
            if unit and whole:
                yield replace(scaled, unit=unit[1])


def caption(evidence: str, context: str) -> str:
    """The paragraph before the table from which the evidence has rows: it says what the headings mean."""
    row = next((line for line in evidence.split("\n") if line.count("|") >= 2), "")
    lines = context[: max(0, context.find(row))].split("\n") if row else []
    above = [line for line in lines if line.strip() and line.count("|") < 2]
    return above[-1] if above else ""


def headings(evidence: str, context: str) -> str:
    """The headings of the tables from which the evidence has rows: they say of what and in which unit the values are."""
    lines = {" ".join(_cells(line)) for line in evidence.split("\n") if line.count("|") >= 2}
    if not lines:
        return ""
    return " ".join(" ".join(header) for header, rows in _tables(context) if any(" ".join(row) in lines for row in rows))


def _other_cell(question: str, header: Sequence[str], column: int) -> str | None:
    """The heading that the question names instead of that of the column."""
    asked = set(content_words(question))
    own = len(set(content_words(header[column])) & asked)
    others = [(len(set(content_words(cell)) & asked), cell) for number, cell in enumerate(header) if number not in (0, column)]
    best = max(others, default=(0, ""))
    return best[1] if best[0] > own else None


def _other_row(question: str, row: Sequence[str], rows: Sequence[Sequence[str]], column: int) -> str | None:
    """The row that the question names instead of the one that answers."""
    if _AMONG.search(question) and sum(_labels(other[0], question) or other[0] in question for other in rows if other[0]) > 1:
        return None  # `which of W1 to W4`
    own = _named_cells(question, row, column)
    best = max(((_named_cells(question, other, column), other[0]) for other in rows if other is not row), default=(0, ""))
    return best[1] if best[0] > own else None


def _named_cells(question: str, row: Sequence[str], column: int) -> int:
    """How many cells of a row, beside the one that answers, the question names; the first, which tells rows apart, counts most."""
    asked, low = _keys(question) | forms(question) | {(one.value, ()) for one in quantities(question)}, question.casefold()
    found = [
        number
        for number, cell in enumerate(row)
        if number != column
        and cell.strip("-: ")
        and (
            _keys(cell) & asked
            or {(one.value, ()) for one in quantities(cell)} & asked
            or (len(cell) >= 4 and cell.casefold() in low)
            or _labels(cell, question)
        )
    ]
    return 2 * (0 in found) + len(found)


def _labels(cell: str, question: str) -> bool:
    """Whether a cell is a letter or a short label that the question names a thing by: `section A`, A 区段."""
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]{0,2}|\d{1,2}[A-Za-z]", cell):
        return False
    label = re.escape(cell)
    return bool(
        re.search(rf"(?:[a-z]{{3,}}\s|[\u3400-\u9fff]\s?){label}(?![A-Za-z0-9])|(?<![A-Za-z0-9]){label}\s?(?=[\u3400-\u9fff])", question)
    )


def _answers(cell: str, answer: str) -> bool:
    mine, theirs = quantities(cell), quantities(answer)
    if mine and theirs:
        return mine[0].value == theirs[0].value
    return bool(cell) and cell.casefold() == answer.strip(" .。").casefold()


def _tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Tables in rows of `|`: headings and rows, all of one length."""
    rows: list[list[str]] = []
    for line in [*text.split("\n"), ""]:
        cells = _cells(line)
        if line.count("|") >= 2 and (not rows or len(cells) == len(rows[0])):
            rows.append(cells)
            continue
        if len(rows) > 1:
            yield rows[0], [row for row in rows[1:] if any(cell.strip("-: ") for cell in row)]
        rows = [cells] if line.count("|") >= 2 else []


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
