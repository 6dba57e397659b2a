"""Formulas in running text: where they stand and which symbols they hold."""

from __future__ import annotations

import re

_DISPLAY = r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\begin\{(?P<env>\w+\*?)\}(.*?)\\end\{(?P=env)\}"
_INLINE = r"\\\((.+?)\\\)|(?<![\\$])\$(?!\$)([^$]{1,400}?)(?<!\\)\$"
_MATH = re.compile(f"{_DISPLAY}|{_INLINE}", re.S)
_WORDS_IN_MATH = re.compile(r"\\(?:text|mathrm|textrm|rm|mbox|operatorname|textnormal|si|SI|tag|label)\*?\s*\{[^{}]*\}")
_LAYOUT = re.compile(
    r"\\(?:begin|end)\s*\{[^{}]*\}(?:\{[^{}]*\})?|\\[\\,;:! ]|&"
    r"|\\(?:left|right|big|Big|bigg|Bigg|quad|qquad|nonumber|displaystyle|limits)(?![A-Za-z])"
)
_RELATION = re.compile(r"=|≈|∝|∼|≤|≥|<|>|\\(?:approx|propto|simeq|sim|equiv|leq?|geq?|lesssim|gtrsim|ll|gg|rightarrow|to)(?![A-Za-z])")
_INDEX = re.compile(r"[_^]\s*(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\[A-Za-z]+|[^\s{}\\])")
_GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho varrho sigma tau upsilon phi varphi "
    "chi psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega hbar ell"
)
_LETTER = re.compile(rf"\\({'|'.join(_GREEK.split())})(?![A-Za-z])|\\[A-Za-z]+|([A-Za-zα-ωΑ-Ωℏ])")
# Known to everybody who reads such a formula: constants of nature, differentials, the imaginary unit.
_KNOWN = frozenset(("c", "e", "h", "i", "d", "pi", "hbar", "ℏ"))
_COEFFICIENT = re.compile(r"(?<![\w.,])(?:\d{1,2}|0\.(?:5|25|75))(?![.,]?\d)(?!\s*(?:\\,)?\s*\\(?:mathrm|text|rm|si|SI)\b)")
_PROSE = re.compile(r"[A-Za-z]{4,}|[\u3400-\u9fff]")
_PLAIN = re.compile(r"^[ \t]*([^\n]{3,120})$", re.M)


def formulas(text: str, *, plain: bool) -> list[str]:
    """The formulas of a text, in order: relations with a symbol on either side, so that `$n = 3$` is none.

    TeX counts wherever it stands; lines without markup that look like a formula only if `plain`.
    """
    found = [math for math in math_in(text) if _relates(math)]
    if plain:
        found += [line[1].strip() for line in _PLAIN.finditer(_MATH.sub("", text)) if _is_plain(line[1])]
    return found


def without_coefficients(text: str) -> str:
    """The text without the small whole numbers and simple fractions in its formulas, which algebra brings forth: 2, 1/2, 0.5, 0."""
    return _MATH.sub(lambda found: _COEFFICIENT.sub(" ", found[0]) if symbols(found[0]) else found[0], text)


def without_formulas(text: str) -> str:
    """The text beside its mathematics."""
    return _MATH.sub(" ", text)


def math_in(text: str) -> list[str]:
    """What stands between the delimiters of TeX mathematics, with them, in order."""
    return [found[0] for found in _MATH.finditer(text)]


def bare(formula: str) -> str:
    """A formula without its delimiters, number and label."""
    found = _MATH.fullmatch(formula.strip())
    inner = next((group for name, group in enumerate(found.groups(), 1) if group and name != 3), formula) if found else formula
    return re.sub(r"\\(?:tag|label)\*?\s*\{[^{}]*\}|\\nonumber", "", inner).strip().strip("$").strip(" ,.;，。；")


def symbols(formula: str) -> frozenset[str]:
    """The letters that stand for something in a formula: `\\widetilde{k}_1 = k \\cos\\psi` holds k and psi.

    Indices, names of functions, text, and what everybody knows (pi, e, the speed of light) are not among them.
    """
    letters = _INDEX.sub(" ", _LAYOUT.sub(" ", _WORDS_IN_MATH.sub(" ", bare(formula))))
    return frozenset(found[1] or found[2] for found in _LETTER.finditer(letters) if found[1] or found[2]) - _KNOWN


def _relates(formula: str) -> bool:
    plain = _LAYOUT.sub(" ", _WORDS_IN_MATH.sub(" ", bare(formula)))
    relation = _RELATION.search(plain)
    return relation is not None and all(
        any(letter[1] or letter[2] for letter in _LETTER.finditer(side)) for side in (plain[: relation.start()], plain[relation.end() :])
    )


def _is_plain(line: str) -> bool:
    return len(_PROSE.findall(line)) <= 1 and "=" in line and not line.rstrip().endswith((";", "{", "?")) and _relates(line)
