"""Which language a short text is in: Chinese, English, or another one.

Characters decide first. Among languages of Latin letters, function words do, and letters that English has not: a
question of ten words holds three or four function words, so that even short ones are told apart.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path

from qagen.checks.typography import plain

_CJK_RUN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
_KANA_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_WORD = re.compile(r"(?<!\w)[^\W\d_]+(?:'[^\W\d_]+)?(?![\w])")  # the Y of a strain Y12 is no Spanish word
_MATHS = re.compile(r"\$[^$]*\$|\\[a-zA-Z]+")

_FUNCTION_WORDS = {
    name: frozenset(words.split())
    for name, words in tomllib.loads(Path(__file__).with_name("language.toml").read_text(encoding="utf-8")).items()
}
_ENGLISH = _FUNCTION_WORDS.pop("en")


@lru_cache(maxsize=2048)
def language_of(text: str) -> str:
    """`zh` if at least a fifth of the letters are Chinese characters, `en` if the rest is English; anything else is `und`.

    Formulae and names without any function word count as English, which most of them are written in.
    """
    letters = sum(map(str.isalpha, text))
    if len(_KANA_HANGUL.findall(text)) * 10 > letters > 0:
        return "und"
    if sum(len(run) for run in _CJK_RUN.findall(text)) * 5 >= letters > 0:
        return "zh"
    prose = _MATHS.sub(" ", text)
    letters = sum(map(str.isalpha, prose))
    latin = sum(character.isalpha() and (character.isascii() or "\u00c0" <= character <= "\u024f") for character in prose)
    return "en" if latin * 2 >= letters and _reads_as_english(prose) else "und"


def _reads_as_english(text: str) -> bool:
    words = [word.lower() for word in _WORD.findall(text)]
    english = sum(plain(word) in _ENGLISH for word in words)
    others = max(sum(word in held for word in words) for held in _FUNCTION_WORDS.values())
    return others < 2 or english >= others
