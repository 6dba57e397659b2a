"""Whether an answer says that it cannot be known: families of phrases in English and Chinese, each about the answer, not the subject.

A negation alone is none ("the pressure cannot be measured below 17 nPa"): what is negated must be knowing, finding or being told.
"""

from __future__ import annotations

import re

from train.prove.words import plain

_NOT = r"(?:not|n't|never)"
_TOLD = (
    r"(?:known|specified|stated|mentioned|given|provided|available|reported|disclosed|published|recorded|documented|clear|certain"
    r"|indicated)"
)
_FIND = r"(?:know|say|tell|determine|answer|infer|find out|establish|conclude|work out)"
_FOUND = r"(?:known|determined|answered|inferred|found|said|told|established|concluded|worked out|deduced)"
_SOURCE = r"(?:passages?|texts?|documents?|context|reports?|papers?|sources?|information|material|excerpts?|question)"
_MENTION = r"(?:say|mention|state|contain|give|specify|provide|include|tell|describe|indicate|reveal|report|disclose|answer)"
_FACTS = r"(?:information|data|knowledge|details?|mention|record|answer|evidence|figures?|values?|indication|idea)"
_ENDS = (
    rf"(?=\s*(?:[.,;:!?)]|$|\b(?:in|by (?:the|these) {_SOURCE}|from|anywhere|here|to me|how|what|when|where|which|who|why|whether|if|yet"
    r"|for|at present)\b))"
)

_ENGLISH = (
    r"\b(?:I|we|one|you|it is|it's|am|I'm)\b[^.]{0,20}"
    rf"(?:\b(?:do|can|could|would|be)\s?{_NOT}|\bcannot|\bcan't|\bunable to|\bnot able to|\bimpossible to)\s+(?:\w+ly )?{_FIND}\b",
    rf"\b(?:cannot|can't|can not|couldn't|could not)\s+(?:\w+ly )?be {_FOUND}\b",
    rf"\b{_SOURCE}\b[^.]{{0,30}}\b(?:do|does|did)(?:n't|\s{_NOT})\s+(?:\w+ly )?{_MENTION}\b",
    rf"\b{_SOURCE}\b[^.]{{0,20}}\b(?:gives?|contains?|provides?|offers?|has|have|makes?)\s+"
    rf"(?:no|not enough|insufficient)\s+(?:\w+ )?{_FACTS}\b",
    rf"\b(?:is|are|was|were|been|be)(?:n't|\s+{_NOT})\s+(?:\w+ly )?(?:been )?{_TOLD}{_ENDS}",
    rf"\b(?:has|have|had)(?:n't|\s+{_NOT})\s+(?:\w+ly )?been {_TOLD}{_ENDS}",
    rf"\b(?:there is|there are|there's|I have|we have|I've|have)(?:n't| not)? "
    rf"(?:no|not enough|insufficient|any|enough) (?:\w+ )?{_FACTS}\b",
    rf"\bthere (?:is|are)(?:n't| not) (?:any|enough|sufficient) (?:\w+ )?{_FACTS}\b",
    rf"^\W*(?:no|not enough|insufficient) (?:\w+ )?{_FACTS}\b(?! (?:is|are) (?:lost|needed|sent))",
    r"\b(?:is|are|was|were|remains?)\s+(?:\w+ly )?(?:unknown|unclear|unspecified|uncertain|undisclosed)\b(?!\s+to\b)",
    r"^\W*(?:unknown|not known|not specified|not stated|not given|not mentioned|unclear|unanswerable|n/?a)\W*$",
    r"\b(?:I'm|I am|we are|we're) not (?:sure|certain|aware)\b",
    r"\bimpossible to (?:say|know|tell|determine|answer)\b",
    r"\bno ?(?:body|one) knows\b",
    r"\bno way (?:to|of) (?:know|tell|say|answer|determin)\w*",
)
_CHINESE = (
    r"不知道|不得而知|无从(?:得知|知晓|判断|回答)|(?:并|尚|还|目前)?不清楚",
    r"(?:无法|不能|难以)(?:从.{0,16}?(?:中)?)?(?:确定|得知|知道|回答|判断|推断|推知|获知|给出答案|说明)(?!.{0,3}(?:的|位置|方向))",
    r"(?:没有|未|并未|没)(?:明确)?(?:提到|提及|说明|给出|写明|注明|记载|披露|公布|报道|指出|透露)",
    r"(?:没有|缺乏|缺少)(?:任何|相关|足够|有关)(?:的)?(?:信息|资料|数据|记载|说明|内容)",
    r"(?:是|仍|仍然|目前|尚|数值|均|都|为)未知|^未知|尚(?:不|未)(?:清楚|明确|可知|知)",
)
_ABSTAINS = re.compile("|".join(f"(?:{one})" for one in _ENGLISH), re.IGNORECASE)
_ABSTAINS_HAN = re.compile("|".join(f"(?:{one})" for one in _CHINESE))


def abstains(said: str) -> bool:
    """Whether a free answer declares that the answer is not known, or not to be known."""
    text = " ".join(plain(said).split())
    return bool(_ABSTAINS.search(text) or _ABSTAINS_HAN.search(text))
