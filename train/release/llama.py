"""A GGUF file as llama.cpp sees it: its tokens, its template, what it gives to an answer, what it says.

The only place that knows llama.cpp's library, the official one as `cyllama` (MIT) wraps it. Of that package the low-level
classes are used, for its high-level ones neither score answers nor quantise.
"""

from __future__ import annotations

import logging
import math
import os
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from harvest.store import FieldsmithError

log = logging.getLogger(__name__)

Messages = Sequence[Mapping[str, str]]

BRANCHES = 32
"""Answers of one question that are computed together; the library allows 256."""

_ERROR = 4
"""The level of errors in llama.cpp's log (ggml.h)."""
_FILE_TYPES = {"Q8_0": 7, "Q4_K_M": 15}
"""llama.h, `enum llama_ftype`."""


# ---- the library


@cache
def _library() -> Any:
    """The module, loaded once, with llama.cpp's log turned to ours."""
    try:
        from cyllama.llama import llama_cpp
    except ImportError as error:
        raise FieldsmithError("GGUF files are made and examined by llama.cpp, which is not installed: run `pip install cyllama`") from error
    llama_cpp.set_log_callback(_hear)
    return llama_cpp


_said: deque[str] = deque(maxlen=4)
"""The last errors of the library, which fails with a code and gives the reason only in its log."""


def _hear(level: int, text: str) -> None:
    if line := text.strip():
        log.debug("llama.cpp: %s", line)
        if level == _ERROR:
            _said.append(line)


def _why(error: Exception) -> str:
    return _said[-1] if _said else str(error).splitlines()[0]


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def quantise(source: Path, target: Path, kind: Literal["Q8_0", "Q4_K_M"]) -> None:
    """Write `target`, the 16-bit GGUF `source` with weights of `kind`; `FieldsmithError` where llama.cpp refuses."""
    library = _library()
    settings = library.LlamaModelQuantizeParams()
    settings.ftype, settings.nthread = _FILE_TYPES[kind], threads()
    _said.clear()
    try:
        library.model_quantize(str(source), str(target), settings)
    except RuntimeError as error:
        raise FieldsmithError(f"llama.cpp cannot make a {kind} of {source.name}: {_why(error)}") from error


def tensor_types(file: Path) -> Counter[str]:
    """How many tensors of a GGUF file have which type, such as `Q4_K`."""
    from gguf import GGMLQuantizationType

    tensors = _library().GGUFContext.from_file(str(file)).get_all_tensor_info()
    return Counter(GGMLQuantizationType(tensor["type"]).name for tensor in tensors)


# ---- a file


class Llama:
    """A GGUF file, opened for reading tokens and templates (`weights=False`) or for computing too; close it after use.

    Errors: `FieldsmithError` where llama.cpp cannot open it.
    """

    def __init__(self, file: Path, *, weights: bool = True) -> None:
        self.file = file
        self._library = _library()
        settings = self._library.LlamaModelParams()
        if not weights:
            # Shapes without contents. `vocab_only` would read less still, but the wrapper asks for shapes, at which llama.cpp aborts.
            settings.no_alloc, settings.use_mmap = True, False
        _said.clear()
        try:
            self._model = _model_class()(str(file), settings, False)
        except (ValueError, OSError) as error:
            raise FieldsmithError(f"llama.cpp cannot open {file}: {_why(error)}") from error
        self._vocabulary = self._model.get_vocab()
        self._context: Any = None
        self._columns = 0
        self._held: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back; the object is of no use after it."""
        if self._context is not None:
            self._context.close()
        self._model.close()

    # ---- tokens

    @cached_property
    def template(self) -> str | None:
        """The chat template that the file carries, Jinja as it was stored."""
        return self._model.get_default_chat_template() or None

    @cached_property
    def begin(self) -> int | None:
        """The token that llama.cpp itself puts before every prompt, if this file asks for one."""
        return self.bos if self._vocabulary.get_add_bos() else None

    @cached_property
    def bos(self) -> int | None:
        """The token that begins a text."""
        return _token(self._vocabulary.token_bos())

    @cached_property
    def eos(self) -> int | None:
        """The token that ends a text."""
        return _token(self._vocabulary.token_eos())

    def stops_at(self, token: int) -> bool:
        """Whether a reply ends at this token when llama.cpp writes it."""
        return bool(self._vocabulary.is_eog(token))

    def tokenize(self, text: str, *, begin: bool = False) -> list[int]:
        """Token ids of a text, special tokens written in it recognised; `begin`: with what this file puts before a prompt."""
        return list(self._vocabulary.tokenize(text, begin, True))

    def text(self, tokens: Sequence[int], *, special: bool = True) -> str:
        """The text of tokens; without `special` their control tokens are left out."""
        return str(self._vocabulary.detokenize(list(tokens), 64 * len(tokens) + 64, False, special))

    # ---- prompts

    def render(self, messages: Messages, *, reply: bool = True) -> str:
        """The messages by the template that the file carries, in the very environment in which transformers renders.

        `reply`: with the beginning of the answer. Errors: `FieldsmithError` without a template; jinja2's where the template refuses.
        """
        from transformers.utils.chat_template_utils import render_jinja_template

        if self.template is None:
            raise FieldsmithError(f"{self.file.name} carries no chat template: export with the tokenizer of an instruct model")
        marks = {name: "" if token is None else self.text([token]) for name, token in (("bos_token", self.bos), ("eos_token", self.eos))}
        texts, _ = render_jinja_template([list(messages)], chat_template=self.template, add_generation_prompt=reply, **marks)
        return str(texts[0])

    def prompt(self, text: str) -> list[int]:
        """What llama.cpp's server reads of a rendered prompt: one beginning in it gives way to the one that it puts itself."""
        return self.tokenize(text if self.begin is None else text.removeprefix(self.text([self.begin])), begin=True)

    # ---- computing

    def nlls(self, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> list[float]:
        """The mean negative log-likelihood, in nats a token, of each answer after the prompt.

        The prompt is computed once: each answer goes on in a sequence of its own from a copy of its keys and values.
        What the prompt shares with the one before it is not computed again.
        """
        found: list[float] = []
        for start in range(0, len(answers), BRANCHES):
            part = answers[start : start + BRANCHES]
            first = self._read(prompt, sum(map(len, part)))
            found += self._branches(len(prompt), part, first)
        return found

    def generate(self, prompt: Sequence[int], max_tokens: int) -> list[int]:
        """The likeliest continuation, at most `max_tokens` long; a token at which the reply stops is its last one."""
        written: list[int] = []
        logits = self._read(prompt, max_tokens)
        while True:
            written.append(int(logits.argmax()))
            if len(written) == max_tokens or self.stops_at(written[-1]):
                return written
            self._decode([(written[-1], len(self._held), 0, True)])
            self._held.append(written[-1])
            logits = self._logits(0)

    def _read(self, prompt: Sequence[int], more: int) -> Any:
        """Put the prompt into sequence 0, with room for `more` tokens; returns logits [vocabulary] after it."""
        self._make_room(len(prompt) + more)
        shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(self._held, prompt[:-1], strict=False))))
        # Recurrent layers cannot be wound back: then all is computed again.
        if not self._context.memory_seq_rm(0, shared, -1):
            self._context.kv_cache_clear()
            shared = 0
        self._decode([(token, place, 0, place == len(prompt) - 1) for place, token in enumerate(prompt)][shared:])
        self._held = list(prompt)
        return self._logits(len(prompt) - shared - 1)

    def _branches(self, start: int, answers: Sequence[Sequence[int]], first: Any) -> list[float]:
        rows: list[tuple[int, int, int, bool]] = []
        places: list[range] = []
        for number, answer in enumerate(answers, 1):
            self._context.memory_seq_cp(0, number, -1, -1)
            # The last token is not computed: what it foretells is not asked.
            places.append(range(len(rows), len(rows) + len(answer) - 1))
            rows += [(token, start + place, number, True) for place, token in enumerate(answer[:-1])]
        if rows:
            self._decode(rows)
        sums = [
            _nll(first, answer[0]) + sum(_nll(self._logits(place), token) for place, token in zip(at, answer[1:], strict=True))
            for at, answer in zip(places, answers, strict=True)
        ]
        for number in range(1, len(answers) + 1):
            self._context.memory_seq_rm(number, -1, -1)
        return [total / len(answer) for total, answer in zip(sums, answers, strict=True)]

    def _make_room(self, columns: int) -> None:
        if columns <= self._columns:
            return
        if self._context is not None:
            self._context.close()
        self._columns, self._held = max(512, 2 * self._columns, columns), []
        settings = self._library.LlamaContextParams()
        settings.n_ctx = settings.n_batch = self._columns
        settings.n_seq_max, settings.kv_unified = BRANCHES + 1, True
        settings.n_threads = settings.n_threads_batch = threads()
        try:
            self._context = self._library.LlamaContext(self._model, settings, False)
        except RuntimeError as error:
            raise FieldsmithError(f"llama.cpp cannot compute with {self.file} at {self._columns} tokens: {_why(error)}") from error

    def _decode(self, rows: Sequence[tuple[int, int, int, bool]]) -> None:
        """Compute rows of (token, position, sequence, whether its logits are wanted) in one batch."""
        batch = self._library.LlamaBatch(n_tokens=len(rows), embd=0, n_seq_max=1)
        for token, position, sequence, wanted in rows:
            batch.add(token, position, [sequence], wanted)
        self._context.decode(batch)
        batch.close()

    def _logits(self, row: int) -> Any:
        """Logits [vocabulary], float32, after a row of the last batch."""
        import numpy as np

        return np.asarray(self._context.get_logits_ith(row), dtype=np.float32)


@cache
def _model_class() -> Any:
    class Model(_library().LlamaModel):  # type: ignore[misc]
        """cyllama before 0.4 (the last ones for Python 3.11) asks the model for this when it hands out logits."""

        @property
        def n_vocab(self) -> int:
            return int(self.get_vocab().n_vocab)

    return Model


def _token(number: int) -> int | None:
    return None if number < 0 else number


def _nll(logits: Any, token: int) -> float:
    import numpy as np

    peak = float(logits.max())
    return peak + math.log(float(np.exp(logits - peak, dtype=np.float64).sum())) - float(logits[token])
