"""Word documents to text: mammoth makes HTML of what they mean, which is read as any page.

Before that the formulas become TeX, which mammoth does not know, and what a reader of the page cannot see is taken out. mammoth
is given an archive of the few parts that it needs and that were checked here: no pictures, no links to files, no entities.
"""

from __future__ import annotations

import io
import re
import zipfile

from harvest.readers.extract import Extract, UnreadableDocument
from harvest.readers.finish import finished
from harvest.readers.html import page_flow, take_title
from harvest.readers.markup.omml import tex_of_office
from harvest.readers.markup.parse import Element, html_tree, remove, text_of, xml_tree
from harvest.readers.versions import DOCX
from harvest.readers.zipped import Archive, open_zip
from harvest.records import HiddenText

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_PARTS = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|word/(?:document\d*|styles|numbering|footnotes|endnotes)\.xml|word/_rels/(?:document\d*|footnotes|endnotes)\.xml\.rels"
)
_TEXTS = re.compile(r"word/(?:document\d*|footnotes|endnotes)\.xml")
_STYLES = """
p[style-name='Title'] => h1.title:fresh
p[style-name='caption'] => figcaption:fresh
p[style-name='Caption'] => figcaption:fresh
p[style-name='Abstract'] => p:fresh
"""
_TINY = 5  # half points


def read_docx(data: bytes, name: str) -> Extract:
    """Read the bytes of a DOCX; raises `UnreadableDocument`."""
    import mammoth

    archive = open_zip(data, name)
    hidden: list[HiddenText] = []
    warnings: list[str] = []
    clean = _clean(archive, hidden, warnings)
    page = mammoth.convert_to_html(io.BytesIO(clean), style_map=_STYLES, convert_image=lambda image: [], id_prefix="").value
    if not page.strip():
        raise UnreadableDocument(name, "no-text", "it holds no text")
    flow, _, main = page_flow(html_tree(f"<html><body>{page}</body></html>".encode(), name))
    title = take_title(flow, main, marked_only=True)
    made = finished(flow.blocks, tuple(flow.references), tuple(hidden[:200]), title or _said_title(archive), name, DOCX)
    return Extract(made.text, made.sections, made.title, DOCX, (*made.warnings, *warnings), made.references, (), made.hidden)


def _clean(archive: Archive, hidden: list[HiddenText], warnings: list[str]) -> bytes:
    """The parts that mammoth needs, checked, with formulas as text and without what is hidden."""
    archive.need("word/document.xml" if "word/document.xml" in archive.members else "word/document2.xml")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for path in archive.members:
            if _PARTS.fullmatch(path):
                made.writestr(path, _cleaned(path, archive, hidden, warnings))
    return buffer.getvalue()


def _cleaned(path: str, archive: Archive, hidden: list[HiddenText], warnings: list[str]) -> bytes:
    from lxml import etree

    root = xml_tree(archive.need(path), archive.name, path)
    if _TEXTS.fullmatch(path):
        _write_formulas(root)
        _take_out_hidden(root, hidden)
        objects = sum(1 for _ in root.iter(f"{_WORD}object"))
        if objects:
            warnings.append(f"{objects} embedded objects (such as formulas of MathType) were not read")
    made: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    return made


def _write_formulas(root: Element) -> None:
    """Formulas become runs of text between TeX's delimiters."""
    for math in [*root.iter(f"{_MATH}oMathPara"), *root.iter(f"{_MATH}oMath")]:
        parent = math.getparent()
        if parent is None or next(math.iterancestors(f"{_MATH}oMathPara"), None) is not None:
            continue
        tex = tex_of_office(math).strip()
        block = math.tag == f"{_MATH}oMathPara"
        tail = math.tail
        for child in list(math):
            math.remove(child)
        math.attrib.clear()
        math.tag, math.text, math.tail = f"{_WORD}r", None, tail
        text = math.makeelement(f"{_WORD}t", {"{http://www.w3.org/XML/1998/namespace}space": "preserve"})
        text.text = (rf"\[{tex}\]" if block else rf"\({tex}\)") if tex else ""
        math.append(text)


def _take_out_hidden(root: Element, hidden: list[HiddenText]) -> None:
    for run in list(root.iter(f"{_WORD}r")):
        if reason := _why_unseen(run):
            if text := text_of(run):
                hidden.append(HiddenText(0, reason, text[:2000]))
            remove(run)


def _why_unseen(run: Element) -> str:
    """Why the letters of a run cannot be seen; empty if they can."""
    properties = run.find(f"{_WORD}rPr")
    if properties is None:
        return ""
    vanish = properties.find(f"{_WORD}vanish")
    if vanish is not None and vanish.get(f"{_WORD}val") not in ("0", "false", "off"):
        return "not displayed"
    size = properties.find(f"{_WORD}sz")
    if size is not None and (size.get(f"{_WORD}val") or "99").isdigit() and int(size.get(f"{_WORD}val") or "99") <= _TINY:
        return "tiny"
    colour = properties.find(f"{_WORD}color")
    said = (colour.get(f"{_WORD}val") or "") if colour is not None else ""
    return "in the colour of the background" if _is_light(said) and not _is_shaded(run) else ""


def _is_light(colour: str) -> bool:
    if not re.fullmatch(r"[0-9A-Fa-f]{6}", colour):
        return False
    return sum(bytes.fromhex(colour)) > 765 - 3 * 20


def _is_shaded(run: Element) -> bool:
    """Whether the run, its paragraph, cell or table has a background of its own."""
    for around in (run, *run.iterancestors()):
        for shade in (
            around.findall(f"{_WORD}rPr/{_WORD}shd") + around.findall(f"{_WORD}pPr/{_WORD}shd") + around.findall(f"{_WORD}tcPr/{_WORD}shd")
        ):
            if not _is_light(shade.get(f"{_WORD}fill") or "FFFFFF") and shade.get(f"{_WORD}fill") != "auto":
                return True
        if around.tag == f"{_WORD}tbl" and around.find(f"{_WORD}tblPr/{_WORD}tblStyle") is not None:
            return True  # styles of tables colour their heads
    return next((True for p in run.findall(f"{_WORD}rPr/{_WORD}highlight") if p.get(f"{_WORD}val") != "none"), False)


def _said_title(archive: Archive) -> str:
    """The title in the properties of the file, unless a program put its own name there."""
    data = archive.read("docProps/core.xml")
    if data is None:
        return ""
    title = next(
        (text_of(e) for e in xml_tree(data, archive.name, "docProps/core.xml").iter("{http://purl.org/dc/elements/1.1/}title")), ""
    )
    return "" if re.match(r"microsoft word|untitled|document\d*$|.*\.docx?$", title, re.IGNORECASE) else title
