"""Records -> QAPairs: the door `load_pairs`, and what a run and the command line stand on."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from harvest.records import UNKNOWN_LICENCE, Rejection
from harvest.store import UsageError, fingerprint, first_problem
from qagen.checks.words import language_of
from qagen.config import OwnConfig
from qagen.own.callables import read_callable
from qagen.own.files import read_file
from qagen.own.hub import read_folder, read_hub
from qagen.own.ids import OWN, document_of, is_own, source_of
from qagen.own.layouts import Fields, Layout, recognise
from qagen.own.names import named
from qagen.own.rows import Fault, Row, Rows
from qagen.records import QAPair, Step

STAGE: Final = "own"
_SAMPLE: Final = 50  # first records by which a layout is recognised
_CALL: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_SPDX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,79}")
_LANGUAGES: Final = {"english": "en", "chinese": "zh", "中文": "zh", "汉语": "zh", "英文": "en", "英语": "en", "cn": "zh"}
_OURS: Final = frozenset({"id", "document_id", "chunk_id", "question", "answer", "evidence", "teacher", "prompt"})
_QUOTES: Final = ("evidence", "quotes", "quote", "证据", "引文")
_PAIR: Final = TypeAdapter(QAPair)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A pair, the text of the line that it stands on (empty where the source has no lines of records), and what it quotes as its proof."""

    pair: QAPair
    line: str = ""
    quotes: tuple[str, ...] = ()


def load_pairs(
    source: str | Path | OwnConfig,
    *,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: str = "train",
    licence: str = UNKNOWN_LICENCE,
    arguments: Mapping[str, Any] | None = None,
    most: int | None = None,
    folder: str | Path = ".",
    seed: int = 0,
    refuse: Callable[[Rejection], object] | None = None,
) -> Iterator[QAPair]:
    """The question-answer pairs of a source, one at a time, in its order.

    `source` is a JSON, JSONL, CSV, TSV or Parquet file, a folder that `datasets` saved, a dataset of the hub by name
    (`camel-ai/physics`), or a callable (`module:function`, looked for in `folder` first, given `arguments` and `seed`); or all of it
    as an `OwnConfig`. The layout is recognised (see `qagen.own.layouts`) unless `columns` says it: our word -> its column. Lines that are
    QAPairs already are given as they are. What cannot be used goes to `refuse` as a Rejection (stage `own`, its line in the
    detail); without one it is logged as a warning. Raises `UsageError` for a source that does not exist or has an unknown layout,
    `FieldsmithError` for one that is broken.
    """
    config = source if isinstance(source, OwnConfig) else _config(str(source), Path(folder), name, columns, split, licence, arguments, most)
    tell = refuse or (lambda rejection: _log.warning("%s: %s", config.name, rejection.detail))
    for outcome in read_own(config, seed):
        if isinstance(outcome, Rejection):
            tell(outcome)
        else:
            yield outcome.pair


def read_own(config: OwnConfig, seed: int) -> Iterator[Found | Rejection]:
    """Pairs and refusals of a source in its order."""
    where, rows = _rows(config, seed)
    pairs = _pairs(config, where, rows)
    found = 0
    for outcome in pairs:
        yield outcome
        found += isinstance(outcome, Found)
        if config.most is not None and found >= config.most:
            return


def read_lines(path: Path) -> Iterator[Found | Rejection]:
    """Pairs and refusals of one file, with the text of their lines."""
    return read_own(_config(str(path), Path(), None, None, "train", UNKNOWN_LICENCE, None, None), 0)


# ---- where rows come from


def _config(
    source: str,
    folder: Path,
    name: str | None,
    columns: Mapping[str, str] | None,
    split: str,
    licence: str,
    arguments: Mapping[str, Any] | None,
    most: int | None,
) -> OwnConfig:
    kind, place = "path", str(folder / Path(source).expanduser())
    if not Path(place).exists():
        if _CALL.fullmatch(source):
            kind, place = "callable", source
        elif not Path(source).suffix and not source.startswith((".", "/", "~")):
            kind, place = "dataset", source
    short = re.sub(r"[^a-z0-9]+", "-", (name or Path(source.partition(":")[0]).stem).casefold()).strip("-")
    settings = {"columns": columns or {}, "arguments": arguments or {}, "split": split, "licence": licence, "most": most}
    try:
        return OwnConfig.model_validate({"name": short or "pairs", kind: place, "folder": folder, **settings})
    except ValidationError as error:
        raise UsageError(f"{source} cannot be read so: {first_problem(error)}") from error


def _rows(config: OwnConfig, seed: int) -> tuple[str, Rows]:
    """What the source is called in an error, and its rows."""
    if config.callable is not None:
        return config.callable, read_callable(config.callable, config.arguments, config.folder, seed)
    if config.dataset is not None:
        return f"the dataset {config.dataset}", read_hub(config.dataset, config.split)
    path = config.path or Path()
    return str(path), read_folder(path, config.split) if path.is_dir() else read_file(path)


# ---- rows -> pairs


def _pairs(config: OwnConfig, where: str, rows: Rows) -> Iterator[Found | Rejection]:
    rows = (one for row in rows for one in _unfolded(row))
    head = list(islice(rows, _SAMPLE))
    sample = [row for row in head if isinstance(row, Row)]
    layout: Layout | None = None
    said = {str(role): column for role, column in config.columns.items()}
    for row in chain(head, rows):
        if isinstance(row, Fault):
            yield _refused(config, where, row)
        elif not config.columns and row.data.keys() >= _OURS:
            yield _ours(config, where, row)
        else:
            layout = layout or recognise(where, [one for one in sample if not one.data.keys() >= _OURS] or [row], said)
            for fields in layout.read(row):
                yield _refused(config, where, fields) if isinstance(fields, Fault) else Found(_pair(config, fields), row.line, _quotes(row))


def _unfolded(row: Row | Fault) -> Iterable[Row | Fault]:
    """SQuAD's own files: articles of paragraphs of questions; one row for each question."""
    if isinstance(row, Fault) or not isinstance(held := row.data.get("paragraphs", [row.data]), list):
        return (row,)
    if not all(isinstance(one, Mapping) and isinstance(one.get("qas"), list) for one in held):
        return (row,)
    rest = {name: value for name, value in row.data.items() if name not in ("paragraphs", "qas")}
    return [
        Row(row.place, {**rest, **{name: value for name, value in one.items() if name != "qas"}, **asked})
        for one in held
        for asked in one["qas"]
        if isinstance(asked, Mapping)
    ]


def _ours(config: OwnConfig, where: str, row: Row) -> Found | Rejection:
    try:
        pair = _PAIR.validate_python(dict(row.data))
    except ValidationError as error:
        return _refused(config, where, Fault(row.place, "not-a-pair", f"it does not hold a QAPair: {first_problem(error)}"))
    return Found(pair, row.line)


def _pair(config: OwnConfig, fields: Fields) -> QAPair:
    identity = fingerprint("own", config.name, fields.group, fields.question, fields.answer)[:16]
    return QAPair(
        id=identity,
        document_id=document_of(config.name, fields.group or identity),
        chunk_id="",
        kind=re.sub(r"\s+", "-", fields.kind.casefold())[:40] or ("choice" if fields.distractors else "own"),
        language=_language(fields),
        question=fields.question,
        answer=fields.answer,
        evidence=(),
        teacher="",
        prompt="",
        licence=_licence(fields.licence) if fields.licence else config.licence,
        steps=tuple(map(Step, fields.steps)),
        distractors=fields.distractors,
    )


def _quotes(row: Row) -> tuple[str, ...]:
    column = named(row.data.keys(), _QUOTES)
    value = row.data.get(column) if column else None
    return tuple(text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str) and text.strip())


def at_home(pair: QAPair, name: str) -> QAPair:
    """A pair of another run as one's own: its document is not here, so its name becomes the group and no span is kept."""
    if is_own(pair.document_id) and source_of(pair.document_id) == f"{OWN}{name}":
        return pair
    original = fingerprint("own", name, pair.paraphrase_of)[:16] if pair.paraphrase_of else ""
    identity, home = fingerprint("own", name, pair.id)[:16], document_of(name, pair.document_id)
    return replace(pair, id=identity, document_id=home, chunk_id="", evidence=(), paraphrase_of=original)


def _language(fields: Fields) -> str:
    said = fields.language.casefold()
    if said in _LANGUAGES:
        return _LANGUAGES[said]
    if re.fullmatch(r"[a-z]{2,3}([-_].*)?", said):
        return re.split("[-_]", said)[0]
    return language_of(f"{fields.question} {fields.answer}")


def _licence(said: str) -> str:
    """What is no SPDX id counts as unknown, which is never passed on."""
    return said if _SPDX.fullmatch(said) else UNKNOWN_LICENCE


def _refused(config: OwnConfig, where: str, fault: Fault) -> Rejection:
    return Rejection(
        f"{OWN}{config.name}#{fault.place.replace(' ', '-')}", STAGE, fault.reason, f"{Path(where).name}, {fault.place}: {fault.detail}"
    )
