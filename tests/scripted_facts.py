"""What the scripted teacher makes of a passage, by rule: facts, and a question of every kind about each.

`answer(prompt)` is the JSON value of the reply to the user's message. The same message has the same answer, and what it says
stands in the passage, so that pairs pass the checks unless a test wants otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

SOURCE = re.compile(r"<source[^>]*>\n(.*?)\n</source>", re.S)
TITLE = re.compile(r'<source title="([^"]*)"')
QUANTITY = re.compile(
    r"(?<![\w.])\d[\d.,]*\d(?:\s?[A-Za-z%°]+|\s?[\u3400-\u9fff]{1,2})?|(?<![\w.])\d(?:\s?[A-Za-z%°]+|\s?[\u3400-\u9fff]{1,2})?"
)
CHINESE = re.compile(r"[\u3400-\u9fff]")
STOPS_TEXT = "the a an is are was were has have had of in at to and by for with on from its it that which because so"
STOPS = frozenset(STOPS_TEXT.split())


def answer(prompt: str) -> dict[str, Any]:
    """The reply to a message that shows a source."""
    source = SOURCE.search(prompt)
    passage, task = (source[1], prompt[source.end() :]) if source else ("", prompt)
    if found := re.search(r"List the distinct facts .*?up to (\d+)", task, re.S):
        return {"facts": facts(passage, int(found[1]))}
    if "Does the passage answer these" in task:
        return {"answers": [{"question": int(n), "quote": ""} for n in re.findall(r"^(\d+)\. ", task, re.M)]}
    kind = re.search(r"Kind of question: (\w+)\.", task)
    if kind is None:
        return {}
    title, told = TITLE.search(prompt), re.search(r"Write in (English|Chinese)\.", task)
    language = told[1] if told else ""
    if kind[1] == "summary":
        return {"pairs": [_summary(passage, title[1] if title else "")]}
    own, others = listed(task)
    made = [_KINDS[kind[1]](number, own + others, language, title[1] if title else "") for number in range(1, len(own) + 1)]
    return {"pairs": [pair for pair in made[: 1 if kind[1] == "unanswerable" else None] if pair]}


def listed(task: str) -> tuple[list[str], list[str]]:
    """The numbered facts of a task: those to ask about, and those that may be drawn on."""
    head = re.split(r"^Kind of question: ", task, flags=re.M)[0]
    parts = [re.findall(r"^\d+\. (.*)$", part, re.M) for part in head.split("Facts that the same document states elsewhere:")]
    return parts[0], parts[1] if len(parts) > 1 else []


# ---- facts


def sentences(passage: str) -> list[str]:
    """Sentences in one line each, and the rows of tables that are not their heads."""
    found: list[str] = []
    for block in re.split(r"\n\s*\n", passage):
        if block.lstrip().startswith("|"):
            found += [row.strip() for row in block.splitlines()[2:]]
        else:
            found += [" ".join(piece.split()) for piece in re.split(r"(?<=[.?!])\s+(?=[A-Z“\"])|(?<=[。？！])", block)]
    return [one for one in found if one]


def facts(passage: str, most: int) -> list[dict[str, Any]]:
    """A fact for every sentence that says something particular."""
    return [{"text": _text(one), "quotes": [one], "kinds": _suits(one)} for one in sentences(passage) if _suits(one)][:most]


def _text(sentence: str) -> str:
    cells = [cell.strip() for cell in sentence.strip("|").split("|")] if sentence.startswith("|") else []
    return f"The {cells[0]} is {cells[1]}." if len(cells) > 1 else sentence


def _suits(sentence: str) -> list[str]:
    row = sentence.startswith("|")
    if not row and (not 20 <= len(sentence) <= 400 or sentence[-1] not in ".。"):
        return []
    kinds = ["fact", "choice"] if QUANTITY.search(sentence) else []
    kinds += ["concept"] if re.search(r"\bbecause\b|\bso that\b|因为|由于", sentence) else []
    kinds += ["definition"] if re.search(r"\bis (?:a|an|the)\b|\bcalled\b|称为|是一", sentence) else []
    kinds += ["procedure"] if re.search(r"\bmust\b|\bthen\b|\bfirst\b|必须|然后", sentence) else []
    return [*kinds, "numerical", "comparison"] if QUANTITY.search(sentence) and not row else kinds


# ---- questions


def _value(number: int, known: list[str], language: str, title: str) -> dict[str, Any] | None:
    fact = known[number - 1]
    found = QUANTITY.search(fact)
    if found is None:
        return _whole(number, known, language, title)
    return {"fact": number, "question": _in(language, fact, found[0]), "answer": found[0].rstrip(".,")}


def _whole(number: int, known: list[str], language: str, title: str) -> dict[str, Any] | None:
    fact = known[number - 1]
    return {"fact": number, "question": _in(language, fact, fact), "answer": fact}


def _in(language: str, fact: str, value: str) -> str:
    """A question for a value of a fact, in a language."""
    chinese = bool(CHINESE.search(fact))
    if not language or (language == "Chinese") == chinese:
        return ask_about(fact, value)
    names = " ".join(dict.fromkeys(re.findall(r"[A-Z][\w-]+", fact.replace(value, " ")))) or "the machine"
    return (
        f"{names} 的这项参数的数值或名称究竟是什么？"
        if language == "Chinese"
        else f"Which value or name does the source state for {names}?"
    )


def _choice(number: int, known: list[str], language: str, title: str) -> dict[str, Any] | None:
    pair = _value(number, known, language, title)
    digits = re.match(r"\d+", pair["answer"]) if pair else None
    if pair is None or digits is None:
        return None
    rest = re.sub(r"^\d[\d.,]*", "", pair["answer"])
    return {**pair, "distractors": [f"{int(digits[0]) + more}{rest}" for more in (3, 17, 120)]}


def _numerical(number: int, known: list[str], language: str, title: str) -> dict[str, Any] | None:
    found = re.search(r"(?<![\w.,])(\d+)(\s?(?:[A-Za-z%]+|[\u3400-\u9fff]{1,2}))", known[number - 1])
    if found is None:
        return None
    double = f"{2 * int(found[1])}{found[2]}"
    asked = "What is twice this value" if language != "Chinese" else "这个数值的两倍是多少"
    body = known[number - 1].rstrip(".。")
    question = f"{body}。{asked}？" if language == "Chinese" else f"{body}. {asked}?"
    return {"facts": [number], "question": question, "steps": [f"2 * {found[0]} = {double}"], "answer": double}


def _comparison(number: int, known: list[str], language: str, title: str) -> dict[str, Any] | None:
    other = number % len(known) + 1
    if other == number:
        return None
    one, two = known[number - 1], known[other - 1]
    question = f"How does one thing compare with the other: {_subject(one)}, and {_subject(two)}?"
    if language == "Chinese":
        question = f"比较一下，{_subject(one)}，与{_subject(two)}，两者有何不同？"
    return {"facts": [number, other], "question": question, "answer": f"{one} {two}"}


def _unanswerable(number: int, known: list[str], language: str, title: str) -> dict[str, Any] | None:
    fact = known[number - 1]
    if language == "Chinese":
        return {"fact": number, "question": f"{_subject(fact)}，由谁出资建造？", "answer": f"《{title}》没有说明由谁出资。{fact}"}
    question = f"Who was paid for it, as far as is known: {_subject(fact)}?"
    return {"fact": number, "question": question, "answer": f'The document "{title}" does not say who was paid. It says only this: {fact}'}


def _summary(passage: str, title: str) -> dict[str, Any]:
    said = sentences(passage)[:2]
    chinese = bool(CHINESE.search(said[0])) if said else False
    question = f"{title}：主要内容和结果是什么？" if chinese else f"What are the main contents and results of the work on {title}?"
    return {"fact": 1, "question": question, "answer": " ".join(said)}


_KINDS: dict[str, Callable[[int, list[str], str, str], dict[str, Any] | None]] = {
    "fact": _value,
    "table": _value,
    "caption": _value,
    "definition": _whole,
    "concept": _whole,
    "procedure": _whole,
    "choice": _choice,
    "numerical": _numerical,
    "comparison": _comparison,
    "unanswerable": _unanswerable,
}


def _subject(fact: str) -> str:
    """The first words of a fact, without its numbers."""
    if CHINESE.search(fact):
        return re.sub(r"\d[\d.,]*", "", fact)[: max(8, len(fact) // 2)].rstrip("。，")
    words = [word for word in re.findall(r"[\w-]+", fact) if not re.search(r"\d", word)]
    return " ".join(words[: max(4, len(words) * 2 // 3)])


def ask_about(sentence: str, answer: str) -> str:
    """A cloze question: the sentence with a question word where the answer stood."""
    chinese = bool(CHINESE.search(sentence))
    if answer.rstrip(".。") in sentence and answer != sentence:
        rest = sentence.replace(answer, "什么" if chinese else "what", 1).rstrip(".。 ")
        return f"{rest}？" if chinese else f"Which value or name completes this: {rest}?"
    if chinese:
        return f"关于{sentence[: max(6, len(sentence) // 2)]}，情况如何？"
    words = [word for word in re.findall(r"[\w-]+", sentence) if word.lower() not in STOPS]
    return f"What is known about {' '.join(words[: max(3, len(words) * 2 // 3)])}?"
