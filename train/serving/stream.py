"""A reply while it is written: tokens as they are chosen, text as far as it can no longer change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Text:
    """The text of a growing reply; what may still become a stop string, or another sign, is held back."""

    def __init__(self, tokenizer: Any, stop: Sequence[str]) -> None:
        self._tokenizer, self._stop = tokenizer, stop
        self._tokens: list[int] = []
        self._sent = ""

    def add(self, token: int) -> str:
        """What can be sent now that this token has come; often nothing."""
        self._tokens.append(token)
        text = str(self._tokenizer.decode(self._tokens, skip_special_tokens=True))
        settled = text[: len(text) - self._open(text)]
        # Some tokenizers change what they wrote before: then nothing is sent until the whole text is known.
        return self._send(settled) if settled.startswith(self._sent) else ""

    def end(self, text: str) -> str:
        """What is still to be sent of the whole reply."""
        return self._send(text)

    def _send(self, text: str) -> str:
        new, self._sent = text[len(self._sent) :], max(text, self._sent, key=len)
        return new

    def _open(self, text: str) -> int:
        """How many signs at the end of the text may yet change: half of a sign, and the beginning of a stop string."""
        half = len(text) - len(text.rstrip("\ufffd"))
        whole = text[: len(text) - half]
        for stop in self._stop:
            if stop in whole:  # the reply ends here
                return len(text) - whole.index(stop)
        begun = (length for stop in self._stop for length in range(len(stop) - 1, 0, -1) if whole.endswith(stop[:length]))
        return half + max(begun, default=0)
