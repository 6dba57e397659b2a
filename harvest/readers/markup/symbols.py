"""Characters of formulas to TeX: Greek letters, operators and accents by their Unicode names and positions."""

from __future__ import annotations

import re
import unicodedata

from harvest.readers.markup.parse import words

_PAIRS = (
    "× times|⋅ cdot|· cdot|∙ cdot|± pm|∓ mp|÷ div|∗ ast|∘ circ|∙ bullet|⊕ oplus|⊗ otimes|⊙ odot|† dagger|‡ ddagger|≤ leq|≥ geq|⩽ leq"
    "|⩾ geq|≪ ll|≫ gg|≠ neq|≈ approx|≃ simeq|≅ cong|∼ sim|≡ equiv|∝ propto|≲ lesssim|≳ gtrsim|∈ in|∉ notin|∋ ni|⊂ subset|⊃ supset"
    "|⊆ subseteq|⊇ supseteq|∪ cup|∩ cap|∖ setminus|∅ emptyset|∧ wedge|∨ vee|¬ neg|∀ forall|∃ exists|∞ infty|∂ partial|∇ nabla|∑ sum|∏ prod"
    "|∫ int|∬ iint|∭ iiint|∮ oint|√ surd|∥ parallel|‖ |∣ mid|⊥ perp|⟂ perp|∠ angle|△ triangle|→ to|← leftarrow|↔ leftrightarrow"
    "|⇒ Rightarrow|⇐ Leftarrow|⇔ Leftrightarrow|↦ mapsto|⟶ longrightarrow|⟹ Longrightarrow|↑ uparrow|↓ downarrow|⟨ langle|⟩ rangle"
    "|〈 langle|〉 rangle|⌊ lfloor|⌋ rfloor|⌈ lceil|⌉ rceil|… dots|⋯ cdots|⋮ vdots|⋱ ddots|ℏ hbar|ℓ ell|ℜ Re|ℑ Im|ℵ aleph|′ prime|ϵ epsilon"
    "|ε varepsilon|ϕ phi|φ varphi|ϑ vartheta|ϱ varrho|ς varsigma|ϖ varpi|ı imath|ȷ jmath|° circ"
)
_COMMANDS = {sign: name for sign, _, name in (pair.partition(" ") for pair in _PAIRS.split("|"))}
ACCENTS = {
    "^": "hat", "ˆ": "hat", "̂": "hat", "~": "tilde", "˜": "tilde", "̃": "tilde", "∼": "tilde", "¯": "bar", "ˉ": "bar", "‾": "bar", "̄": "bar",
    "̅": "bar", "_": "underline", "→": "vec", "⃗": "vec", "˙": "dot", ".": "dot", "̇": "dot", "¨": "ddot", "̈": "ddot", "ˇ": "check",
    "˘": "breve",
    "´": "acute", "`": "grave", "⏞": "overbrace", "⏟": "underbrace", "︷": "overbrace", "︸": "underbrace",
}  # fmt: skip
FUNCTIONS = words(
    "arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup ln log max min sec sin sinh sup "
    "tan tanh"
)
LARGE = frozenset("∑∏∫∬∭∮⋃⋂⨁⨂∐")
_INVISIBLE = re.compile("[\u2061-\u2064\u200b-\u200f\ufeff]")
_SPECIAL = {
    "%": r"\%",
    "#": r"\#",
    "&": r"\&",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "\\": r"\backslash ",
    "\u2212": "-",
    "\u00a0": " ",
}
_SPACES = {"\u2003": r"\quad ", "\u2009": r"\,", "\u2005": r"\,", "\u200a": r"\,", "\u2002": r"\ "}


def in_tex(text: str) -> str:
    r"""Characters of a formula as TeX writes them: `α≤β` becomes `\alpha \leq \beta `; what has no command stays itself."""
    plain = _INVISIBLE.sub("", text)
    return "".join(_sign(character) for character in plain)


def word(text: str) -> str:
    r"""An identifier: one letter as it is, a function as its command, any other word upright."""
    if text in FUNCTIONS:
        return f"\\{text} "
    tex = in_tex(text)
    return rf"\mathrm{{{tex}}}" if len(text) > 1 and text.isalpha() and text.isascii() else tex


def join(parts: list[str]) -> str:
    """Parts of a formula side by side, with single spaces."""
    return re.sub(r" {2,}", " ", "".join(parts)).strip()


def _sign(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character in _SPACES:
        return _SPACES[character]
    if character in _COMMANDS:
        return f"\\{_COMMANDS[character]} " if _COMMANDS[character] else r"\| "
    if character.isascii():
        return character
    letter = unicodedata.normalize("NFKC", character)  # the italic and bold letters of mathematics are letters
    match = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(letter[:1], ""))
    if not match or len(letter) > 1:
        return letter if unicodedata.name(character, "").startswith("MATHEMATICAL ") else character
    name = {"LAMDA": "LAMBDA"}.get(match[2], match[2]).lower()
    return letter if name == "omicron" else f"\\{name if match[1] == 'SMALL' else name.capitalize()} "
