"""A judge and a base model in a few rules: what the scripted teacher says when it is asked for verdicts or without a source.

It knows no labels and none of qagen's checks. It reads sources and pairs out of the prompt as any model would, and scores by what can
be counted: numbers with sign, power and unit, the thing that stands nearest to a value, words in common, denial, recomputed steps, words
that point outside. It is a stand-in with a will of its own, so that a chain can be tried; it is no measure of a real judge.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HAN = r"[\u3400-\u9fff]"
STOPS_TEXT = (
    "a an and are as at be been by can did do does for from had has have how in into is it its of on only or that the their then there "
    "these this to was were what when where which while who whose why will with would than not no about each between both after before "
    "under during yes give given gives many much value amount called made used name complete completes known against"
)
STOPS = frozenset(STOPS_TEXT.split())
STOP_HAN = "的了在是和与及为时以由到将把有各也并后前从多少什么怎样如何哪"
ALIASES = {
    "days": "d",
    "day": "d",
    "hours": "h",
    "hour": "h",
    "minutes": "min",
    "seconds": "s",
    "second": "s",
    "percent": "%",
    "metres": "m",
    "metre": "m",
}
ALIASES |= {"μm": "µm", "μs": "µs", "天": "d", "小时": "h", "分钟": "min", "秒": "s", "degrees": "°"}
COUNTS_TEXT = "one two three four five six seven eight nine ten"
WORDS = {word: str(value) for value, word in enumerate(COUNTS_TEXT.split(), 1)}
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
SILENT = re.compile(r"(?:source|document|passage|text)\b.{0,60}\b(?:not|leaves?)\b|没有(?:说明|提到|给出)|未(?:说明|提及|给出)", re.I)
OPEN = re.compile(
    r"\bnot\b.{0,20}\b(?:been|yet|tested|studied|known|measured|exist)|not exist|planned|remains open|没有(?:测量|考虑)|尚未|有待", re.I
)
DENIED = re.compile(r"\b(?:not|no|never|without|neither|nor|none|cannot|zero order)\b|n't\b|没有|没|未|不(?!同|仅|稳定|到)", re.I)
ORDERS = re.compile(
    r"\b(?:language models?|chat ?bots?|assistants?|AI|models|reviewers)\b.{0,80}"
    r"\b(?:must|have to|please|remember|ignore|answer|state|report|write|rate|tell|mention)\b"
    r"|\bignore (?:the|all|any|previous)\b.{0,40}(?:task|instructions?)|\[/?INST\]"
    r"|(?:模型|人工智能|助手|程序).{0,30}(?:必须|请|忽略|一律|务必)|忽略.{0,8}指令",
    re.I | re.S,
)
OUTSIDE = re.compile(
    r"\b(?:this|present|our) (?:\w+ )?(?:paper|work|study|section|article)\b|\b(?:figure|table|equation|section) ?\(?\d|\bdescribed here\b"
    r"|\bthe (?:authors?|table|figure|section)\b|\b(?:described|shown|mentioned|given|listed) above\b|\b(?:our|we|us)\b"
    r"|本文|作者|该(?:器件|装置|系统)|[图表] ?\d|上述",
    re.I,
)
LOOSE = re.compile(
    r"\b(?:is|was|does|did|are) (?:its?|they|their)\b(?! \w+ed that)|\b(?:in that case|the system|the line)\b|^(?:它|其|该|这)", re.I
)
NUMBER = re.compile(
    r"(?<![\w.^])(?P<sign>[-+])?(?P<digits>\d+(?:\.\d+)?)(?:\s*×\s*10\^?(?P<power>[-+]?\d+)|[eE](?P<e>[-+]?\d+))?"
    r"(?:\s*(?P<unit>%|°C|°|[a-zA-ZµμΩ]+(?:/[a-zA-Zµ]+)?|天|小时|分钟|秒))?"
)
NAME = re.compile(r"\b(?:[A-Z]{1,4}-?\d+|[A-Z][A-Za-z]*\d[\w-]*)\b")
BOTH = re.compile(r"([\w-]+) and (?:the )?([\w-]+)|([\u3400-\u9fff]{2,4})[和与]([\u3400-\u9fff]{2,4})")


@dataclass(frozen=True)
class Pair:
    kind: str
    question: str
    answer: str
    steps: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    quotes: list[str] = field(default_factory=list)


def speak_judge(body: dict[str, Any]) -> str | None:
    """The reply to a request for verdicts or to a question without a source; None to any other request."""
    system, prompt = body["messages"][0]["content"], body["messages"][-1]["content"]
    if "say only: unknown" in system:
        return closed_book(prompt)
    listed = re.search(r"\n<pairs>\n(.*)\n</pairs>\n", prompt, re.S)
    if listed is None or '{"verdicts"' not in prompt:
        return None
    shown = re.findall(r"<source (.*?)>\n(.*?)\n</source>", prompt, re.S)
    heading, source = " ".join(head for head, _ in shown), "\n\n".join(text for _, text in shown)
    verdicts = [{"pair": number, **verdict(pair, source, heading)} for number, pair in enumerate(pairs_in(listed[1]), 1)]
    return json.dumps({"verdicts": verdicts}, ensure_ascii=False)


def pairs_in(text: str) -> Iterator[Pair]:
    for block in re.split(r"^Pair \d+ ", text, flags=re.M)[1:]:
        lines = re.findall(r"^(Question|Answer|Step \d+|Wrong option|Evidence): (.*)$", block, re.M)
        told: dict[str, list[str]] = {"Question": [], "Answer": [], "Step": [], "Wrong option": [], "Evidence": []}
        for name, value in lines:
            told[re.sub(r" \d+$", "", name)].append(value)
        kind = block[1 : block.index(")")]
        yield Pair(kind, "".join(told["Question"]), "".join(told["Answer"]), told["Step"], told["Wrong option"], told["Evidence"])


def verdict(pair: Pair, source: str, heading: str) -> dict[str, object]:
    """Scores and the first thing found wrong; the heading says what the source is about and proves nothing."""
    plain = flat(source)
    kept = [part for part in plain.split("\n\n") if len(part) > 400 or not ORDERS.search(part)]
    believed = "\n".join(piece for part in kept for piece in sentences(part) if not ORDERS.search(piece))
    against = {"faithful": unfaithful(pair, believed, heading), "complete": incomplete(pair, believed), "standalone": loose(pair.question)}
    scores = {name: 20 if why else 95 for name, why in against.items()}
    said = words(flat(pair.question + " " + pair.answer))
    scores["faithful"] -= 0 if against["faithful"] else round(20 * len(said - words(plain + heading)) / max(1, len(said)))
    why = next((why for why in against.values() if why), "the source says so")
    hard = "hard" if pair.steps else "medium" if pair.kind in ("concept", "comparison", "procedure") else "easy"
    return {
        "reason": why,
        **scores,
        "specific": 90 if len(pair.question) > (8 if re.search(HAN, pair.question) else 20) else 30,
        "difficulty": hard,
    }


# ---- what can be wrong


def unfaithful(pair: Pair, source: str, heading: str) -> str:
    answer = flat(pair.answer)
    if SILENT.search(answer):
        return told_after_all(pair, source)
    if told := next((quote for quote in pair.quotes if ORDERS.search(quote)), ""):
        return f"it rests on an order to a machine: {told}"
    if wrong := next((step for step in pair.steps if not recomputes(flat(step))), ""):
        return f"the step {wrong} is calculated wrongly"
    return (
        unknown_number(pair, answer, source)
        or unknown_words(answer, pair, f"{source}\n{heading}")
        or denied(pair, answer, source)
        or misplaced(pair, source)
        or another_cell(pair, source)
        or another_condition(pair, source)
    )


def unknown_number(pair: Pair, answer: str, source: str) -> str:
    known = set(values(source)) | set(values(flat(pair.question)))
    shown = flat(" ".join(pair.steps))
    for sign, digits, power, unit in values(answer):
        same = {one[3] for one in known if one[:3] == (sign, digits, power)}
        if not same and digits not in shown:
            return f"the source has no {sign}{digits}"
        if same and unit and unit not in same and not ("" in same and unit.rstrip("s") in source):
            return f"the source has {digits} in {sorted(same)}, not in {unit}"
    return ""


def unknown_words(answer: str, pair: Pair, source: str) -> str:
    asked, known = flat(pair.question), source.lower()
    named = re.findall(r"(?<=[a-z] )[A-Z][a-z]{2,}|\b[A-Z][a-z]{2,} [A-Z][a-z]{2,}", answer)
    if names := [word for word in NAME.findall(answer) + named if word.lower() not in known and word not in asked]:
        return f"the source does not name {names[0]}"
    if bool(re.search(HAN, answer)) != bool(re.search(HAN, source)):
        return ""  # told in another language than the source's
    premise = words(asked) - words(source)
    if len(premise) > 0.7 * len(words(asked)) and bool(re.search(HAN, asked)) == bool(re.search(HAN, source)):
        return f"the source does not speak of {', '.join(sorted(premise))}"
    own = {word for word in words(answer) - words(asked) - words(" ".join(ALIASES)) if len(word) > 2 or re.search(HAN, word)}
    missing = own - words(source)
    bearable = 0.7 if values(answer) else 0.45
    return f"the source does not speak of {', '.join(sorted(missing))}" if len(missing) > len(own) * bearable else ""


def denied(pair: Pair, answer: str, source: str) -> str:
    """A yes where the source says no: judged in the sentence that shares most with the question."""
    near = nearest(flat(pair.question) + " " + answer, source)
    says_no = bool(DENIED.search(answer)) or answer.lower().startswith("no")
    asks = re.match(r"(?:is|are|was|were|does|do|did|has|have|can)\b", pair.question, re.I) or re.search("是否|有没有|吗", pair.question)
    denies = bool(DENIED.search(near))
    if asks and denies != says_no:
        return f"the source says: {near}"
    said = next((piece for piece in clauses(source) if answer.rstrip(".。").lower() in piece.lower() and len(answer) > 15), "")
    return f"the source denies it: {said}" if said and DENIED.search(said) and not says_no and "not describe" in said else ""


def misplaced(pair: Pair, source: str) -> str:
    """A value that stands beside another name than the one asked about, where both stand in one clause or table."""
    found = values(flat(pair.answer))
    asked = set(NAME.findall(flat(pair.question)))
    if len(found) != 1 or len(asked) != 1:
        return ""
    name, digits = asked.pop(), found[0][1]
    places = [holder(piece, digits) for piece in clauses(source) if re.search(rf"(?<![\d.]){re.escape(digits)}(?![\d.])", piece)]
    others = [one for one in places if one and one != name and shape(one) == shape(name)]
    return f"{digits} belongs to {others[0]}" if others and len(others) == len(places) else ""


def holder(clause: str, digits: str) -> str:
    """The name that stands last before a value."""
    found = re.search(rf"(?<![\d.]){re.escape(digits)}(?![\d.])", clause)
    before = NAME.findall(clause[: found.start()]) if found else []
    return str(before[-1]) if before else ""


def another_cell(pair: Pair, source: str) -> str:
    """A value out of another column, or the name of another row, than the question speaks of."""
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in source.splitlines() if line.startswith("|")]
    answer, asked = flat(pair.answer).strip(" .。"), flat(pair.question)
    labels = {row[0] for row in rows}
    asked_values = {one[1] for one in values(asked)}
    marked = [row[0] for row in rows if asked_values & set(row[1:])]
    if answer in labels and marked and answer not in marked:
        return f"that is {marked[0]}"
    numbers = {one[1] for one in values(answer)}
    for row in rows:
        cells = [column for column, cell in enumerate(row) if column and cell in numbers]
        label = words(re.sub(r"\(.*?\)", "", row[0]))
        meant = label <= words(asked) if label else row[0] in asked_values
        if meant and len(cells) == 1 and len(numbers) == 1 and len(row) == len(rows[0]):
            fits = [len(words(head) & words(asked)) for head in rows[0]]
            return f"that stands under {rows[0][cells[0]]}" if fits[cells[0]] < max(fits[1:]) else ""
    return ""


def another_condition(pair: Pair, source: str) -> str:
    """Another value than the one that stands beside a number of the question, where a clause pairs values with conditions."""
    found, asked = values(flat(pair.answer)), {one[1] for one in values(flat(pair.question))}
    for clause in clauses(source) if len(found) == 1 else ():
        parts = [values(part) for part in re.split(r",| and |，|、|\bbut\b|\bonly\b", clause)]
        homes = [part for part in parts if found[0][1] in {one[1] for one in part}]
        for part in parts:
            others = [one for one in part if one[3] == found[0][3] and one[1] not in asked]
            if homes and part not in homes and others and asked & {one[1] for one in part} and not asked & {one[1] for one in homes[0]}:
                return f"the source says {others[0][1]} of that"
    return ""


def told_after_all(pair: Pair, source: str) -> str:
    asked, pieces = words(flat(pair.question)), clauses(source)
    rare = {word: 1 / max(1, sum(word in words(piece) for piece in pieces)) for word in asked}
    for piece in pieces:
        held = sum(rare[word] for word in asked & words(piece))
        if not OPEN.search(piece) and held >= 0.5 * sum(rare.values()):
            return f"the source does say: {piece}"
    return ""


def incomplete(pair: Pair, source: str) -> str:
    if SILENT.search(pair.answer):
        return ""
    answer, proof = words(flat(pair.answer)), words(flat(" ".join(pair.quotes)))
    if pair.kind == "procedure" and len(answer & proof) < 0.4 * len(proof):
        return "steps are missing"
    several = re.search(r"\b(?:temperatures|values|lengths) .*\band\b|各是|分别", pair.question)
    if several and len(values(flat(pair.answer))) == 1:
        return "one of several is missing"
    both = BOTH.search(pair.question) if pair.kind in ("comparison", "concept") and len(values(flat(pair.answer))) < 2 else None
    sides = [words(side) for side in both.groups() if side] if both else []
    if sides and all(side & words(source) for side in sides) and bool(sides[0] & answer) != bool(sides[1] & answer):
        return "one of two is missing"
    return elsewhere(pair, source)


def elsewhere(pair: Pair, source: str) -> str:
    """An answer from a sentence that speaks of something else, where another speaks of what is asked."""
    asked, answer = words(flat(pair.question)), words(flat(pair.answer)) | {one[1] for one in values(flat(pair.answer))}
    pieces = [piece for piece in sentences(source) if "|" not in piece]
    if not pieces or pair.steps or bool(re.search(HAN, pair.question)) != bool(re.search(HAN, source)):
        return ""
    held = [words(piece) | {one[1] for one in values(piece)} for piece in pieces]
    at = max(range(len(held)), key=lambda place: (len(held[place] & answer), len(held[place] & asked)))
    near = held[at] | (held[at - 1] if at and re.match(r"\W*(?:it|its|this|the|then|each)\b", pieces[at], re.I) else set())
    best = max(len(piece & asked) for piece in held)
    return "it answers something else" if held[at] & answer and len(near & asked) < 0.4 * best and best >= 3 else ""


def loose(question: str) -> str:
    found = OUTSIDE.search(question) or LOOSE.search(question)
    return f"the question says {found[0]}" if found else ""


# ---- reading


def flat(text: str) -> str:
    """Text with plain signs: no LaTeX, one minus, powers as ^."""
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+", lambda found: "^" + found[0].translate(RAISED), text)
    text = re.sub(r"\\(?:times|cdot)", " × ", text).replace("\\mu", "µ").replace("−", "-").replace("μ", "µ")
    text = re.sub(r"\\mathrm|\\[a-zA-Z]+|[${}]|\\[,;]", " ", text)
    text = re.sub(r"\^ +", "^", re.sub(r"(?<=\d),(?=\d{3})", "", text)).replace("wt%", "%")
    return re.sub(r"(?<!×)(?<!× )(?<![\d.])10\^(?=-?\d)", "1 × 10^", text)


def sentences(text: str) -> list[str]:
    return [piece for piece in re.split(r"(?<=[.!?])\s+(?=[A-Z\[])|(?<=[。！？])|\n\n+", text) if piece.strip()]


def clauses(text: str) -> list[str]:
    return [part for piece in sentences(text) for part in re.split(r"[;；\n]|, whereas|，而", piece) if part.strip()]


def words(text: str) -> set[str]:
    """Content words, cut to their beginning; Chinese by pairs of characters."""
    latin = {
        word if len(word) < 5 else word[: max(4, len(word) - 3)]
        for word in re.findall(r"[a-z][a-z-]*[a-z]", text.lower())
        if word not in STOPS
    }
    pairs = {run[at : at + 2] for run in re.findall(f"{HAN}+", text) for at in range(len(run) - 1)}
    return latin | {pair for pair in pairs if not set(pair) & set(STOP_HAN)}


def values(text: str) -> list[tuple[str, str, str, str]]:
    """Sign, digits, power of ten and unit of each number."""
    text = re.sub(rf"\b({'|'.join(WORDS)})\b", lambda found: WORDS[found[0].lower()], text, flags=re.I)
    return [_value(found) for found in NUMBER.finditer(text)]


def _value(found: re.Match[str]) -> tuple[str, str, str, str]:
    unit = found["unit"] if found["unit"] and found["unit"].lower() not in STOPS else ""
    digits = re.sub(r"\.0+$", "", found["digits"])
    return "-" if found["sign"] == "-" else "", digits, str(int(found["power"] or found["e"] or 0)), ALIASES.get(unit.lower(), unit)


def nearest(asked: str, source: str) -> str:
    wanted = words(asked)
    return max(clauses(source) or [""], key=lambda piece: len(wanted & words(piece)))


def shape(name: str) -> str:
    return re.sub(r"\d", "0", re.sub(r"[A-Z]+", "A", name))[:3]


def recomputes(step: str) -> bool:
    """Whether the last `a op b = c` of a step holds, as far as it is plain arithmetic."""
    left, _, right = re.sub(r"(\d) ?(?:×|\*) ?10\^?(-?\d+)", r"\1e\2", step).rpartition("=")
    result, meant = calculated(left.rpartition("=")[2], operators=True), calculated(right.partition(" or ")[0], operators=False)
    return result is None or meant is None or abs(result - meant) <= 0.02 * abs(result)


def calculated(side: str, *, operators: bool) -> float | None:
    """The value of numbers between × * / + -, units behind them; None for anything else."""
    pieces = re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])|/[^\W\d]+|[-+×*/()^]|[^\W\d]\w*", side.replace("π", "pi").rpartition(": ")[2])
    pieces = ["3.14159" if piece == "pi" else piece for piece in pieces]
    total, sign, had = None, "", False
    for piece in pieces:
        if piece in "()^":
            return None
        if piece in "-+×*/":
            if total is None or sign:
                return None
            sign, had = piece, True
        elif piece[0].isdigit():
            value = float(piece)
            if total is not None and not sign:
                return None
            total = value if total is None else {"+": total + value, "-": total - value, "/": total / (value or 1)}.get(sign, total * value)
            sign = ""
        elif sign:
            return None
    return total if had == operators and not sign else None


# ---- without a source

KNOWN = {"speed of light": "299792458 m/s", "boil": "100 °C", "光速": "299792458 m/s", "chemical symbol of iron": "Fe"}


def closed_book(prompt: str) -> str:
    """What everybody knows, else nothing; of options it takes the first, as small models do."""
    known = next((answer for words, answer in KNOWN.items() if words in prompt), "unknown")
    options = re.findall(r"^([A-H])\. (.*)$", prompt, re.M)
    return next((letter for letter, option in options if option == known), "A") if options else known


# ---- over HTTP

Body = dict[str, Any]


@contextmanager
def serving(speak: Callable[[Body], str | None]) -> Iterator[tuple[str, list[Body]]]:
    """A server that says what `speak` says to each request (None: it refuses); its address, and the requests so far."""
    bodies: list[Body] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            bodies.append(body)
            content = speak(body)
            said = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            whole = {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [said], "usage": usage}
            data = json.dumps({"error": {"message": "this was filtered", "code": "content_filter"}} if content is None else whole).encode()
            self.send_response(400 if content is None else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", bodies
        server.shutdown()
