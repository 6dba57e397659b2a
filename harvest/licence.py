"""Licence addresses to SPDX ids (https://spdx.org/licenses/); what has none becomes a LicenseRef."""

from __future__ import annotations

import re

from harvest.records import UNKNOWN_LICENCE

_CC = re.compile(r"creativecommons\.org/licenses/(?P<kind>by(?:-nc)?(?:-sa|-nd)?)/(?P<version>\d\.\d)(?:/(?P<port>[a-z]{2,3}))?(?:/|$)")
_OTHERS = {
    r"creativecommons\.org/publicdomain/zero/1\.0": "CC0-1.0",
    r"creativecommons\.org/(?:licenses/publicdomain|publicdomain/mark)": "LicenseRef-public-domain",
    r"arxiv\.org/licenses/nonexclusive-distrib": "LicenseRef-arXiv-nonexclusive-distrib",
    r"arxiv\.org/licenses/assumed": "LicenseRef-arXiv-assumed-1991-2003",
    r"apache\.org/licenses/license-2\.0": "Apache-2.0",
    r"gnu\.org/licenses/(?:old-licenses/)?lgpl-2\.1": "LGPL-2.1-or-later",
    r"gnu\.org/licenses/(?:old-licenses/)?lgpl-3\.0": "LGPL-3.0-or-later",
    r"gnu\.org/licenses/(?:old-licenses/)?gpl-2\.0": "GPL-2.0-or-later",
    r"gnu\.org/licenses/(?:old-licenses/)?gpl-3\.0": "GPL-3.0-or-later",
    r"opensource\.org/licenses/mit": "MIT",
    r"latex-project\.org/lppl": "LPPL-1.3c",
}
_PORTED = {"at", "au", "de", "nl", "us", "igo"}  # ports that SPDX lists at least one of


def spdx(address: str | None) -> str:
    """The SPDX id behind a licence address, such as CC-BY-4.0; `LicenseRef-unknown` where there is none."""
    text = (address or "").strip().lower()
    if found := _CC.search(text):
        port = found["port"]
        suffix = f"-{port.upper()}" if port in _PORTED and found["version"] != "4.0" else ""
        return f"CC-{found['kind'].upper()}-{found['version']}{suffix}"
    return next((name for pattern, name in _OTHERS.items() if re.search(pattern, text)), UNKNOWN_LICENCE)
