"""Who sits the exams: the base and the tuned model, each without and with passages; one model is in memory at a time.

Where the tuned model is an adapter, it is the base with the adapter switched on: one model is loaded for all arms. Where it is a
whole model (merged weights, or a model trained elsewhere), the one is loaded after the other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harvest.store import FieldsmithError, fingerprint, sha256_file
from train.config import RetrievalConfig
from train.models import identity, load, materialise
from train.prove.quick import quick
from train.prove.retrieve import Retriever, cut, read_passages
from train.records import ARMS, Arm, Passage, Retrieval

log = logging.getLogger(__name__)

Who = Literal["base", "tuned"]


def who(arm: Arm) -> Who:
    """The model of an arm."""
    return "base" if arm.startswith("base") else "tuned"


def reads(arm: Arm) -> bool:
    """Whether passages are shown to it."""
    return arm.endswith("_retrieval")


def arms(library: Library | None) -> tuple[Arm, ...]:
    """The arms in their order; without a library those that read nothing."""
    return tuple(arm for arm in ARMS if library is not None or not reads(arm))


# ---- the models


class Candidates:
    """The two models, loaded when they are called for. Errors: `FieldsmithError` for a tuned model that is none."""

    def __init__(self, base: str, tuned: Path) -> None:
        self.base, self.tuned = base, tuned
        self.is_adapter = (tuned / "adapter_config.json").is_file()
        if not self.is_adapter and not (tuned / "config.json").is_file():
            raise FieldsmithError(
                f"{tuned} holds no model: give the folder of an adapter (adapter_config.json) or of a whole model (config.json)"
            )
        self.digest = _digest(tuned)
        self._loaded: tuple[Who | None, Any, Any] = (None, None, None)

    def identity(self, which: Who) -> object:
        """What its results depend on."""
        return identity(self.base) if which == "base" else [identity(self.base) if self.is_adapter else None, self.digest]

    @contextmanager
    def called(self, which: Who) -> Iterator[tuple[Any, Any]]:
        """(model, tokenizer), for as long as no other is called."""
        model, tokenizer = self._load(which)
        with self._as(which, model), quick(model):
            yield model, tokenizer

    def _as(self, which: Who, model: Any) -> AbstractContextManager[object]:
        if not self.is_adapter:
            return nullcontext()
        return model.disable_adapter() if which == "base" else _switched_on(model)

    def _load(self, which: Who) -> tuple[Any, Any]:
        held, model, tokenizer = self._loaded
        if held is None or (held != which and not self.is_adapter):
            self._loaded = (None, None, None)
            del model  # one at a time
            if self.is_adapter:
                model, tokenizer = load(self.base, adapter=self.tuned)
            else:
                model, tokenizer = load(self.base if which == "base" else str(self.tuned))
            _hasten(model)
            self._loaded = (which, model, tokenizer)
        return model, tokenizer

    def check_tokens(self, texts: Sequence[str]) -> None:
        """`FieldsmithError` where the two models cut these texts into different tokens: nats per token could not be compared."""
        from transformers import AutoTokenizer

        if self.is_adapter:
            return
        one, other = (AutoTokenizer.from_pretrained(str(materialise(name))) for name in (self.base, str(self.tuned)))
        if any(one(text, add_special_tokens=False).input_ids != other(text, add_special_tokens=False).input_ids for text in texts):
            raise FieldsmithError(
                f"{self.tuned} cuts text into other tokens than {self.base}: compare it with the model that it was trained from"
            )


@contextmanager
def _switched_on(model: Any) -> Iterator[None]:
    """The adapter at work: added to the weights where they are exact (float32), which halves the time of a token; beside them elsewhere."""
    import torch

    exact = model.dtype == torch.float32
    if exact:
        model.base_model.merge_adapter()
    try:
        yield
    finally:
        if exact:
            model.base_model.unmerge_adapter()


def _hasten(model: Any) -> None:
    """Attention without copies of keys and values, where the model's own is the usual one."""
    from train.memory import use_grouped_attention

    config = model.config.get_text_config()
    if config._attn_implementation == "sdpa" and getattr(config, "attn_logit_softcapping", None) is None:
        use_grouped_attention(model)


def _digest(folder: Path) -> str:
    """SHA-256 of the weights; of several files, of their digests."""
    digests = [sha256_file(path) for path in sorted(folder.glob("*.safetensors"))]
    if not digests:
        raise FieldsmithError(f"{folder} holds no weights (*.safetensors): save the model in that format")
    return digests[0] if len(digests) == 1 else fingerprint(digests)


# ---- what they may read


@dataclass(frozen=True, slots=True)
class Library:
    """The passages, how they are found, and how much of them is shown."""

    sha256: str
    n: int
    config: RetrievalConfig
    retriever: Retriever

    def found(self, tokenizer: Any, question: str) -> list[Passage]:
        """What is shown before a question."""
        return cut(self.retriever.find(question), tokenizer, self.config.max_tokens)

    @property
    def record(self) -> Retrieval:
        """How it was done, for the metrics."""
        return Retrieval(self.sha256, self.n, self.retriever.how, self.config.embedder, self.config.passages)


def open_library(path: Path | None, config: RetrievalConfig | None) -> Library | None:
    """The passages of a file; None, and a line that says why, where nothing is to be retrieved."""
    if config is None or path is None:
        log.info("the arms with retrieval are left out: %s", "prove.retrieval is none" if config is None else "there are no passages")
        return None
    passages = read_passages(path)
    if not passages:
        log.info("the arms with retrieval are left out: %s holds no passages", path.name)
        return None
    return Library(sha256_file(path), len(passages), config, Retriever(passages, config))
