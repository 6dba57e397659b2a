"""How many examples go through the model at once: as many as memory holds, and fewer after it ran out.

The optimiser's batch stays what the settings say: what does not fit at once is accumulated, and since the loss is a mean over all
tokens of the optimiser's batch, the result is the same but for rounding.
"""

from __future__ import annotations

import gc
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError, UsageError, load, save
from train.backends import processes
from train.backends.learner import computes_in_bf16
from train.config import StageConfig

RECORD = "memory.json"
"""In a stage's folder once memory ran out: a run that goes on after being killed must not run out again."""

SHARE = 0.8
"""Of the free memory that is planned with: others live there too, and an estimate is one."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fitting:
    """Examples per forward pass of one process, why so many in a sentence, and whether memory has run out before."""

    examples: int
    said: str
    ran_out: bool = False


# ---- before training


def fitting(stage: StageConfig, model: Any, longest: int, folder: Path) -> Fitting:
    """What the settings say, or what memory holds, for rows of at most `longest` tokens."""
    if (folder / RECORD).exists():
        return load(folder / RECORD, Fitting)
    share = share_of(stage)
    if stage.micro_batch:
        return Fitting(stage.micro_batch, f"{stage.micro_batch} examples at once, as the settings ask")
    free, each = free_memory(), bytes_per_token(model) * longest
    examples = largest_divisor(share, (SHARE * free - logits_bytes(model)) / each)
    sizes = f"about {each / 2**20:.0f} MiB each, {free / 2**30:.1f} GiB are free"
    if examples * each > free:
        return Fitting(1, f"one example at once, the least there is, may need more memory than there is ({sizes})")
    passes = f", in {share // examples} passes for a batch of {share}" if examples < share else ""
    return Fitting(examples, f"{examples} example{'s' * (examples > 1)} at once{passes}, chosen from memory ({sizes})")


def share_of(stage: StageConfig) -> int:
    """Examples of an optimiser step that fall to one process; errors: `UsageError` where they cannot be shared out equally."""
    share, rest = divmod(stage.batch_size, processes.count())
    if rest or not share:
        raise UsageError(
            f"batch_size {stage.batch_size} is over all processes and cannot be shared among {processes.count()}: make it a multiple"
        )
    if stage.micro_batch and share % stage.micro_batch:
        raise UsageError(f"a process's share of {share} examples of a batch is not a multiple of micro_batch {stage.micro_batch}")
    return share


def largest_divisor(number: int, limit: float) -> int:
    """The largest divisor of `number` up to `limit`, and 1 where there is none."""
    return max(divisor for divisor in range(1, number + 1) if number % divisor == 0 and (divisor <= limit or divisor == 1))


def bytes_per_token(model: Any) -> int:
    """What a token of a LoRA training keeps in memory until the backward pass.

    Measured on a CPU (SmolLM2-135M, float32, PyTorch 2.13): 22,000 numbers a layer, which is 12 h + 10 i with i the MLP's width.
    With gradient checkpointing, as on a GPU, a layer keeps its input, and two layers are there as a whole at a time.
    """
    import torch

    text = model.config.get_text_config()
    size, layers = int(text.hidden_size), int(text.num_hidden_layers)
    layer = 12 * size + 10 * int(getattr(text, "intermediate_size", None) or 4 * size)
    numbers = 2 * size * layers + 2 * layer if torch.cuda.is_available() else layer * layers
    return numbers * (3 if computes_in_bf16() else 4)  # in mixed precision, about half of them are 16 bit


def logits_bytes(model: Any) -> int:
    """What the loss keeps at a time: logits of a chunk of tokens as float32, and two copies."""
    from train.tune.loss import CHUNK

    return 3 * 4 * max(CHUNK, int(model.config.get_text_config().vocab_size))


def free_memory() -> int:
    """Bytes that this process may still take: of its GPU, or its share of the machine's memory and of its control group's."""
    import psutil
    import torch

    if torch.cuda.is_available():
        unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return int(torch.cuda.mem_get_info()[0] + unused)
    limits = [psutil.virtual_memory().available, *_group_limits(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))]
    return int(min(limits) // processes.here())


def _group_limits(root: Path, membership: Path) -> list[int]:
    """What is left of the memory of the control group of this process (version 2) and those above it, as containers and Slurm set it."""
    if not membership.is_file():
        return []
    named = next((line.split("::", 1)[1] for line in membership.read_text().splitlines() if line.startswith("0::")), "/")
    group = root / named.strip().lstrip("/")
    limits = []
    for folder in [group, *group.parents]:
        limit = folder / "memory.max"
        if folder.is_relative_to(root) and limit.is_file() and (most := limit.read_text().strip()) != "max":
            limits.append(int(most) - _used(folder))
    return limits


def _used(folder: Path) -> int:
    """Bytes in use that are not merely files kept in memory, which the kernel gives up when asked."""
    kept = [line.split()[1] for line in (folder / "memory.stat").read_text().splitlines() if line.startswith("inactive_file ")]
    return int((folder / "memory.current").read_text()) - sum(map(int, kept))


# ---- when it ran out


def ran_out(error: BaseException) -> bool:
    """Whether this is memory running out: PyTorch's own error on a GPU, on a CPU one of many words for it."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error)
    return any(word in said for word in ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED", "bad_alloc"))


def smaller(used: Fitting, name: str, folder: Path) -> Fitting:
    """Half as many examples at once, for once; kept in the stage's folder.

    Errors: `FieldsmithError` where memory runs out again, and where there is no less to take.
    """
    if used.ran_out or used.examples == 1:
        again = " again" if used.ran_out else ""
        raise FieldsmithError(
            f"{name}: memory ran out{again} with {used.examples} example{'s' * (used.examples > 1)} at once: set micro_batch: 1 "
            "or a smaller max_length for this stage, or load_in_4bit on a GPU, and run again; it goes on from its last checkpoint"
        )
    examples = largest_divisor(used.examples, used.examples / 2)
    said = f"memory ran out with {used.examples} examples at once: going on with {examples}, and the same batch for the optimiser"
    fitted = Fitting(examples, said, ran_out=True)
    if processes.is_first():
        save(folder / RECORD, fitted)
    log.warning("%s: %s", name, said)
    if processes.count() > 1:  # the others are in the middle of a step and cannot be called back from it
        raise FieldsmithError(
            f"{name}: memory ran out with {used.examples} examples at once in one of {processes.count()} processes: "
            f"run again, and it goes on from its last checkpoint with {examples}"
        )
    return fitted


def free_up() -> None:
    """Give back what the failed attempt held."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
