"""The way of a batch: written, uploaded, created, waited for, fetched. Each step is on disk before the next is taken."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from harvest.store import FieldsmithError
from qagen.teacher.batch_api import BatchEndpoint, Progress
from qagen.teacher.batch_files import Batch, BatchFolder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: without a request before a batch is closed; between two looks at it, at first and at most; before a batch that a
    dead process may have created is looked for once more; and for which an endpoint may be silent.
    """

    quiet: float = 2.0
    first: float = 5.0
    longest: float = 60.0
    again: float = 10.0
    patience: float = 3600.0


class Trip:
    """Brings batches on their way. What `fresh` is was written by this process, so nobody else has sent it."""

    def __init__(self, folder: BatchFolder, endpoint: BatchEndpoint, model: str, pace: Pace) -> None:
        self._folder, self._endpoint, self._model, self._pace = folder, endpoint, model, pace
        self._seen: dict[str, tuple[str, int]] = {}

    async def submit(self, batch: Batch, *, fresh: bool) -> Batch:
        """See that the endpoint works on a batch: exactly once, whoever died how often on the way.

        Raises `FieldsmithError` with what to do where the endpoint has no batches.
        """
        if batch.step == "written" and self._folder.output(batch.name).exists():
            return self._folder.save(replace(batch, step="fetched", status="answered elsewhere"))
        if batch.step == "written":
            if not await self._endpoint.takes_batches():
                raise self._by_hand(batch)
            found = "" if fresh else await self._endpoint.find_file(batch.name, batch.written)
            sent = found or await self._endpoint.upload(self._folder.requests(batch.name), batch.name)
            batch = self._folder.save(replace(batch, step="uploaded", file_id=sent))
        if batch.step == "uploaded":
            found = "" if fresh else await self._find(batch)
            made = found or await self._endpoint.create(batch.name, batch.file_id, batch.written)
            batch = self._folder.save(replace(batch, step="created", batch_id=made))
            logger.info("batch %s: %d requests are %s", batch.name, batch.lines, "found again" if found else "submitted")
        return batch

    async def look(self, batch: Batch) -> Batch:
        """See how a batch stands; once it has ended, what came back is here."""
        batch = await self.submit(batch, fresh=False)
        if batch.step != "created":
            return batch
        progress = await self._endpoint.progress(batch.batch_id)
        self._say(batch, progress)
        if not progress.ended:
            return batch
        for file_id, path in (
            (progress.output_file, self._folder.output(batch.name)),
            (progress.error_file, self._folder.errors(batch.name)),
        ):
            if file_id:
                await self._endpoint.fetch(file_id, path)
        return self._folder.save(replace(batch, step="fetched", status=progress.status, why=progress.why))

    async def _find(self, batch: Batch) -> str:
        """Twice: a list may not show at once what was created when the other process died."""
        found = await self._endpoint.find_batch(batch.name, batch.file_id, batch.written)
        if not found:
            await asyncio.sleep(self._pace.again)
            found = await self._endpoint.find_batch(batch.name, batch.file_id, batch.written)
        return found

    def _say(self, batch: Batch, progress: Progress) -> None:
        if self._seen.get(batch.name) != (progress.status, progress.done):
            self._seen[batch.name] = (progress.status, progress.done)
            hint = "" if progress.ended else "; it may take a day, and whoever stops this and runs it again goes on waiting"
            logger.info("batch %s: %s, %d of %d answered%s", batch.name, progress.status, progress.done, batch.lines, hint)

    def _by_hand(self, batch: Batch) -> FieldsmithError:
        requests, output = self._folder.requests(batch.name), self._folder.output(batch.name)
        return FieldsmithError(
            f"{self._endpoint.name} takes no batches (it has no Files API, or nobody listens there): have each file of requests in "
            f"{self._folder.folder} answered, such as by `vllm run-batch -i {requests.name} -o {output.name} --model {self._model}`, "
            "and run this again; or take `mode: batch` out of the YAML"
        )
