"""Licences as SPDX ids (https://spdx.org/licenses/), from what sources and people write; what has no id becomes a LicenseRef.

Three kinds of writing are understood: addresses (of Creative Commons, arXiv, GNU and others), ids in any case, and the
usual names ("CC BY-NC 4.0", "Creative Commons Attribution 4.0 International", "public domain"). Nothing is guessed: a
Creative Commons licence without a version is one whose terms nobody can look up, and stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from harvest.records import UNKNOWN_LICENCE

_CC = re.compile(r"creativecommons\.org/licenses/(?P<kind>by(?:-nc)?(?:-sa|-nd)?)/(?P<version>\d\.\d)(?:/(?P<port>[a-z]{2,3}))?(?:/|$)")
_PORTED = {"at", "au", "de", "nl", "us", "igo"}  # ports that SPDX lists at least one of
_ADDRESSES = {
    r"creativecommons\.org/publicdomain/zero/1\.0": "CC0-1.0",
    r"creativecommons\.org/(?:licenses/publicdomain|publicdomain/mark)": "LicenseRef-public-domain",
    r"arxiv\.org/licenses/nonexclusive-distrib": "LicenseRef-arXiv-nonexclusive-distrib",
    r"arxiv\.org/licenses/assumed": "LicenseRef-arXiv-assumed-1991-2003",
    r"apache\.org/licenses/license-2\.0": "Apache-2.0",
    r"gnu\.org/licenses/(?:old-licenses/)?fdl-1\.([123])": r"GFDL-1.\1-or-later",
    r"gnu\.org/(?:licenses|copyleft)/fdl\b": "GFDL-1.3-or-later",
    r"gnu\.org/licenses/(?:old-licenses/)?lgpl-2\.1": "LGPL-2.1-or-later",
    r"gnu\.org/licenses/(?:old-licenses/)?lgpl-3\.0": "LGPL-3.0-or-later",
    r"gnu\.org/licenses/(?:old-licenses/)?gpl-2\.0": "GPL-2.0-or-later",
    r"gnu\.org/licenses/(?:old-licenses/)?gpl-3\.0": "GPL-3.0-or-later",
    r"opensource\.org/licen[sc]es?/mit\b": "MIT",
    r"opensource\.org/licen[sc]es?/bsd-([23])-clause": r"BSD-\1-Clause",
    r"latex-project\.org/lppl": "LPPL-1.3c",
}
_NAMES = {
    r"(?:creative commons )?(?:cc ?0|(?:cc )?zero)(?: public domain dedication)?(?: universal)?(?: v?1(?:\.0)?)?(?: universal)?": "CC0-1.0",
    r"(?:in (?:the )?)?public[ -]?domain(?: mark)?(?: v?1\.0)?": "LicenseRef-public-domain",
    r"(?:gnu free documentation licen[sc]e|gnu fdl|gfdl),?(?: version| v)? ?1\.([123])": r"GFDL-1.\1-only",
    r"(?:gnu free documentation licen[sc]e|gnu fdl|gfdl),?(?: version| v)? ?1\.([123]),? or .*later.*": r"GFDL-1.\1-or-later",
    r"arxiv(?:\.org)?[ -](?:perpetual,? )?non-?exclusive.*": "LicenseRef-arXiv-nonexclusive-distrib",
    r"(?:the )?mit licen[sc]e": "MIT",
    r"apache(?: software)?(?: licen[sc]e)?,?(?: version| v)? ?2(?:\.0)?": "Apache-2.0",
}
_TERMS = {"attribution": "by", "noncommercial": "nc", "sharealike": "sa", "noderivatives": "nd", "noderivs": "nd"}
_CC_KINDS = ("by", "by-nc", "by-nc-nd", "by-nc-sa", "by-nd", "by-sa")
_CC_VERSIONS = ("1.0", "2.0", "2.5", "3.0", "4.0")
# Ids that a lab is likely to mean, of which the nearest is named where one is mistyped.
_COMMON = (
    *(f"CC-{kind.upper()}-{version}" for kind in _CC_KINDS for version in _CC_VERSIONS),
    *("CC0-1.0", "PDDL-1.0", "ODC-By-1.0", "GFDL-1.3-or-later", "Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Unlicense"),
    *("GPL-2.0-or-later", "GPL-3.0-or-later", "LGPL-3.0-or-later", "LPPL-1.3c", "LicenseRef-public-domain", UNKNOWN_LICENCE),
)


def spdx(said: str | Mapping[str, object] | None) -> str:
    """The SPDX id of a licence as a source states it, such as CC-BY-4.0; `LicenseRef-unknown` where there is none.

    `said` is an address, an id, a name, or an object of INSPIRE or Crossref with `url`, `URL`, `license` or `material`.
    """
    if isinstance(said, Mapping):
        stated = (said.get(key) for key in ("url", "URL", "license", "licence"))
        return next((name for text in stated if isinstance(text, str) and (name := spdx(text)) != UNKNOWN_LICENCE), UNKNOWN_LICENCE)
    text = " ".join((said or "").split()).rstrip(".")
    return _by_address(text.lower()) or _by_id(text) or _by_name(text.lower()) or UNKNOWN_LICENCE


def licence_id(text: str) -> str:
    """The id as SPDX writes it; `ValueError` naming the nearest valid one for what is neither an SPDX id nor a LicenseRef."""
    if name := _by_id(text):
        return name
    meant = spdx(text)
    near = [meant] if meant != UNKNOWN_LICENCE else _nearest(text)
    raise ValueError(f"{text!r} is no SPDX id{f'; did you mean {near[0]}?' if near else ''} (https://spdx.org/licenses/, or LicenseRef-…)")


def licence_pattern(text: str) -> str:
    """A pattern of ids (`CC-BY-*`) as it stands, or an id as SPDX writes it; `ValueError` for what can never match."""
    if not re.search(r"[*?\[]", text):
        return licence_id(text)
    if re.fullmatch(r"[\w.*?!\[\]+-]+", text):
        return text
    raise ValueError(f"{text!r} is no pattern of SPDX ids such as CC-BY-*")


# ---- inner


def _by_address(text: str) -> str:
    if found := _CC.search(text):
        port = found["port"]
        suffix = f"-{port.upper()}" if port in _PORTED and found["version"] != "4.0" else ""
        return _by_id(f"CC-{found['kind']}-{found['version']}{suffix}") or _by_id(f"CC-{found['kind']}-{found['version']}")
    matches = ((re.search(pattern, text), name) for pattern, name in _ADDRESSES.items())
    return next((match.expand(name) for match, name in matches if match), "")


def _by_id(text: str) -> str:
    """One id in SPDX's own letters; empty for anything else, expressions of several included."""
    if not re.fullmatch(r"[A-Za-z0-9.+-]+", text):
        return ""
    try:
        name = str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return ""
    known = {one.casefold(): one for one in _COMMON}
    return known.get(name.casefold(), name)  # LicenseRefs have no canonical letters, but ours have


def _by_name(text: str) -> str:
    text = re.sub(r"[()]", " ", text).strip()
    for pattern, name in _NAMES.items():
        if match := re.fullmatch(pattern, text):
            return match.expand(name)
    return _by_cc_name(text)


def _by_cc_name(text: str) -> str:
    """Creative Commons in words or letters: terms in any usual form and a version."""
    words = re.sub(r"non-commercial", "noncommercial", text)
    words = re.sub(r"share[ -]alike", "sharealike", re.sub(r"no[ -]deriv", "noderiv", words))
    match = re.fullmatch(
        r"(?:creative commons|cc)\b[ :]*(?P<terms>[a-z -]*?)[ -]*(?:licen[sc]e)?[ ,]*v?(?:ersion )?(?P<version>\d\.\d)\b.*", words
    )
    if not match:
        return ""
    terms = [_TERMS.get(word, word) for word in re.split(r"[ -]+", match["terms"]) if word]
    return _by_id(f"CC-{'-'.join(terms)}-{match['version']}") if set(terms) <= {"by", "nc", "sa", "nd"} else ""


def _nearest(text: str) -> list[str]:
    names = {name.casefold(): name for name in _COMMON}
    return [names[near] for near in get_close_matches(text.strip().casefold().replace(" ", "-"), names, n=1, cutoff=0.5)]
