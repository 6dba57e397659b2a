r"""Numbers and units of siunitx as a reader sees them: `\SI{3.5}{\kilo\volt}` is "3.5 kV"."""

from __future__ import annotations

import re

from harvest.readers.tex.names import SUPERSCRIPTS

_PREFIXES = {
    "yocto": "y",
    "zepto": "z",
    "atto": "a",
    "femto": "f",
    "pico": "p",
    "nano": "n",
    "micro": "µ",
    "milli": "m",
    "centi": "c",
    "deci": "d",
    "deca": "da",
    "hecto": "h",
    "kilo": "k",
    "mega": "M",
    "giga": "G",
    "tera": "T",
    "peta": "P",
    "exa": "E",
}
_UNITS = {
    "metre": "m",
    "meter": "m",
    "second": "s",
    "gram": "g",
    "kilogram": "kg",
    "ampere": "A",
    "kelvin": "K",
    "mole": "mol",
    "candela": "cd",
    "volt": "V",
    "watt": "W",
    "joule": "J",
    "newton": "N",
    "pascal": "Pa",
    "hertz": "Hz",
    "coulomb": "C",
    "farad": "F",
    "ohm": "Ω",
    "siemens": "S",
    "weber": "Wb",
    "tesla": "T",
    "henry": "H",
    "lumen": "lm",
    "becquerel": "Bq",
    "gray": "Gy",
    "sievert": "Sv",
    "electronvolt": "eV",
    "degree": "°",
    "degreeCelsius": "°C",
    "celsius": "°C",
    "percent": "%",
    "litre": "L",
    "liter": "L",
    "bar": "bar",
    "minute": "min",
    "hour": "h",
    "day": "d",
    "tonne": "t",
    "radian": "rad",
    "steradian": "sr",
    "angstrom": "Å",
    "barn": "b",
    "bel": "B",
    "decibel": "dB",
    "dalton": "u",
    "arcminute": "′",
    "arcsecond": "″",
    "hectare": "ha",
    "neper": "Np",
    "gauss": "G",
    "torr": "Torr",
    "eV": "eV",
    "keV": "keV",
    "MeV": "MeV",
    "GeV": "GeV",
    "TeV": "TeV",
    "meV": "meV",
    "m": "m",
    "mm": "mm",
    "cm": "cm",
    "um": "µm",
    "nm": "nm",
    "km": "km",
    "s": "s",
    "ms": "ms",
    "us": "µs",
    "ns": "ns",
    "ps": "ps",
    "fs": "fs",
    "kg": "kg",
    "g": "g",
    "mg": "mg",
    "A": "A",
    "mA": "mA",
    "kA": "kA",
    "uA": "µA",
    "V": "V",
    "kV": "kV",
    "mV": "mV",
    "MV": "MV",
    "W": "W",
    "kW": "kW",
    "MW": "MW",
    "GW": "GW",
    "mW": "mW",
    "J": "J",
    "mJ": "mJ",
    "uJ": "µJ",
    "Hz": "Hz",
    "kHz": "kHz",
    "MHz": "MHz",
    "GHz": "GHz",
    "THz": "THz",
    "K": "K",
    "T": "T",
    "mT": "mT",
    "C": "C",
    "nC": "nC",
    "pC": "pC",
    "Pa": "Pa",
    "mbar": "mbar",
    "dB": "dB",
    "L": "L",
    "rad": "rad",
    "mrad": "mrad",
    "urad": "µrad",
    "Gy": "Gy",
}

_POWERS_BEFORE = {"square": "²", "cubic": "³"}
_POWERS_BEHIND = {"squared": "²", "cubed": "³"}
_OTHERS = {"mu": "µ", ",": " ", "circ": "°", "tothe": "^", "of": "", "cdot": " ", "times": " "}


def number(text: str) -> str:
    r"""A number as siunitx prints it: `1.2e-3` is "1.2×10⁻³", `5(1)` stays, `+-` is "±"."""
    text = re.sub(r"\\pm|\+-", "±", text.replace("~", "").replace("\\,", "").strip())
    text = re.sub(r"\s*±\s*", " ± ", text)
    text = re.sub(r"\s*\\?x\s*(?=\d)", " × ", text) if re.search(r"\d\s*x\s*\d", text) else text
    return re.sub(r"^(.*?\d)?[eEdD]([-+]?\d+)$", _power, text)


def unit(signs: list[str]) -> str:
    """The symbols of a unit written with macros or plainly."""
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
        elif name in _PREFIXES or name in _UNITS:
            joint = "" if prefixed else "/" if per else " " if out else ""
            prefixed = name in _PREFIXES
            out.append(joint + (_PREFIXES[name] if prefixed else _UNITS[name] + power))
            per, power = False, power if prefixed else ""
        elif name:
            out.append(_OTHERS.get(name, name))
        elif sign not in "{}":
            out.append({".": " ", "~": " "}.get(sign, sign))
    return re.sub(r"\^\{?([-+]?\d+)\}?", lambda m: m[1].translate(SUPERSCRIPTS), "".join(out)).strip()


def _power(match: re.Match[str]) -> str:
    exponent = "10" + match[2].lstrip("+").translate(SUPERSCRIPTS)
    return f"{match[1]}×{exponent}" if match[1] else exponent
