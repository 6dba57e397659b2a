"""Questions that nobody can answer, to see whether a model says so: left open by the sources, or about things that do not exist.

The first are pairs of the kind `unanswerable`, of which a teacher and rules have looked that their document says nothing; here is
looked that no other question of the run is the same and has an answer. The second are made without a teacher: a question of the run
that names one thing, with an invented name in its place that nothing in the run has. A model that answers it with the value of the
real thing, or with any, makes it up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from qagen.checks.elements import names
from qagen.curate.contamination import ExamCheck
from qagen.curate.exams import is_left_open, question_of, spread
from qagen.curate.split import draw
from qagen.records import ExamQuestion, QAPair

_POOL: Final = 2000  # so many pairs are enough to find names in
_INVENTED: Final = "-invented"
_SAID: Final = {
    "en": "It is not known: there is no information about {name}.",
    "zh": "无法得知：没有关于{name}的资料。",
}
_STARTS: Final = ("Br", "Dr", "Fl", "Gl", "Kr", "Pl", "Qu", "Sk", "Thr", "Tr", "V", "W", "Z", "M", "L", "H")
_VOWELS: Final = ("a", "e", "i", "o", "u", "ey", "ou")
_MIDDLES: Final = ("ld", "mb", "nv", "rr", "st", "x", "rk", "ss", "zz", "ll")
_ENDS: Final = ("ick", "ow", "and", "eth", "yne", "ogan", "ust", "aby", "inth", "ormal")
_HAN_NAMES: Final = "岚澈枫霁棠苇鹳翎渚岫珩璟", "泓砚舟鸢桁堇榆阑汀霭湛麓"
# A proper name in the middle of an English sentence: one capitalised word of letters, no acronym, no start of a sentence.
_NAME: Final = re.compile(r"(?<=[a-z,] )(?P<name>[A-Z][a-z]{3,})(?![\w-]| [A-Z])")
_NAME_ZH: Final = re.compile(r"(?<=“)(?P<name>[\u3400-\u9fff]{2,4})(?=”)")
_NO_NAMES_TEXT: Final = (
    "January February March April May June July August September October November December "
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday Figure Table Section Equation Chapter English Chinese "
    "Celsius Kelvin Fahrenheit Ampere Coulomb Gauss Gray Hertz Joule Newton Pascal Sievert Tesla Volt Watt Weber"
)
_NO_NAMES: Final = frozenset(_NO_NAMES_TEXT.split())


def draw_unanswerable(
    pairs: Sequence[QAPair], n: int, evidence: Callable[[QAPair], str], *, seed: int, threshold: float, texts: Iterable[str]
) -> list[ExamQuestion]:
    """`n` questions without an answer: those that sources leave open first, then those about things that do not exist.

    Which ones depends on the seed and the ids of the pairs alone. `texts` are those of all documents, in which no invented name may stand.
    Of paraphrases none is drawn. Fewer where there are not so many.
    """
    if n == 0:
        return []
    asked = [pair for pair in pairs if not pair.paraphrase_of]
    answered = [pair for pair in asked if not is_left_open(pair)]
    silent = _nowhere_answered([pair for pair in asked if is_left_open(pair)], answered, threshold)
    found = [question_of(pair, evidence(pair)) for pair in spread(silent, n, seed)]
    if len(found) < n:
        pool = sorted(answered, key=lambda pair: (draw(seed, "pool", pair.id), pair.id))[:_POOL]
        found += _about_nothing(pool, n - len(found), seed, threshold, texts)
    return sorted(found, key=lambda question: (question.document_id, question.id))


def _nowhere_answered(silent: Sequence[QAPair], answered: Sequence[QAPair], threshold: float) -> list[QAPair]:
    """Those that no other pair asks too, with an answer."""
    if not silent:
        return []
    check = ExamCheck([question_of(pair, "") for pair in answered], threshold)
    hits = check.all([(pair.question, "") for pair in silent])
    return [pair for pair, hit in zip(silent, hits, strict=True) if hit is None]


def pair_of(question: ExamQuestion) -> str:
    """The id of the pair that a question of any drawn exam was made of."""
    return question.id.removesuffix(_INVENTED)


# ---- things that do not exist


@dataclass(frozen=True, slots=True)
class _Named:
    """A pair whose question names one thing, and where."""

    pair: QAPair
    start: int
    end: int


def _about_nothing(pairs: Sequence[QAPair], n: int, seed: int, threshold: float, texts: Iterable[str]) -> Iterator[ExamQuestion]:
    named = {pair.id: found for pair in pairs if (found := _named(pair))}
    chosen = spread([pair for pair in pairs if pair.id in named], n, seed)
    if not chosen:
        return
    unheard = _invented(seed, {pair.language for pair in chosen}, len(chosen), texts)
    for pair in chosen:
        name = next(unheard[pair.language], None)
        if name is None:
            return
        question = _renamed(named[pair.id], name)
        # A guard that takes the question for the real one would have the real one's pair left out of training.
        if ExamCheck([question], threshold)(pair.question, pair.answer) is None:
            yield question


def _named(pair: QAPair) -> _Named | None:
    """Where the question names the only thing that it names; with another name left in it, it might still be that one's."""
    found = list((_NAME_ZH if pair.language == "zh" else _NAME).finditer(pair.question))
    if pair.language not in _SAID or len(found) != 1 or len(names(pair.question)) > 1:
        return None
    name = found[0]["name"]
    return None if name in _NO_NAMES or name in pair.answer else _Named(pair, found[0].start("name"), found[0].end("name"))


def _renamed(named: _Named, name: str) -> ExamQuestion:
    pair = named.pair
    question = f"{pair.question[: named.start]}{name}{pair.question[named.end :]}"
    said = _SAID[pair.language].format(name=f"“{name}”" if pair.language == "zh" else name)
    return ExamQuestion(f"{pair.id}{_INVENTED}", pair.document_id, question, said, answerable=False, licence=pair.licence)


def _invented(seed: int, languages: Iterable[str], n: int, texts: Iterable[str]) -> dict[str, Iterator[str]]:
    """Names by language that no text holds."""
    made = {language: list(dict.fromkeys(_name(seed, language, number) for number in range(2 * n + 10))) for language in sorted(languages)}
    every = {name.casefold() for some in made.values() for name in some}
    taken: set[str] = set()
    for text in texts:
        low = text.casefold()
        taken |= {name for name in every - taken if name in low}
    return {language: iter([name for name in some if name.casefold() not in taken]) for language, some in made.items()}


def _name(seed: int, language: str, number: int) -> str:
    def one(kind: str, of: Sequence[str]) -> str:
        return of[int(draw(seed, "name", language, kind, str(number)) * len(of))]

    if language == "zh":
        return one("first", _HAN_NAMES[0]) + one("second", _HAN_NAMES[1])
    return one("start", _STARTS) + one("vowel", _VOWELS) + one("middle", _MIDDLES) + one("end", _ENDS)
