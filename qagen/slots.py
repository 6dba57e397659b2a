"""A sentence with a hole where its answer stood, `The melting point of gallium is [what] at normal pressure.`

Small models cannot think of a question, but they can turn a sentence with a marked hole into one: SmolLM2-135M wrote an
acceptable question for about one sentence of twenty when shown sentence and answer, and for about ten of twenty this way.
"""

from __future__ import annotations

import re

_CLAUSE = re.compile(
    r";\s|:\s|,\s(?=(?:and|but|or|which|where|who|whose|one of|two of|most of|against|not|so that|because|although|while|as)\b)"
)
_MONTH = re.compile(r"(?:January|February|March|April|May|June|July|August|September|October|November|December)\b")
_NAMED = re.compile(r"^(?:(The|A|An|One|Each|Its)\s)?(.{4,80}?),?\s(?:called|named|nicknamed|known as)\s“?\[what\]”?")
_HAS_VERB = re.compile(r"\b(?:is|are|was|were|has|have|had|can|may|must|will|[a-z]{3,}ed)\b")
_METRIC = {
    "m": "metres", "mm": "millimetres", "cm": "centimetres", "km": "kilometres", "kg": "kilograms", "t": "tonnes",
    "s": "seconds", "ms": "milliseconds", "h": "hours", "d": "days", "min": "minutes", "%": "percent",
}  # fmt: skip
_MEASURES = {
    "W": "power", "V": "voltage", "A": "current", "Hz": "frequency", "eV": "energy", "K": "temperature", "Pa": "pressure",
    "bar": "pressure", "T": "field", "F": "capacitance", "H": "inductance", "J": "energy", "g": "mass", "Ω": "resistance",
}  # fmt: skip
_KINDS_OF_WHAT = frozenset(
    [f"how many {unit}" for unit in _METRIC.values()] + [f"what {kind}" for kind in (*_MEASURES.values(), "percentage", "temperature")]
)


def with_slot(sentence: str, answer: str, language: str) -> str:
    """The sentence with the answer replaced by a bracketed question word, cut behind the clause that holds it.

    `answer` stands in `sentence` exactly once, or is the whole of it; then the sentence comes back as it is.
    """
    if answer == sentence:
        return sentence
    if language == "zh":
        return sentence.replace(answer, f"【{_asking_zh(sentence, answer)}】")
    asking = _asking(answer)
    if asking in _KINDS_OF_WHAT and re.search(r"\b(?:is|are|was|were|of)\s$", sentence[: sentence.index(answer)]):
        asking = "what"  # `has a diameter of [what]` is already told what kind of thing
    slot = f"[{asking}]"
    clauses = _clauses(sentence.replace(answer, slot))
    at = next(index for index, clause in enumerate(clauses) if slot in clause)
    kept = "".join(clauses[: at + 1]) if slot != "[why]" else _reason_clause(clauses, at)
    kept = kept.rstrip(" ,;:.")
    if named := _NAMED.match(kept):
        return f"The name of {_definite(named)} is [what]." if not _HAS_VERB.search(named[2]) and "," not in named[2] else f"{named[0]}."
    return f"{kept}."


def _clauses(sentence: str) -> list[str]:
    cuts = [found.end() for found in _CLAUSE.finditer(sentence)]
    return [sentence[start:end] for start, end in zip([0, *cuts], [*cuts, len(sentence)], strict=True)]


def _reason_clause(clauses: list[str], at: int) -> str:
    """What a reason is given for, with the hole at the end: `Penguins huddle together in winter [why]`."""
    whole = "".join(clauses[: at + 1])
    claim = re.split(r";\s", whole)[-1]
    return re.sub(r",?\s*\[why\]", " [why]", claim[:1].upper() + claim[1:])


def _definite(named: re.Match[str]) -> str:
    article, thing = named[1] or "", named[2]
    return f"the {thing}" if article in ("The", "A", "An", "One") else f"{article.lower()} {thing}".strip()


def _asking(answer: str) -> str:
    if re.match(r"(?:because|so that|in order)\b", answer):
        return "why"
    if _MONTH.match(answer) or re.search(r"(?:^|\s)(?:19|20)\d\d$", answer):
        return "when"
    quantity = re.match(r"(?:minus |about |plus or minus )?[−-]?\d[\d.,]*\s?(.*)", answer)
    return _asking_quantity(quantity[1]) if quantity else "what"


def _asking_quantity(unit: str) -> str:
    if unit in ("percent", "per cent", "%"):
        return "what percentage"
    if unit.startswith("degrees ") or unit in ("°C", "° C"):
        return "what temperature"
    if unit in _METRIC:
        return f"how many {_METRIC[unit]}"
    measure = re.fullmatch(r"[kMGTmunpfµμ]?(W|V|A|Hz|eV|K|Pa|bar|T|F|H|J|g|Ω)", unit)
    if measure:
        return f"what {_MEASURES[measure[1]]}"
    return f"how many {unit}" if re.match(r"[a-z][a-z -]{3,}s\b", unit) else "what"


def _asking_zh(sentence: str, answer: str) -> str:
    before = sentence[: sentence.index(answer)]
    if re.search(r"(?:原因是|理由是|因为|由于|以便|目的是)$", before):
        return "什么原因"
    if re.match(r"\d{4}\s?年", answer):
        return "何时"
    if re.match(r"(?:约|大约)?[一二三四五六七八九十百千万两]+(?:分之|点|[个台块次根条种天年月])", answer):
        return "多少"
    unit = re.sub(r"^(?:正负)?\s?[\d.]+\s?", "", answer)
    return f"多少{unit}" if unit != answer and re.match(r"[\u3400-\u9fff]", unit) else ("多少" if unit != answer else "什么")
