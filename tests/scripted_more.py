"""What the scripted teacher says to derivations, questions across papers and paraphrases: always the same to the same request."""

from __future__ import annotations

import json
import re
from typing import Any

SOURCES = re.compile(r'<source title="([^"]*)"[^>]*>\n(.*?)\n</source>', re.S)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]*=[^$\n]*)\$", re.S)
EXPLAINED = re.compile(r"\$([^$=\n]+)\$ is (the [^,.;$]+)|\$([^$=\n]+)\$ ?[为是]([^，。；$]+)")
OPENINGS = {
    "en": ["Put differently, ", "To be precise, ", "Asked in another way, ", "Stated once more, ", "To ask it plainly, "],
    "zh": ["请问，", "换言之，", "具体而言，", "换个说法，", "进一步说，"],
}
WEAK = "guess"  # a step that holds this word is marked down


def speak_more(body: dict[str, Any]) -> str | None:
    """The reply to a request of these kinds, or None for a request of another."""
    system, task = body["messages"][0]["content"], body["messages"][-1]["content"]
    zh = "in Chinese" in task
    if "templates of exercises" in task:
        return _json("fillings", _fillings(task, zh))
    if "Carry out this step and no other" in task:
        return _json("steps", [_step(task, zh)])
    if "An exercise was made from the passage" in task:
        mark = 0 if WEAK in task else 2
        return _json("marks", [{"adherence": 2, "rigor": mark, "knowledge": 2, "correctness": mark, "remark": "" if mark else "A guess."}])
    if "only somebody who knows both documents" in task:
        return _json("pairs", _across(task, zh))
    if "into other words" in system:
        return _json("pairs", _wordings(task, zh))
    return None


def _json(key: str, items: list[dict[str, Any]]) -> str:
    return json.dumps({key: items}, ensure_ascii=False)


# ---- derivations


def _fillings(task: str, zh: bool) -> list[dict[str, Any]]:
    title, text = SOURCES.findall(task)[0]
    most = int(re.search(r"Choose up to (\d+)", task)[1])  # type: ignore[index]
    symbols = [(m[1] or m[3], m[2] or m[4], m[0]) for m in EXPLAINED.finditer(text)]
    found = []
    for offered in re.split(r"\nTemplate ", task)[1:]:
        name, places = offered.split(":", 1)[0], re.findall(r"^- (\w+) \((copied|in words)\)", offered, re.M)
        filled = _filled(title, text, symbols, places)
        if len(filled) == len(places):
            said = [{"symbol": symbol, "meaning": meaning, "quote": quote} for symbol, meaning, quote in symbols]
            found.append({"template": name, "places": filled, "symbols": said})
    return found[:most]


def _filled(title: str, text: str, symbols: list[tuple[str, str, str]], places: list[tuple[str, str]]) -> list[dict[str, Any]]:
    copied = [(m[1] or m[2]).strip() for m in FORMULA.finditer(text)]
    whole = [" ".join(piece.split()) for piece in re.split(r"(?<=[.。])\s+|(?<=。)", text)]
    prose = [sentence.rstrip(".。") for sentence in whole if "$$" not in sentence and len(sentence) > 12]
    numbered = [sentence for sentence in prose if re.search(r"\d", sentence)]
    filled = []
    for name, how in places:
        if name == "setting" and prose:
            filled.append({"name": name, "value": title, "quotes": [prose[0]]})
        elif how == "copied" and copied:
            formula = copied.pop(0)
            filled.append({"name": name, "value": formula, "quotes": [formula]})
        elif name == "values" and numbered:
            filled.append({"name": name, "value": numbered[0], "quotes": [numbered[0]]})
        elif name in ("target", "variable", "small") and len(symbols) >= len(filled) > 0:
            symbol, meaning, quote = symbols[len(filled) - 1]
            filled.append({"name": name, "value": f"{meaning} ${symbol}$", "quotes": [quote]})
        elif name not in ("values", "target", "variable", "small") and how != "copied" and prose:
            filled.append({"name": name, "value": prose[0], "quotes": [prose[0]]})
    return filled


def _step(task: str, zh: bool) -> dict[str, str]:
    """Every step turns the formula of the problem round."""
    formula = FORMULA.search(task)
    left, _, right = (formula[1] or formula[2] if formula else "a = b").partition("=")
    result = f"${right.strip()} = {left.strip()}$"
    return {"work": f"{'两边交换：' if zh else 'Both sides exchanged: '}{result}", "result": result}


# ---- across papers


def _across(task: str, zh: bool) -> list[dict[str, Any]]:
    (one, first), (two, second) = SOURCES.findall(task)[:2]
    quotes = [_numbered(first), _numbered(second)]
    if not all(quotes):
        return []
    question = f"在数值上，{one}与{two}有何不同？" if zh else f"How do the figures reported for {one} differ from those reported for {two}?"
    answer = f"{quotes[0]}{'' if zh else ' '}{quotes[1]}"
    said = {"first_thing": one, "second_thing": two, "question": question, "steps": [], "answer": answer}
    return [{**said, "first_quotes": [quotes[0]], "second_quotes": [quotes[1]]}]


def _numbered(text: str) -> str:
    """The first sentence with a number."""
    sentences = [" ".join(piece.split()) for piece in re.split(r"(?<=[.。])\s+|(?<=。)", text)]
    return next((one for one in sentences if re.search(r"\d", one) and "$$" not in one and 15 <= len(one) <= 300 and one[-1] in ".。"), "")


# ---- paraphrases


def _wordings(task: str, zh: bool) -> list[dict[str, str]]:
    question = re.search(r"^Question: (.*?)\nAnswer: ", task, re.S | re.M)[1]  # type: ignore[index]
    answer = re.search(r"^Answer: (.*?)\n</pair>", task, re.S | re.M)[1]  # type: ignore[index]
    count = int(re.search(r"Write (\d+) other wording", task)[1])  # type: ignore[index]
    words = question.split(" ", 1)
    opened = question if zh or not words[0].isalpha() or not words[0].istitle() else question[0].lower() + question[1:]
    return [{"question": f"{opening}{opened}", "answer": answer} for opening in OPENINGS["zh" if zh else "en"][:count]]
