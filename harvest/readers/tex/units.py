r"""Numbers and units of siunitx as a reader sees them: `\SI{3.5}{\kilo\volt}` is "3.5 kV"."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harvest.readers.tex.signs import SUPERSCRIPTS
from harvest.readers.tex.wordlists import pairs, words

_PREFIXES = pairs("""
quecto q ronto r yocto y zepto z atto a femto f pico p nano n micro µ milli m centi c deci d deca da deka da hecto h kilo k mega M
giga G tera T peta P exa E zetta Z yotta Y ronna R quetta Q kibi Ki mebi Mi gibi Gi tebi Ti
""")
_UNITS = pairs("""
metre m meter m second s gram g kilogram kg ampere A kelvin K mole mol candela cd volt V watt W joule J newton N pascal Pa hertz Hz
coulomb C farad F ohm Ω siemens S weber Wb tesla T henry H lumen lm lux lx becquerel Bq gray Gy sievert Sv katal kat electronvolt eV
degree ° degreeCelsius °C celsius °C percent % litre L liter L bar bar minute min hour h day d tonne t radian rad steradian sr
angstrom Å barn b bel B decibel dB dalton Da atomicmassunit u arcminute ′ arcmin ′ arcsecond ″ arcsec ″ hectare ha neper Np gauss G
torr Torr mmHg mmHg year a astronomicalunit au parsec pc clight c bohr a₀ hartree Eh electronmass mₑ planckbar ħ elementarycharge e
byte B bit bit baud Bd knot kn nauticalmile M kWh kWh permille ‰ inch in erg erg dyne dyn sample S particle particle Celsius °C
""")
# The abbreviations that siunitx defines are prefixes before short symbols: \mm, \kV, \GeV, \us.
_SHORT = words("m s g A mol V W J N Pa Hz C F H T eV K L Gy Wb B bit")
_UNITS |= {prefix + symbol: prefix.replace("u", "µ") + symbol for prefix in ("", *"fpnumckMGT") for symbol in _SHORT}
_UNITS |= pairs("""
dB dB mbar mbar rad rad mrad mrad urad µrad kohm kΩ Mohm MΩ mohm mΩ amu u sr sr hl hL ml mL ul µL l L dm dm mHz mHz Sv Sv mSv mSv Bq Bq
""")

_POWERS_BEFORE = {"square": "²", "cubic": "³"}
_POWERS_BEHIND = {"squared": "²", "cubed": "³"}
_OTHERS = {
    "mu": "µ",
    ",": " ",
    "circ": "°",
    "cdot": " ",
    "times": " ",
    "Omega": "Ω",
    "textmu": "µ",
    "degree": "°",
    " ": " ",
    "%": "%",
    "AA": "Å",
}
_OTHERS |= dict.fromkeys(("of", "mathrm", "text", "rm", "unit", "cancel", "highlight", "ensuremath", "!", "frac"), "")
NO_SPACE_BEFORE = frozenset(("°", "%", "′", "″", "‰"))


def number(text: str) -> str:
    r"""A number as siunitx prints it: `1.2e-3` is "1.2×10⁻³", `5(1)` stays, `+-` is "±"."""
    text = re.sub(r"\\pm|\+-", "±", text.replace("~", "").replace("\\,", "").strip())
    text = re.sub(r"\s*±\s*", " ± ", text)
    text = re.sub(r"\s*\\?x\s*(?=\d)", " × ", text) if re.search(r"\d\s*x\s*\d", text) else text
    text = re.sub(r"\\(?:cdot|times)\s*", " × ", text)
    text = re.sub(r"\^\{?([-+]?\d+)\}?", lambda m: m[1].translate(SUPERSCRIPTS), text)
    text = text.replace("\\sim", "∼").replace("\\approx", "≈").replace("\\leq", "≤").replace("\\geq", "≥")
    return re.sub(r"^(.*?\d)?[eEdD]([-+]?\d+)$", _power, text)


def unit(signs: list[str], extra: Mapping[str, str] | None = None) -> str:
    """The symbols of a unit written with macros or plainly; `extra` are units that the document declares."""
    known = {**_UNITS, **(extra or {})}
    out: list[str] = []
    per = prefixed = False
    power = ""
    for sign in signs:
        name = sign[1:] if sign[0] == "\\" else ""
        if name == "per":
            per = True
        elif name in _POWERS_BEFORE:
            power = _POWERS_BEFORE[name]
        elif name in _POWERS_BEHIND:
            out.append(_POWERS_BEHIND[name])
        elif name in ("tothe", "raiseto"):
            out.append("^")
        elif name in known or name in _PREFIXES:
            is_prefix = name in _PREFIXES and name not in known
            joint = "" if prefixed else "/" if per and out else " " if out else ""
            behind = "⁻¹" if per and not out and not power else ""
            out.append(joint + (_PREFIXES[name] if is_prefix else known[name] + power + behind))
            prefixed, power = is_prefix, power if is_prefix else ""
            per = False if not behind or not is_prefix else per
        elif name:
            out.append(_OTHERS.get(name, name))
        elif sign not in "{}$":
            out.append({".": " ", "~": " ", "_": ""}.get(sign, sign))
    return re.sub(r"\^\{?([-+]?\d+)\}?", lambda m: m[1].translate(SUPERSCRIPTS), "".join(out)).strip()


def quantity(value: str, symbol: str) -> str:
    """A number and its unit with the space between them that they take."""
    return f"{value}{'' if not symbol or not value or symbol in NO_SPACE_BEFORE else ' '}{symbol}"


def angle(text: str) -> str:
    """Degrees, minutes and seconds, separated by semicolons."""
    return "".join(part.strip() + sign for part, sign in zip(text.split(";"), "°′″", strict=False) if part.strip())


def _power(match: re.Match[str]) -> str:
    exponent = "10" + match[2].lstrip("+").translate(SUPERSCRIPTS)
    return f"{match[1]}×{exponent}" if match[1] else exponent
