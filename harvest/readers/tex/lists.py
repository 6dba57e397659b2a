r"""Lists and their items, marked and numbered as LaTeX, enumitem and paralist do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.readers.tex import names
from harvest.readers.tex.counters import STYLES
from harvest.readers.tex.references import Label
from harvest.readers.tex.state import List

if TYPE_CHECKING:
    from harvest.readers.tex.interpreter import Command, Interpreter

_COUNTERS = ("enumi", "enumii", "enumiii", "enumiv")
_DEEPEST = 9  # lists around an item that are looked at
_TEMPLATES = (r"\arabic*.", r"(\alph*)", r"\roman*.", r"\Alph*.")
_STYLE = re.compile(r"\\(arabic|roman|Roman|alph|Alph|chinese|zhnum)\s*(?:\*|\{\w*\})")
_OUTER = re.compile(r"\\(arabic|roman|Roman|alph|Alph)\s*\{?\s*(enumi{1,3}v?)\s*\}?|\\the(enumi{1,3}v?)")
_SHORT = {"1": "arabic", "a": "alph", "A": "Alph", "i": "roman", "I": "Roman"}
_KEY = re.compile(r"(?:^|,)\s*(label\*?|start|resume\*?|series|ref)\s*(?:=\s*((?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\([^()]*\)|[^,{}])*))?")
_SETTING = re.compile(r"\w[\w* ]*=|(?:^|,)\s*(?:nosep|noitemsep|resume|inline|wide)\b")


def open_list(reader: Interpreter, name: str) -> None:
    r"""\begin{itemize} and all its kin."""
    kind = reader.list_types.get(name, name)
    if kind == "list":
        reader.skip("mm")
    elif kind == "labeling":
        reader.skip("om")
    options = "".join(reader.source.option() or []) if kind not in ("list", "trivlist", "labeling") else ""
    if kind == "tasks":
        reader.source.delimited("(", ")")
    inline = kind in names.INLINE_LISTS
    if not inline:
        reader.paragraph()
    reader.lists.append(_described(reader, name, kind, options, inline=inline))
    reader.open(name, lambda: _close(reader, name))


def _described(reader: Interpreter, name: str, kind: str, options: str, *, inline: bool) -> List:
    """A new list with the label that its options, \\setlist or its depth give it."""
    if kind not in names.ENUMERATIONS:
        return List(None, "item", inline)
    depth = min(sum(outer.template is not None for outer in reader.lists[-_DEEPEST:]), 3)
    keys = {match[1]: (match[2] or "").strip() for match in _KEY.finditer(options)} if _SETTING.search(options) else {}
    general = reader.list_labels.get(name, "")
    template = keys.get("label") or _short(options if not keys else "") or general or _TEMPLATES[depth]
    if starred := keys.get("label*") or (general if general.startswith("*") else ""):
        outer = reader.lists[-1] if reader.lists else None
        template = (_written(reader, outer.template or "", outer.counter) if outer and outer.template else "") + starred.lstrip("*")
    counter = _COUNTERS[depth]
    series = keys.get("resume") or name
    resumed = reader.ended_lists.get(series, 0) if "resume" in keys or "resume*" in keys else 0
    start = int(keys["start"]) - 1 if re.fullmatch(r"\d{1,6}", keys.get("start", "")) else resumed
    reader.counters.set(counter, start)
    if "series" in keys:
        reader.ended_lists[keys["series"]] = start
    return List(_outer(reader, template), counter, inline)


def _close(reader: Interpreter, name: str) -> None:
    if reader.lists:
        closed = reader.lists.pop()
        if closed.template is not None:
            reader.ended_lists[name] = reader.counters.values[closed.counter]
        if closed.inline:
            return
    reader.paragraph()
    reader.flow.lead = ""


def _short(options: str) -> str:
    """The label of package enumerate: [(i)], [a.], [Step 1]."""
    plain = re.sub(r"\{[^{}]*\}|\\[A-Za-z]+", lambda m: " " * len(m[0]), options)
    match = re.search(r"(?<![A-Za-z])[1aAiI](?![A-Za-z])", plain)
    if not match:
        return ""
    before, after = (re.sub(r"\\[A-Za-z]+\s*|[{}]", "", part) for part in (options[: match.start()], options[match.end() :]))
    return f"{before}\\{_SHORT[match[0]]}*{after}"


def _outer(reader: Interpreter, template: str) -> str:
    """A label with the numbers of the lists around filled in."""

    def number(match: re.Match[str]) -> str:
        value = reader.counters.values.get(match[2] or match[3], 0)
        return STYLES[match[1] or "arabic"](value)

    if not re.search(r"\*", template):
        return template
    return _OUTER.sub(number, template)


def _written(reader: Interpreter, template: str, counter: str) -> str:
    """The label of the current item."""
    value = reader.counters.values.get(counter, 0)
    text = _STYLE.sub(lambda m: STYLES[m[1]](value), template)
    return reader.inline_text(text) if "\\" in text or "{" in text or "$" in text else text.strip()


def _item(reader: Interpreter) -> None:
    option = reader.source.option()
    label = reader.inline(option) if option else ""
    if not reader.lists:
        reader.lists.append(List())
    here = reader.lists[-1]
    if here.template is not None and not label:
        label = _numbered(reader, here)
        lead = f"{label}{'' if label[-1:] in '.):]}-' else '.'} " if label else "- "
    else:
        lead = f"- {label}{'' if label[-1] in ':.)' else ':'} " if label and option else "- "
    if here.inline:
        reader.flow.space()
        reader.write(lead if lead != "- " else "")
    else:
        reader.paragraph()
        reader.flow.lead = lead


def _numbered(reader: Interpreter, here: List) -> str:
    """One more item: its label as printed, which a reference to it names without its punctuation."""
    reader.counters.step(here.counter)
    label = _written(reader, here.template or "", here.counter)
    outer = [other for other in reader.lists[-_DEEPEST:-1] if other.template is not None]
    before = _written(reader, outer[-1].template or "", outer[-1].counter).strip("().") if outer else ""
    reader.references.now = Label("item", before + label.strip("()., "))
    return label


def _new_list(reader: Interpreter) -> None:
    r"""\newlist{name}{enumerate}{depth}."""
    name, kind, _ = ("".join(reader.source.argument()).strip() for _ in range(3))
    if kind in names.LISTS:
        reader.list_types[name] = kind


def _set_list(reader: Interpreter) -> None:
    r"""\setlist[name,depth]{label=...}."""
    reader.source.star()
    which = "".join(reader.source.option() or []).split(",")
    options = "".join(reader.source.argument())
    keys = {match[1]: (match[2] or "").strip() for match in _KEY.finditer(options)}
    label = keys.get("label") or ("*" + keys["label*"] if keys.get("label*") else "")
    if label and len(which) == 1:
        reader.list_labels[which[0].strip()] = label
    elif label:
        reader.list_labels.setdefault(which[0].strip(), label)


COMMANDS: dict[str, Command] = {"item": _item, "task": _item, "newlist": _new_list, "setlist": _set_list}
