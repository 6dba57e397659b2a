"""Pages that stand where a document was expected: refusals, captchas, logins, errors, stubs."""

from __future__ import annotations

import re

from harvest.readers.markup.parse import Element, text_of

_SHORT = 300  # words; a page that refuses says little else
_STUB = 100
_STATUS = r"(?:^\W*(?:error|http(?:/\d(?:\.\d)?)?)?\W*|(?:error|http(?:/\d(?:\.\d)?)?|status(?: code)?)\W*)"  # before its number
_KINDS = (
    (
        "that asks for a captcha",
        r"captcha|are you (?:a )?(?:human|robot)|not a robot|unusual traffic|verif\w+ (?:that )?you are (?:a )?human|^just a moment\W*$|"
        r"checking (?:if the site connection is secure|your browser)|ddos protection|人机验证|安全验证|验证码",
    ),
    (
        "that denies access",
        rf"access (?:is |was |has been )?denied|{_STATUS}(?:401|403|429|451)\b|^\W*forbidden|not authori[sz]ed|permission denied|"
        r"you (?:do not|don't) have (?:access|permission)|(?:been|is|was) blocked|^rate exceeded|"
        r"too many requests|拒绝访问|没有权限|禁止访问",
    ),
    (
        "of an error",
        rf"{_STATUS}(?:404|410|50[0-4])\b|^\W*(?:page |file |object )?not found|"
        r"(?:page|file|document|url|resource|article|paper)\b[^.]{0,60}"
        r"\b(?:was |is |could |can)? ?not (?:be )?found|no longer available|bad gateway|service (?:temporarily )?unavailable|"
        r"internal server error|gateway time-?out|something went wrong|no html for|页面不存在|找不到页面|服务器错误",
    ),
    (
        "that asks for a login",
        r"^\W*(?:sign|log)[ -]?in\b|(?:please|must|need to|have to) (?:first )?(?:sign|log) ?in\b|login required|authentication required|"
        r"session (?:has )?expired|^登录|请登录|用户登录",
    ),
    (
        "that asks for cookies or JavaScript",
        r"(?:enable|requires?|turn on) (?:javascript|cookies)|(?:javascript|cookies) (?:is|are|must be) (?:disabled|required|enabled)|"
        r"启用\s*javascript",
    ),
    ("that leads elsewhere", r"redirecting\b|being redirected|moved permanently|(?:document|page) has moved|not redirected|正在跳转"),
)
_PATTERNS = [(kind, re.compile(pattern, re.IGNORECASE | re.MULTILINE)) for kind, pattern in _KINDS]
_WORD = re.compile(r"[^\W\d_]+|[\u4e00-\u9fff]")


def why_no_document(root: Element, text: str) -> str:
    """Why a page is no document, in words; empty if it may be one. `text` is what a reader got out of it.

    A page is judged by its title and headings if it is short, by all its words if it says next to nothing.
    """
    words = len(_WORD.findall(text))
    if words >= _SHORT:
        return ""
    titles = "\n".join(text_of(e) for e in root.iter("title", "h1", "h2"))
    if _asks_for_password(root):
        return "it is a web page that asks for a login, not a document"
    said = f"{titles}\n{text[:600]}" if words < _STUB else titles
    for kind, pattern in _PATTERNS:
        if pattern.search(said):
            return f"it is a web page {kind}, not a document"
    if words < _STUB and _leads_elsewhere(root):
        return "it is a web page that leads elsewhere, not a document"
    if words < _STUB and next(root.iter("frameset"), None) is not None:
        return "it is a web page of frames, not a document"
    return ""


def _leads_elsewhere(root: Element) -> bool:
    said = [(e.get("http-equiv") or "", e.get("content") or "") for e in root.iter("meta")]
    return any(name.lower() == "refresh" and "url" in content.lower() for name, content in said)


def _asks_for_password(root: Element) -> bool:
    return any((field.get("type") or "").lower() == "password" for field in root.iter("input"))
