"""The ways to make pairs of a document.

`open`: the teacher lists what each chunk states and asks about each fact. `answer-aware`: the answer and its sentence are
chosen by rule and the teacher writes the question only.
"""

from __future__ import annotations

from harvest.records import Document
from qagen import answer_aware, by_fact
from qagen.chunk import chunk_document
from qagen.config import QAGenConfig
from qagen.coverage import reason_to_skip
from qagen.kinds.asking import STAGE
from qagen.kinds.specs import SPECS
from qagen.records import Chunk, Written
from qagen.teacher.prompt import load_prompt
from qagen.teacher.protocol import Ask

__all__ = ["STAGE", "askable_chunks", "prompts_of", "write"]


async def write(document: Document, config: QAGenConfig, ask: Ask, seed: int | None) -> Written:
    """The pairs of a document by the method of the settings, what was refused, and what came of each chunk. Raises `Stopped`."""
    ways = {"answer-aware": answer_aware.write_answer_aware, "open": by_fact.write_by_facts}
    return await ways[config.method](document, config, ask, seed)


def askable_chunks(document: Document, config: QAGenConfig) -> list[Chunk]:
    """The chunks of a document that the teacher is asked about, in order."""
    fewest = answer_aware.FEWEST_LETTERS if config.method == "answer-aware" else by_fact.FEWEST_LETTERS
    return [chunk for chunk in chunk_document(document, config.chunk) if not reason_to_skip(chunk, fewest)]


def prompts_of(config: QAGenConfig) -> list[str]:
    """Hashes of the prompts with which `write` asks."""
    if config.method == "answer-aware":
        return [load_prompt(name, config.prompts).sha256 for name in ("answer_aware.en", "answer_aware.zh")]
    wanted = {kind for kind, weight in config.kinds.items() if weight}
    names = ["facts", *(spec.prompt for spec in SPECS.values() if spec.kind in wanted)]
    names += ["kinds/answered"] if "unanswerable" in wanted else []
    return [load_prompt(name, config.prompts, config.style).sha256 for name in names]
