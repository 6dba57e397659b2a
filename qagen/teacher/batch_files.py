"""A batch on disk: what it asks, how far it has come at the endpoint, what came back.

    batches/NAME.json           Batch; written after the two files below, so that what has none was never sent
    batches/NAME.jsonl          a request a line, in the layout of OpenAI's Batch API, which `vllm run-batch` reads too
    batches/NAME.asked.jsonl    the same requests as the ledger knows them, until the batch is closed
    batches/NAME.output.jsonl   what came back: fetched from the endpoint, or written by `vllm run-batch`
    batches/NAME.errors.jsonl   what the endpoint could not answer

Layouts: https://developers.openai.com/api/docs/guides/batch, and vllm/entrypoints/openai/run_batch.py.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from harvest.store import load, save, whole_lines
from qagen.records import Message
from qagen.teacher.answer import Answer, Refusal, read_refusal, read_reply
from qagen.teacher.ledger import Reply, Request, Spent

logger = logging.getLogger(__name__)

Step = Literal["written", "uploaded", "created", "fetched", "closed"]


@dataclass(frozen=True, slots=True)
class Batch:
    """How far a batch has come. `place` is the endpoint and model that it is for, `written` when (seconds of the epoch).

    `step` is the last thing known to be done: a batch that is only `uploaded` may have been created, by a process that died
    before it could say so. `status` is the endpoint's own word for how it ended, `why` what was wrong with it as a whole,
    `answered` how many lines had a reply.
    """

    name: str
    place: str
    lines: int
    written: float
    step: Step = "written"
    file_id: str = ""
    batch_id: str = ""
    status: str = ""
    why: str = ""
    answered: int = 0


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back for the request `key`: an HTTP status and a body; status 0 if it was never tried (expired, cancelled)."""

    key: str
    status: int
    body: bytes

    def reply(self, bound: Spent) -> Reply | None:
        """The reply in it, if there is one; where the endpoint counted no tokens, at an upper bound."""
        return read_reply(Answer(self.status, {}, self.body), bound) if self.status == 200 else None

    def refusal(self) -> Refusal:
        """Why there is none."""
        return read_refusal(Answer(self.status, {}, self.body))


class BatchFolder:
    """The batches of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open_batches(self, place: str) -> list[Batch]:
        """The batches for an endpoint of which the replies are not all in the ledger, oldest first."""
        known = [load(path, Batch) for path in self.folder.glob("*.json") if not path.name.startswith(".")]
        strange = [batch.name for batch in known if batch.place != place and batch.step != "closed"]
        if strange:
            logger.info("batches of another endpoint or model are left alone: %s", ", ".join(sorted(strange)[:3]))
        return sorted((batch for batch in known if batch.place == place and batch.step != "closed"), key=lambda batch: batch.written)

    def save(self, batch: Batch) -> Batch:
        """Write down how far a batch has come."""
        save(self.folder / f"{batch.name}.json", batch)
        return batch

    def close(self, batch: Batch) -> None:
        """Write down that everything of a batch is in the ledger."""
        self.save(batch)
        self._asked(batch.name).unlink(missing_ok=True)

    def requests(self, name: str) -> Path:
        """The file that the endpoint reads."""
        return self.folder / f"{name}.jsonl"

    def output(self, name: str) -> Path:
        """The file of replies."""
        return self.folder / f"{name}.output.jsonl"

    def errors(self, name: str) -> Path:
        """The file of requests without reply."""
        return self.folder / f"{name}.errors.jsonl"

    def write(self, name: str, lines: Iterable[tuple[str, Request, bytes]]) -> int:
        """Write the two files of a batch: key, request and the line that the endpoint is to read. Returns how many."""
        self.folder.mkdir(parents=True, exist_ok=True)
        count = 0
        with self.requests(name).open("wb") as sent, self._asked(name).open("wb") as asked:
            for key, request, line in lines:
                sent.write(line)
                asked.write(_as_bytes({"key": key, "messages": _plain(request), "parameters": request.parameters()}))
                count += 1
            for file in (sent, asked):
                file.flush()
                os.fsync(file.fileno())
        return count

    def asked(self, name: str) -> Iterator[tuple[str, Request]]:
        """What a batch asks: key and request."""
        for line in whole_lines(self._asked(name)):
            messages = tuple(Message(one["role"], one["content"]) for one in line["messages"])
            yield line["key"], Request(messages, **line["parameters"])

    def answers(self, name: str) -> Iterator[Returned]:
        """What came back, line by line; a line that is none is warned about and left out."""
        for path in (self.output(name), self.errors(name)):
            if path.exists():
                with path.open("rb") as file:
                    yield from _answers(file, path)

    def _asked(self, name: str) -> Path:
        return self.folder / f"{name}.asked.jsonl"


def request_line(key: str, url: str, body: Mapping[str, Any]) -> bytes:
    """A line of a batch file; `url` is relative to the endpoint."""
    return _as_bytes({"custom_id": key, "method": "POST", "url": url, "body": body})


def kept_keys(replies: Path) -> Iterator[str]:
    """The keys of all requests to which a run has a reply."""
    for path in replies.glob("*.jsonl"):
        yield from (line["key"] for line in whole_lines(path) if "content" in line)


class _Response(BaseModel):
    model_config = ConfigDict(extra="ignore")
    status_code: int = 200
    body: Any = None


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")
    custom_id: str
    response: _Response | None = None
    error: Any = None


def _answers(file: Iterable[bytes], path: Path) -> Iterator[Returned]:
    for number, raw in enumerate(file, 1):
        if raw.strip():
            try:
                line = _Line.model_validate_json(raw)
            except ValidationError:
                logger.warning("%s, line %d, is no line of a batch and is left out", path.name, number)
                continue
            yield _returned(line)


def _returned(line: _Line) -> Returned:
    """OpenAI puts what is wrong into the body, `vllm run-batch` and requests never tried have it beside the response."""
    response = line.response
    if response is None or response.body is None:
        said = {"error": line.error or "it came back without a word"}
        return Returned(line.custom_id, response.status_code if response and response.status_code != 200 else 0, json.dumps(said).encode())
    return Returned(line.custom_id, response.status_code, json.dumps(response.body).encode())


def _plain(request: Request) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in request.messages]


def _as_bytes(value: object) -> bytes:
    # In ASCII, so that a lone surrogate of a broken PDF text is an escape and not an error.
    return json.dumps(value).encode("ascii") + b"\n"
