"""A lab's own archive: a Python function that yields Documents, called anew in every run.

papers/<id>/document.json, paper.json    what the function yielded, so that an archive need not fit into memory
papers/<id>/.origin.json                 which function it came from
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.machinery import PathFinder
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harvest.config import PythonSource
from harvest.licence import licence_id
from harvest.records import UNKNOWN_LICENCE, Document, Paper, Section
from harvest.sources.offer import Offer
from harvest.store import FieldsmithError, UsageError, fingerprint, first_problem, is_done, load, mark_done, safe_name, save, sha256_text

_COPY = "document.json"
_DOCUMENT = TypeAdapter(Document)
_TAKEN = ("harvest", "qagen", "train", "flows", *sys.stdlib_module_names)


@dataclass(frozen=True, slots=True)
class Origin:
    """Which function a copy came from; the stage takes a paper with such a file for a copy, which goes when the original does."""

    call: str


def offers(source: PythonSource, run: Path, *, refresh: bool = False) -> Iterator[Offer]:
    """What the function yields, in its order. Raises `FieldsmithError` for whatever goes wrong in it, naming it.

    The function is called whether or not a refresh is asked for: nothing else can tell what changed.
    """
    papers: dict[str, Paper] = {}
    with _importable(source):
        for document in _documents(source):
            if document.id in papers:
                raise FieldsmithError(f"{source.call} yields the id {document.id!r} twice; ids must differ")
            papers[document.id] = _kept(document, source.call, run / "papers" / safe_name(document.id))
    for paper in papers.values():
        copy = run / "papers" / safe_name(paper.id) / _COPY
        yield Offer(paper, f"python {source.call}", partial(_fetch, paper), document=partial(load, copy, Document))


# ---- the function


def _documents(source: PythonSource) -> Iterator[Document]:
    """What the function yields, checked; whatever it raises is told with its name and the line of the lab's code."""
    function = _function(source)
    iterator: Iterator[object] = iter(())
    for number in count(1):
        try:
            if number == 1:
                iterator = iter(function(**source.arguments))
            item = next(iterator)
        except StopIteration:
            return
        except (Exception, SystemExit) as error:  # it is the lab's code, and may raise anything
            raise FieldsmithError(f"{source.call} fails: {_last_line(error, source)}") from error
        if not isinstance(item, Document):
            raise FieldsmithError(
                f"{source.call} yields {type(item).__name__!r} as item {number}; "
                "it must yield harvest.Document, made for example by harvest.document()"
            )
        yield _checked(item, source, number)


def _function(source: PythonSource) -> Callable[..., Any]:
    name, _, attribute = source.call.partition(":")
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(f"there is no module {name!r} in {source.folder} or installed; correct harvest.sources.python.call") from error
        raise FieldsmithError(f"the module {name!r} cannot be imported: {_last_line(error, source)}") from error
    except (Exception, SystemExit) as error:
        raise FieldsmithError(f"the module {name!r} cannot be imported: {_last_line(error, source)}") from error
    function: Callable[..., Any] | None = getattr(module, attribute, None)
    if not callable(function):
        raise UsageError(f"the module {name!r} ({module.__file__}) has no function {attribute!r}; correct harvest.sources.python.call")
    try:
        inspect.signature(function).bind(**source.arguments)
    except TypeError as error:
        raise UsageError(f"{source.call} cannot be called with harvest.sources.python.arguments: {error}") from error
    return function


@contextmanager
def _importable(source: PythonSource) -> Iterator[None]:
    """With the lab's folder first on the path; its modules are forgotten afterwards, since a worker may outlive an edit."""
    top, folder = source.call.partition(":")[0].partition(".")[0], source.folder.resolve()
    importlib.invalidate_caches()
    if PathFinder.find_spec(top, [str(folder)]) and (top in _TAKEN or (top in sys.modules and not _is_below(sys.modules[top], folder))):
        raise UsageError(f"the module {top!r} in {folder} has the name of one that is in use already; rename it")
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if _is_below(sys.modules[name], folder) and name.partition(".")[0] not in _TAKEN:
                del sys.modules[name]


def _is_below(module: object, folder: Path) -> bool:
    places = [getattr(module, "__file__", None) or "", *map(str, getattr(module, "__path__", ()))]
    return any(place and Path(place).resolve().is_relative_to(folder) and "site-packages" not in place for place in places)


def _last_line(error: BaseException, source: PythonSource) -> str:
    """What a traceback ends with, and the line of the lab's code that it came from."""
    said = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, SyntaxError):
        return f"{said} ({Path(error.filename or '').name}, line {error.lineno})"
    folder = str(source.folder.resolve())
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(folder)]
    frames = [frame for frame in frames if frame.filename != __file__]
    return f"{said} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else said


# ---- the documents


def _checked(document: Document, source: PythonSource, number: int) -> Document:
    """A document that keeps the promises of its record: types, spans inside the text, its hash, an id, a licence."""
    where = f"{source.call} yields as item {number} a document ({str(document.id)[:80]!r}) that"
    try:
        made = _DOCUMENT.validate_python(asdict(document))
        made.text.encode("utf-8")
        licence = licence_id(made.paper.licence)
    except ValidationError as error:
        raise FieldsmithError(f"{where} is not as it should be: {first_problem(error)}") from error
    except ValueError as error:  # lone surrogates; a licence that is none
        raise FieldsmithError(f"{where} is not as it should be: {error}") from error
    if not made.id.strip() or not made.text.strip():
        raise FieldsmithError(f"{where} has no {'text' if made.id.strip() else 'id'}")
    spans = [*((s.start, s.end) for s in made.sections), *(span for page in made.pages for span in page.spans)]
    if any(not 0 <= start <= end <= len(made.text) for start, end in spans):
        raise FieldsmithError(f"{where} has sections or pages outside its text of {len(made.text)} characters")
    paper = replace(
        made.paper,
        id=made.id,
        source=made.paper.source or "python",
        title=made.paper.title or made.id,
        licence=source.licence if licence == UNKNOWN_LICENCE else licence,
    )
    sections = made.sections or (Section("", 1, 0, len(made.text)),)
    return replace(made, paper=paper, sections=sections, sha256=sha256_text(made.text), extractor=made.extractor or "python")


def _kept(document: Document, call: str, place: Path) -> Paper:
    """Keep a document until the stage asks for it; one that is here already is not written again."""
    key = fingerprint(call, document)
    if not is_done(place / _COPY, key):
        save(place / ".origin.json", Origin(call))
        save(place / _COPY, document)
        mark_done(place / _COPY, key)
    return document.paper


def _fetch(paper: Paper, folder: Path) -> Paper:
    record = folder / "paper.json"
    if not record.exists() or load(record, Paper) != paper:
        save(record, paper)
    return paper
