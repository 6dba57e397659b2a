# ruff: noqa: S311, SIM905 - no secrets are drawn here, and lists of words read best as words
"""Made-up question-answer pairs as a teacher would write them, with a known share of copies: to see what a hundred thousand cost.

A fact is a machine, a part, a quantity and a value (or a cause). Every fact has several wordings, in English or Chinese; one pair in five
words a fact that another pair has worded, one in twenty is another pair to the letter. `fact` says which pairs are one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

_SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo zu bra cle dri flo gra kle pli stro tra vel nor sil mar".split()
_PLACES = "storage ring|booster|linac|beamline|cryostat|target hall|injector|spectrometer|calorimeter|tracker|solenoid|gun".split("|")
_PARTS = (
    "corrector magnet|wire scanner|kicker|septum|bellows|collimator|beam window|pickup|klystron|modulator|cold box|vacuum pump|valve|"
    "photocathode|scintillator|straw tube|drift chamber|veto panel|light guide|read-out board|power supply|undulator|bending magnet|"
    "absorber|heat exchanger|helium line|support frame|mirror chamber|monochromator|detector module"
).split("|")
_PARTS_ZH = "校正磁铁|丝扫描仪|冲击磁铁|切割磁铁|波纹管|准直器|束流窗|拾取电极|速调管|调制器|冷箱|真空泵|阀门|光阴极|闪烁体|漂移管".split(
    "|"
)
_QUANTITIES = (
    "length:mm|width:cm|mass:kg|current:A|voltage:kV|power:kW|temperature:K|pressure:mbar|frequency:MHz|bandwidth:kHz|resolution:μm|"
    "gain:dB|efficiency:%|delay:ns|lifetime:h|radius:m|field:T|gradient:MV/m|dose rate:mSv|flow:l|impedance:Ω|capacitance:pF"
).split("|")
_QUANTITIES_ZH = {"length": "长度", "mass": "质量", "current": "电流", "voltage": "电压", "power": "功率", "temperature": "温度",
                  "pressure": "压强", "frequency": "频率", "efficiency": "效率", "field": "磁场"}  # fmt: skip
_ASKED = (
    "What is the {quantity} of the {part} in the {place} of {name}?",
    "Which {quantity} does the {part} in the {place} of {name} have?",
    "In the {place} of {name}, what {quantity} has the {part}?",
    "How large is the {quantity} of the {part} that is used in {name}'s {place}?",
)
_ANSWERED = (
    "{value} {unit}",
    "It is {value} {unit}.",
    "The {quantity} is {value} {unit}.",
    "{value} {unit}, as measured after the shutdown",
)
_ASKED_ZH = ("{name}{place}中{part}的{quantity}是多少？", "请问{name}的{place}中，{part}的{quantity}为多少？")
_ANSWERED_ZH = ("{value} {unit}", "为{value} {unit}。")
_WHY = (
    "Why was the {part} in the {place} of {name} replaced?",
    "What was the reason for replacing the {part} in the {place} of {name}?",
    "For what reason did they replace the {part} of {name}'s {place}?",
)
_CAUSES = (
    "{fault} had damaged its {piece} after {value} hours",
    "its {piece} showed {fault} after {value} hours",
    "inspection found {fault} in the {piece}",
)
_FAULTS = "corrosion|radiation damage|a vacuum leak|overheating|metal fatigue|arcing|water leaks|a broken weld|oil vapour|wear".split("|")
_PIECES = "ceramic window|insulation|cooling channel|coil|flange|seal|cable|bearing|coating|connector|blade|filament".split("|")
_BECAUSE = ("Because {cause}.", "The reason was that {cause}.", "It was replaced because {cause}.")


def made_pairs(number: int, *, copies: float = 0.2, seed: int = 0) -> Iterator[dict[str, object]]:
    """`number` records with `id`, `fact`, `question`, `answer` and `scores`, of which the share `copies` words an earlier fact again."""
    draw = random.Random(seed)
    names = sorted({"".join(draw.choices(_SYLLABLES, k=draw.choice((2, 3)))).capitalize() for _ in range(max(40, number // 40))})
    told: list[tuple[int, int]] = []
    for place in range(number):
        again = bool(told) and draw.random() < copies
        fact, wording = draw.choice(told) if again else (place, 0)
        exact = again and draw.random() < 0.25
        wording = wording if exact else draw.randrange(1 << 30)
        question, answer = _worded(fact, wording, names, seed)
        if len(told) < 200_000:
            told.append((fact, wording))
        yield {"id": f"{place:07d}", "fact": fact, "question": question, "answer": answer, "scores": {"judge": draw.random()}}


def _worded(fact: int, wording: int, names: list[str], seed: int) -> tuple[str, str]:
    draw, how = random.Random(f"{seed} {fact}"), random.Random(wording)
    name, place, part = draw.choice(names), draw.choice(_PLACES), draw.choice(_PARTS)
    if draw.random() < 0.3:
        cause = draw.choice(_CAUSES).format(fault=draw.choice(_FAULTS), piece=draw.choice(_PIECES), value=draw.randrange(100, 9000))
        return how.choice(_WHY).format(part=part, place=place, name=name), how.choice(_BECAUSE).format(cause=cause)
    quantity, unit = draw.choice(_QUANTITIES).split(":")
    value = draw.choice((f"{draw.uniform(0.1, 99):.1f}", str(draw.randrange(1, 900))))
    if quantity in _QUANTITIES_ZH and draw.random() < 0.2:
        asked = how.choice(_ASKED_ZH).format(name=name, place="储存环", part=draw.choice(_PARTS_ZH), quantity=_QUANTITIES_ZH[quantity])
        return asked, how.choice(_ANSWERED_ZH).format(value=value, unit=unit)
    asked = how.choice(_ASKED).format(name=name, place=place, part=part, quantity=quantity)
    return asked, how.choice(_ANSWERED).format(value=value, unit=unit, quantity=quantity)
