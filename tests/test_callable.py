"""A lab's own function as a source: documents, changes, and everything that its code may do wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import harvest
from harvest.config import HarvestConfig, PythonSource
from harvest.records import Document
from harvest.sources import callables
from harvest.sources.offer import Offer
from harvest.stage import harvest as harvest_stage
from harvest.store import FieldsmithError, UsageError, safe_name, sha256_text

LOGBOOK = """
    from harvest import document
    from helper import entries

    def read(shift="", most=10):
        for number, text in list(entries(shift))[:most]:
            yield document(f"log/{number}", text, title=f"Entry {number}", licence="cc-by-4.0", url=f"https://log.lab/{number}")
"""
HELPER = """
    def entries(shift):
        return enumerate(["The beam was lost." + shift, "# Klystron\\n\\nIt tripped.\\n\\n## Cause\\nA vacuum burst."])
"""


def lab(tmp_path: Path, **modules: str) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir(exist_ok=True)
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(code))
    return folder


def offered(tmp_path: Path, folder: Path, call: str = "logbook:read", **settings: Any) -> list[Offer]:
    return list(callables.offers(PythonSource(call=call, folder=folder, **settings), tmp_path / "run"))


def ready(offer: Offer) -> Document:
    assert offer.document is not None
    return offer.document()


def test_a_ten_line_function_gives_documents(tmp_path: Path) -> None:
    folder = lab(tmp_path, logbook=LOGBOOK, helper=HELPER)
    modules = set(sys.modules)
    offers = offered(tmp_path, folder, arguments={"shift": " Night."})
    first, second = (ready(offer) for offer in offers)
    assert (first.id, first.text, first.sha256) == ("log/0", "The beam was lost. Night.", sha256_text("The beam was lost. Night."))
    assert first.paper == offers[0].paper
    assert (first.paper.licence, first.paper.source, first.paper.urls) == ("CC-BY-4.0", "python", ("https://log.lab/0",))
    assert [(s.title, s.level, second.text[s.start : s.end]) for s in second.sections] == [
        ("Klystron", 1, "It tripped."),
        ("Cause", 2, "A vacuum burst."),
    ]
    place = tmp_path / "run" / "papers" / safe_name("log/0")
    assert offers[0].fetch(place) == first.paper
    assert (place / "paper.json").exists()
    assert (set(sys.modules) - modules) & {"logbook", "helper"} == set()
    assert str(folder) not in sys.path


def test_an_edit_of_the_code_or_the_archive_is_seen_in_the_same_process(tmp_path: Path) -> None:
    folder = lab(tmp_path, logbook=LOGBOOK, helper=HELPER)
    copies = {
        offer.paper.id: tmp_path / "run" / "papers" / safe_name(offer.paper.id) / "document.json" for offer in offered(tmp_path, folder)
    }
    before = {name: path.stat().st_mtime_ns for name, path in copies.items()}
    lab(tmp_path, helper=HELPER.replace("tripped", "recovered after the trip"))
    assert "recovered" in ready(offered(tmp_path, folder)[1]).text
    changed = [name for name, path in copies.items() if path.stat().st_mtime_ns != before[name]]
    assert changed == ["log/1"]


def test_documents_made_by_hand_are_checked_and_completed(tmp_path: Path) -> None:
    folder = lab(
        tmp_path,
        logbook="""
            from harvest import Document, Paper
            def read():
                return [Document("a", Paper("other", "", "", authors=["A"]), (), "Text 中文", "wrong", "")]
        """,
    )
    (offer,) = offered(tmp_path, folder, licence="CC0-1.0")
    made = ready(offer)
    assert (made.paper.id, made.paper.title, made.paper.authors, made.paper.licence) == ("a", "a", ("A",), "CC0-1.0")
    assert (made.sha256, made.extractor) == (sha256_text("Text 中文"), "python")
    assert [(section.start, section.end) for section in made.sections] == [(0, 7)]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def read():\n    yield 1 / 0", r"logbook:read fails: ZeroDivisionError: division by zero \(logbook.py, line 2\)"),
        ("def read():\n    raise SystemExit(3)", r"logbook:read fails: SystemExit: 3 \(logbook.py, line 2\)"),
        ("def read(:\n    pass", r"'logbook' cannot be imported: SyntaxError: .* \(logbook.py, line 1\)"),
        ("import nowhere_to_be_found\ndef read(): pass", r"'logbook' cannot be imported: ModuleNotFoundError: .*nowhere_to_be_found"),
        ("def read():\n    return None", r"logbook:read fails: TypeError: 'NoneType' object is not iterable"),
        ("def read():\n    yield 'text'", r"logbook:read yields 'str' as item 1; it must yield harvest.Document"),
        (
            "from harvest import document\ndef read():\n    yield document('a', 'x')\n    yield document('a', 'y')",
            r"yields the id 'a' twice",
        ),
        ("from harvest import document\ndef read():\n    yield document('a', ' ')", r"fails: ValueError: the document 'a' has no text"),
        ("from harvest import document\ndef read():\n    yield document('a', 'b', licence='free')", r"'free' is no SPDX id"),
        ("from harvest import *\ndef read():\n    yield Document('a', Paper('a', '', ''), (), 'x\\ud800', '', '')", r"not as it should be"),
        ("from harvest import *\ndef read():\n    yield Document('a', Paper('a', '', ''), (), 7, '', '')", r"not as it should be: text: "),
        (
            "from harvest import *\ndef read():\n    yield Document('a', Paper('a', '', ''), (Section('', 1, 0, 9),), 'x', '', '')",
            r"outside its text of 1 characters",
        ),
    ],
)
def test_what_goes_wrong_in_the_labs_code_is_told_with_its_place(tmp_path: Path, code: str, said: str) -> None:
    with pytest.raises(FieldsmithError, match=said) as caught:
        offered(tmp_path, lab(tmp_path, logbook=code))
    assert "\n" not in str(caught.value)
    assert "logbook" not in sys.modules


def test_what_is_called_wrongly_is_a_usage_error(tmp_path: Path) -> None:
    folder = lab(tmp_path, logbook=LOGBOOK, helper=HELPER, harvest="def read(): return []", calendar="def read(): return []")
    for call, arguments, said in (
        ("logbok:read", {}, "there is no module 'logbok'"),
        ("logbook:raed", {}, "has no function 'raed'"),
        ("logbook:read", {"shfit": "x"}, "shfit"),
        ("harvest:read", {}, "has the name of one that is in use"),
        ("calendar:read", {}, "has the name of one that is in use"),
    ):
        with pytest.raises(UsageError, match=said):
            offered(tmp_path, folder, call, arguments=arguments)


def test_an_archive_larger_than_memory_is_not_held_in_it(tmp_path: Path) -> None:
    """Documents wait on the disk: what the offers hold is their records only."""
    folder = lab(
        tmp_path,
        logbook="""
            from harvest import document
            def read():
                for number in range(40):
                    yield document(str(number), "word " * 200_000)
        """,
    )
    code = f"""
import json, resource
from pathlib import Path
from harvest.config import HarvestConfig, PythonSource
from harvest.sources.callables import offers
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made = list(offers(PythonSource(call="logbook:read", folder=Path({str(folder)!r})), Path({str(tmp_path / "run")!r})))
print(json.dumps([len(made), len(made[7].document().text), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    count, length, kilobytes = json.loads(out.stdout)
    assert (count, length) == (40, 999_999)
    assert kilobytes < 30_000, "40 MB of text were kept"


def test_document_is_public_and_normal() -> None:
    made = harvest.document("x", "A\u00ad a\u0308.\r\n\r\nSecond  paragraph.", authors=["A"])
    assert made.text == "A \u00e4.\n\nSecond paragraph."
    assert made.paper.licence == "LicenseRef-unknown"
    with pytest.raises(ValueError, match="an id"):
        harvest.document(" ", "x")


def test_a_harvest_follows_the_archive(tmp_path: Path) -> None:
    """What changed is done again, what went goes, the rest stays as it is."""
    code = """
        from harvest import document
        def read():
            for name, text in {entries}.items():
                yield document(name, text)
    """
    run, entries = tmp_path / "run", {"a": "The klystron tripped at noon.", "b": "The beam came back at two.", "c": "Nothing happened."}
    folder = lab(tmp_path, logbook=code.format(entries=entries))
    config = HarvestConfig.model_validate({"sources": [{"python": {"call": "logbook:read", "folder": str(folder)}}], "workers": 1})
    first = harvest_stage(config, run)
    assert first.counts["documents"] == 3
    assert harvest_stage(config, run) == first
    times = {path.stem: path.stat().st_mtime_ns for path in (run / "documents").glob("*.json")}
    lab(tmp_path, logbook=code.format(entries={"a": "The klystron tripped at midnight.", "b": entries["b"]}))
    assert harvest_stage(config, run).fingerprint != first.fingerprint
    now = {path.stem: path.stat().st_mtime_ns for path in (run / "documents").glob("*.json")}
    assert now.keys() == {"a", "b"}
    assert [name for name in now if now[name] != times[name]] == ["a"]
    assert not (run / "papers" / "c").exists()
