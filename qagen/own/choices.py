"""Multiple choice: where the options stand, and how the right one is named (by index, by letter, or by its text)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from qagen.own.names import SPELLINGS, flat, named

_LETTERS: Final = "ABCDEFGHIJ"
_LABEL: Final = re.compile(r"(?:^|(?<=[\s,;，；]))\(?([A-Ja-j])\s?[.)、．:：）]\s*")
_WRONG: Final = re.compile(r"(?:distractors?|incorrectanswers?|wronganswers?|错误答案|干扰项)\d*")
Naming = Literal["text", "letter", "index", "from 1"]


class NoSuchOptionError(ValueError):
    """The right option is none of those that the record lists; the text says so in a sentence."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How options and the right one are read: the columns of options, the column that names the right one, and how."""

    columns: tuple[str, ...]
    key: str | None
    naming: Naming
    wrong_only: bool = False

    def options(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        """The options of a record in their order; empty where it has none."""
        if len(self.columns) == 1 and not self.wrong_only:
            return _of_value(data.get(self.columns[0]))
        cells = (data.get(column) for column in self.columns)
        return tuple(filter(None, (_plain(text) for cell in cells for text in (cell if isinstance(cell, list | tuple) else [cell]))))

    def resolve(self, options: Sequence[str], data: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
        """The right option and the others, which differ from it."""
        said = data.get(self.key) if self.key else None
        right = _plain(said) if self.wrong_only else _right(options, said, self.naming)
        if right is None or not right:
            raise NoSuchOptionError(f"its right answer {_plain(said)[:60]!r} names none of its {len(options)} options")
        return right, tuple(dict.fromkeys(option for option in options if option != right))


def choice_of(rows: Sequence[Mapping[str, Any]], key: str | None, answer: str | None, *, given: bool) -> Choice | None:
    """The choice that records make, if they have options; `given` if the lab itself named the column of the answer."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    wrong = [column for column in columns if _WRONG.fullmatch(flat(column))]
    if wrong and answer:
        return Choice(tuple(wrong), answer, "text", wrong_only=True)
    places = _places(columns, rows)
    if not places:
        return None
    keys = [answer] if given else [column for column in (key, answer) if column and column not in places]
    best: tuple[int, Choice] | None = None
    for column in keys:
        for naming in ("text", "letter", "from 1", "index"):
            choice = Choice(places, column, naming)
            fits = sum(_fits(choice, row) for row in rows)
            if best is None or fits > best[0]:
                best = (fits, choice)
    if best is None:
        return None
    return _with_base(best[1], rows)


def _with_base(choice: Choice, rows: Sequence[Mapping[str, Any]]) -> Choice:
    """Numbers that name options count from 0, unless one is as high as the number of options."""
    if choice.naming != "from 1":
        return choice
    highest = any(_number(row.get(choice.key or "")) == len(choice.options(row)) for row in rows if choice.options(row))
    return choice if highest else Choice(choice.columns, choice.key, "index")


def _fits(choice: Choice, row: Mapping[str, Any]) -> bool:
    options = choice.options(row)
    return bool(options) and _right(options, row.get(choice.key or ""), choice.naming) is not None


# ---- where options stand


def _places(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    whole = named(columns, SPELLINGS["options"])
    if whole and any(len(_of_value(row.get(whole))) > 1 for row in rows):
        return (whole,)
    by_name = {flat(column): column for column in columns}
    forms: tuple[Callable[[int], str], ...] = (
        lambda n: _LETTERS[n].casefold(),
        lambda n: f"option{_LETTERS[n].casefold()}",
        lambda n: f"op{_LETTERS[n].casefold()}",
        lambda n: f"choice{_LETTERS[n].casefold()}",
        lambda n: f"option{n + 1}",
        lambda n: f"choice{n + 1}",
        lambda n: f"选项{_LETTERS[n].casefold()}",
        lambda n: f"选项{n + 1}",
    )
    for form in forms:
        found = [by_name[form(n)] for n in range(len(_LETTERS)) if form(n) in by_name]
        if len(found) > 1 and found[:2] == [by_name.get(form(0)), by_name.get(form(1))]:
            return tuple(found)
    return ()


def _of_value(value: Any) -> tuple[str, ...]:
    if isinstance(value, Mapping):
        texts = value.get("text")
        found = texts if isinstance(texts, Sequence) and not isinstance(texts, str) else value.values()
        return tuple(filter(None, map(_plain, found)))
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, Sequence):
        return _unlabelled(tuple(filter(None, (_plain(_text_of(item)) for item in value))))
    return ()


def _text_of(item: Any) -> Any:
    return item.get("text", item.get("content")) if isinstance(item, Mapping) else item


def _cut(text: str) -> tuple[str, ...]:
    """`A. 3 GeV B. 5 GeV` as two options: the labels must be A, B, C, ... in order."""
    marks = list(_LABEL.finditer(text))
    if len(marks) < 2 or [mark[1].upper() for mark in marks] != list(_LETTERS[: len(marks)]):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return tuple(lines) if len(lines) > 1 else ()
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return tuple(text[mark.end() : end].strip().rstrip(",;，；").strip() for mark, end in zip(marks, ends, strict=True))


def _unlabelled(options: tuple[str, ...]) -> tuple[str, ...]:
    marks = [_LABEL.match(option) for option in options]
    if len(options) > 1 and [mark[1].upper() for mark in marks if mark] == list(_LETTERS[: len(options)]):
        return tuple(option[mark.end() :] for option, mark in zip(options, marks, strict=True) if mark)
    return options


# ---- which is right


def _right(options: Sequence[str], said: Any, naming: Naming) -> str | None:
    place: int | None
    if naming == "text":
        texts = [option.casefold() for option in options]
        word = _plain(said).casefold()
        place = texts.index(word) if word in texts else None
    elif naming == "letter":
        letter = _plain(said).strip("().。 ").upper()
        place = _LETTERS.index(letter) if len(letter) == 1 and letter in _LETTERS else None
    else:
        number = _number(said)
        place = None if number is None else number - (naming == "from 1")
    return options[place] if place is not None and 0 <= place < len(options) else None


def _number(said: Any) -> int | None:
    if isinstance(said, bool):
        return None
    if isinstance(said, float) and said.is_integer():
        return int(said)
    text = _plain(said)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else None


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else ""
