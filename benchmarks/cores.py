"""How reading scales with processor cores: the pool of a harvest, with one reader and with one for each core."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import wait
from functools import partial
from pathlib import Path

from harvest import UnreadableDocument
from harvest.papers import Read
from harvest.pool import cores, readers
from harvest.readers.extract import Reading


def pages_per_second(files: Sequence[Path], pages: int) -> dict[str, float]:
    """Pages a second of wall time by number of readers, each of which has read before."""
    return {str(width): pages / _seconds(files, width) for width in sorted({1, cores()})}


def _seconds(files: Sequence[Path], width: int) -> float:
    with readers(width) as pool:
        wait([pool.submit(partial(_read, files[0])) for _ in range(width * 2)])
        began = time.monotonic()
        for reading in [pool.submit(partial(_read, file)) for file in files]:
            reading.result()
        return time.monotonic() - began


def _read(file: Path, read: Read) -> None:
    """A file that cannot be read takes its time too; which ones they are, the table above says."""
    try:
        read(file, Reading())
    except UnreadableDocument:
        return
