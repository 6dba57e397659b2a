"""The same examples as Parquet, with everything that is known of each pair in columns of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from harvest.store import whole_file
from qagen.records import Example, QAPair

_ROWS: Final = 10_000  # held at a time


def write_parquet(
    path: Path,
    chats: Iterable[Example],
    pairs: Mapping[str, QAPair],
    title: Callable[[str], str],
    evidence: Callable[[QAPair], Sequence[str]],
) -> None:
    """Write the examples of a part with their pairs (by id), as a whole or not at all.

    `title` gives that of a document (own pairs have none and are not asked for), `evidence` the sentences of a pair in words.
    Scores and spans are lists of records, which every reader of Parquet can open.
    """
    from pyarrow import Table
    from pyarrow.parquet import ParquetWriter

    with whole_file(path) as file, ParquetWriter(file, _schema(), compression="zstd") as writer:
        for rows in _batches(chats):
            writer.write_table(Table.from_pylist([_row(chat, pairs[chat.pair_id], title, evidence) for chat in rows], _schema()))


def _row(chat: Example, pair: QAPair, title: Callable[[str], str], evidence: Callable[[QAPair], Sequence[str]]) -> dict[str, Any]:
    return {
        "messages": [{"role": message.role, "content": message.content} for message in chat.messages],
        "pair_id": pair.id,
        "document_id": pair.document_id,
        "document_title": title(pair.document_id),
        "licence": pair.licence,
        "kind": pair.kind,
        "language": pair.language,
        "question": pair.question,
        "answer": pair.answer,
        "steps": [step.text for step in pair.steps],
        "distractors": list(pair.distractors),
        "evidence": list(evidence(pair)),
        "spans": [{"document_id": span.document_id or pair.document_id, "start": span.start, "end": span.end} for span in pair.evidence],
        "scores": [{"name": name, "score": float(score)} for name, score in sorted(pair.scores.items())],
        "marks": list(pair.marks),
        "paraphrase_of": pair.paraphrase_of,
        "teacher": pair.teacher,
        "prompt": pair.prompt,
    }


def _schema() -> Any:
    import pyarrow as pa

    words, text = pa.list_(pa.string()), pa.string()
    return pa.schema(
        [
            ("messages", pa.list_(pa.struct([("role", text), ("content", text)]))),
            *((name, text) for name in ("pair_id", "document_id", "document_title", "licence", "kind", "language", "question", "answer")),
            *((name, words) for name in ("steps", "distractors", "evidence")),
            ("spans", pa.list_(pa.struct([("document_id", text), ("start", pa.int64()), ("end", pa.int64())]))),
            ("scores", pa.list_(pa.struct([("name", text), ("score", pa.float64())]))),
            ("marks", words),
            *((name, text) for name in ("paraphrase_of", "teacher", "prompt")),
        ]
    )


def _batches(chats: Iterable[Example]) -> Iterator[tuple[Example, ...]]:
    queue = iter(chats)
    while rows := tuple(islice(queue, _ROWS)):
        yield rows
