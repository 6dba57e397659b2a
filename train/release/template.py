"""Whether an exported form speaks as the model was trained: the same prompts, begun once, ended where the runtime stops.

A GGUF file carries its own template, tokens and end mark, and its runtime renders, cuts and stops by these alone; so they are
read back from the file and compared with those of the tokenizer that the model was trained with, down to token ids. The usual accidents
(another template, no beginning of the answer, two begin tokens, an end mark at which nobody stops, another cut of numbers) each fail
a check of their own, in words. Where llama.cpp's server is at hand, it is asked as well: its engine for templates is another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

from jinja2 import TemplateError

from harvest.store import load
from train.records import Check
from train.release.llama import Llama, Messages

SYSTEM = "You answer in one sentence. 请用一句话回答。"
AWKWARD = "Explain {{ messages[0]['content'] }} and {% raw %}{% endraw %} [INST] <<SYS>> </s> ### Assistant: and\n\n\ttabs  "


def _chat(*contents: str, system: str | None = None) -> tuple[Mapping[str, str], ...]:
    turns = [{"role": ("user", "assistant")[place % 2], "content": content} for place, content in enumerate(contents)]
    return ({"role": "system", "content": system}, *turns) if system else tuple(turns)


CONVERSATIONS: tuple[Messages, ...] = (
    _chat("What is the design energy of the ring?"),
    _chat("What is the design energy of the ring?", system=SYSTEM),
    _chat("储存环的设计能量是多少？"),
    _chat("What is it?", "2.84 GeV.", "And its circumference?"),
    _chat("它的周长是多少？", "521.26 m。", "那么谐波数呢？", "868。", "为什么？", system=SYSTEM),
    _chat(AWKWARD),
    _chat("  leading blanks and a trailing line\n", "\n\nAn answer between lines.\n", "Go on  ", system="  " + SYSTEM + "\n"),
)
"""They end with a question: with a system prompt or none, one turn and more, English and Chinese, contents that look like templates."""

TEXTS = (
    "The Mere ring stores electrons at 2.84 GeV with a circumference of 521.26 m.",
    "储存环的周长为521.26米，谐波数是868。",
    "E = mc², ∮B·dl = μ₀I, \\frac{\\partial u}{\\partial t} = -\\nabla p, x_{i+1} ≤ 10⁻⁷",
    "3.14159 1,234,567 0x1F 2026-11-22 10:05:59 −273.15°C 50/50",
    "  two  blanks\ttab\n\nlines\r\nend   ",
    "naïve café Å Ω Привет こんにちは 🙂 e\u0301",
    "def f(x):\n    return x**2  # ok",
)
"""What tokenizers disagree about: digits, Chinese, formulas, blanks, line ends, accents in both forms."""

ANSWER = "It is 521.26 m."


class Tokens(Protocol):
    """An exported form as its runtime handles it."""

    def render(self, messages: Messages, *, reply: bool = True) -> str:
        """The messages by the form's own template."""
        ...

    def prompt(self, text: str) -> list[int]:
        """The ids that the runtime reads for a rendered text."""
        ...

    def tokenize(self, text: str) -> list[int]:
        """The ids of a plain text."""
        ...

    def stops_at(self, token: int) -> bool:
        """Whether the runtime ends a reply at this token."""
        ...


class Trained:
    """The tokenizer and template that the model was trained with; also a merged folder, with the ends of its generation config."""

    def __init__(self, tokenizer: Any, ends: Sequence[int] = ()) -> None:
        self.tokenizer, self.ends = tokenizer, tuple(ends)

    def render(self, messages: Messages, *, reply: bool = True) -> str:
        """By transformers."""
        rendered = self.tokenizer.apply_chat_template([dict(message) for message in messages], tokenize=False, add_generation_prompt=reply)
        return str(rendered)

    def prompt(self, text: str) -> list[int]:
        """As training cuts a rendered chat: the template writes the begin token itself."""
        return self.tokenize(text)

    def tokenize(self, text: str) -> list[int]:
        """Ids without anything added."""
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def stops_at(self, token: int) -> bool:
        """Whether it is one of the ends."""
        return token in self.ends

    @property
    def end(self) -> int:
        """The token that closes an answer: what the template writes after it, else the tokenizer's own end, which training then adds."""
        last = self.tokenize(self.render(_chat("Why?", ANSWER), reply=False).rstrip())[-1]
        return last if last in _marks(self.tokenizer) else int(self.tokenizer.eos_token_id)


def _marks(tokenizer: Any) -> set[int]:
    return {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}


def generation_ends(folder: Path) -> list[int]:
    """The tokens at which transformers and vLLM end a reply of the model in this folder."""
    path = folder / "generation_config.json"
    named = load(path, dict[str, Any]).get("eos_token_id") if path.exists() else None
    return named if isinstance(named, list) else [] if named is None else [named]


# ---- the checks


def check_gguf(file: Path, tokenizer: Any, form: str) -> tuple[Check, ...]:
    """All checks of a GGUF file against the trained tokenizer; `form` is what the file is called in them."""
    trained = Trained(tokenizer)
    with Llama(file, weights=False) as llama:
        found = [_stored(llama.template, tokenizer.chat_template), _same_texts(llama, trained), _same_marks(llama, tokenizer)]
        if tokenizer.chat_template and llama.template:
            found += [_same_prompts(llama, trained), _one_begin(llama, trained), _same_end(llama, trained)]
    return tuple(Check(f"{form} {check.name}", check.passed, check.said) for check in found)


def check_folder(folder: Path, tokenizer: Any, form: str) -> tuple[Check, ...]:
    """The same of a whole model's folder, read as transformers reads it."""
    from transformers import AutoTokenizer

    trained, merged = Trained(tokenizer), Trained(AutoTokenizer.from_pretrained(str(folder)), generation_ends(folder))
    found = [_stored(merged.tokenizer.chat_template, tokenizer.chat_template), _same_texts(merged, trained)]
    if tokenizer.chat_template and merged.tokenizer.chat_template:
        found += [_same_prompts(merged, trained), _same_end(merged, trained)]
    return tuple(Check(f"{form} {check.name}", check.passed, check.said) for check in found)


def _stored(carried: str | None, trained: str | None) -> Check:
    if carried == trained:
        return Check("template", True, "carries the trained chat template" if trained else "carries no chat template, as the base has none")
    said = "carries no chat template" if carried is None else "carries another chat template than the trained one"
    return Check("template", False, said)


def _same_texts(form: Tokens, trained: Tokens) -> Check:
    for text in TEXTS:
        ours, theirs = trained.tokenize(text), form.tokenize(text)
        if ours != theirs:
            place = _shared(ours, theirs)
            return Check("tokens", False, f"cuts {text[:30]!r} otherwise than in training, from token {place} on: {theirs[place:][:4]}")
    return Check("tokens", True, f"{len(TEXTS)} texts in English, Chinese, numbers and formulas have the trained tokens")


def _same_marks(llama: Llama, tokenizer: Any) -> Check:
    pairs = {"end": (llama.eos, tokenizer.eos_token_id), "begin": (llama.bos, tokenizer.bos_token_id)}
    for name, (theirs, ours) in pairs.items():
        if ours is not None and theirs != ours:
            return Check("marks", False, f"its {name} token is {theirs}, the trained one {ours} ({tokenizer.decode([ours])!r})")
    return Check("marks", True, "begin and end token are the trained ones")


def _same_prompts(form: Tokens, trained: Tokens) -> Check:
    refused = 0
    for messages in CONVERSATIONS:
        wanted, written = _rendered(trained, messages), _rendered(form, messages)
        if wanted is None and written is None:
            refused += 1
            continue
        ours = trained.prompt(wanted) if wanted is not None else None
        if written is None or ours is None or form.prompt(written) != ours:
            return Check("prompts", False, _difference(messages, wanted, written))
    kept = len(CONVERSATIONS) - refused
    return Check(
        "prompts", True, f"{kept} conversations become the trained prompts" + f" ({refused} are refused, as in training)" * bool(refused)
    )


def _rendered(form: Tokens, messages: Messages) -> str | None:
    try:
        return form.render(messages)
    except TemplateError:  # how templates refuse roles and orders
        return None


def _difference(messages: Messages, wanted: str | None, written: str | None) -> str:
    roles = ", ".join(message["role"] for message in messages)
    if wanted is None or written is None:
        return f"a conversation of {roles} is {'refused' if written is None else 'accepted'}, which it was not in training"
    place = _shared(wanted, written)
    if place == len(wanted) == len(written):
        return f"a conversation of {roles} is written as in training, but cut into other tokens"
    start = max(place - 10, 0)
    return f"a conversation of {roles} becomes {written[start : place + 30]!r} where training wrote {wanted[start : place + 30]!r}"


def _shared(one: Sequence[Any], other: Sequence[Any]) -> int:
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def _one_begin(llama: Llama, trained: Trained) -> Check:
    wanted, written = _rendered(trained, CONVERSATIONS[0]), _rendered(llama, CONVERSATIONS[0])
    if llama.bos is None or wanted is None or written is None:
        return Check("begin", True, "there is no begin token")
    ours, theirs = (
        sum(1 for _ in takewhile(lambda token: token == llama.bos, ids)) for ids in (trained.prompt(wanted), llama.prompt(written))
    )
    said = f"a prompt begins with {theirs} begin token{'s' * (theirs != 1)}"
    return Check("begin", ours == theirs, said + f", in training with {ours}" * (ours != theirs))


def _same_end(form: Tokens, trained: Trained) -> Check:
    mark = trained.tokenizer.decode([trained.end])
    wanted = trained.tokenize(trained.render(_chat("Why?", ANSWER), reply=False).rstrip())[-1]
    last = form.tokenize(form.render(_chat("Why?", ANSWER), reply=False).rstrip())[-1]
    if last != wanted:
        return Check("end", False, f"its template does not close an answer with {mark!r}, as the trained one does")
    if not form.stops_at(trained.end):
        return Check("end", False, f"its runtime does not stop at {mark!r}, with which the model ends its answers")
    return Check("end", True, f"an answer ends with {mark!r}, at which the runtime stops")
