"""An Ollama Modelfile: the GGUF file, the chat template in Go, the tokens that end a reply, the system prompt, the licence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from harvest.store import FieldsmithError
from train.records import Check
from train.release.go_template import Gaps, Messages, NotExpressibleError, Render, agree, gaps, go_template


def modelfile(
    gguf: str,
    tokenizer: Any,
    *,
    bos: str | None = None,
    ends: Sequence[str] = (),
    system_prompt: str | None = None,
    licence: str | None = None,
    day: date | None = None,
) -> str:
    """The text of a Modelfile beside `gguf` (a path relative to it).

    `bos` is the token that the GGUF file makes llama.cpp put before every prompt (its `add_bos_token`), None where it does not; `ends` are
    further tokens that end a reply. A template that writes today's date writes `day` (default: today) for ever: Ollama has no such
    date, and the day of the release is closer to that of the training than any later one. Errors: `NotExpressibleError` for
    what Ollama cannot express, and where the template that was made does not write what the model's own writes.
    """
    if tokenizer.chat_template is None:
        raise NotExpressibleError("the model has no chat template, so there is none to be written for Ollama")
    render = renderer(tokenizer, day or date.today())
    found = gaps(render, bos)
    template = go_template(found)
    check = agree(template, render, bos)
    if not check.passed:
        raise NotExpressibleError(f"the chat template cannot be written for Ollama: {check.said}")
    lines = [f"FROM ./{_printable(gguf, 'the name of the GGUF file')}", f'TEMPLATE """{template}"""']
    lines += [f'PARAMETER stop "{_printable(token, "an end token")}"' for token in _stops(tokenizer, found, ends)]
    if system_prompt:
        lines.append(f'SYSTEM """{_printable(system_prompt, "the system prompt", breaks=True)}"""')
    if licence:
        lines.append(f'LICENSE """{_printable(licence, "the licence", breaks=True)}"""')
    return "\n".join(lines) + "\n"


def check_modelfile(text: str, tokenizer: Any, *, bos: str | None = None, day: date | None = None) -> Check:
    """Whether a Modelfile's template writes the prompts on which the model was trained."""
    return agree(template_of(text), renderer(tokenizer, day or date.today()), bos)


def template_of(text: str) -> str:
    """The template of a Modelfile, which stands between three quotation marks."""
    _, opened, rest = text.partition('TEMPLATE """')
    template, closed, _ = rest.partition('"""')
    if not opened or not closed:
        raise FieldsmithError('the Modelfile has no TEMPLATE between """ and """')
    return template


def renderer(tokenizer: Any, day: date) -> Render:
    """The model's own chat template, with `day` for today."""

    def render(messages: Messages) -> str:
        going_on = messages[-1]["role"] == "assistant"
        return str(
            tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                tokenize=False,
                add_generation_prompt=not going_on,
                continue_final_message=going_on,
                strftime_now=day.strftime,
            )
        )

    return render


def _stops(tokenizer: Any, found: Gaps, ends: Sequence[str]) -> list[str]:
    """The end token, those named, and the special token by which the template closes an answer."""
    return list(dict.fromkeys([token for token in (tokenizer.eos_token, *ends) if token] + list(_closing(tokenizer, found))))


def _closing(tokenizer: Any, found: Gaps) -> Iterator[str]:
    after = found.between["assistant", "user"].lstrip()
    special = [token for token in tokenizer.get_added_vocab() if after.startswith(token)]
    yield from [max(special, key=len)] if special else []


def _printable(text: str, what: str, *, breaks: bool = False) -> str:
    """Text that a Modelfile keeps as it is: no signs that it drops, no quotation marks that end it."""
    allowed = text.replace("\n", "") if breaks else text
    if not allowed.isprintable() or '"""' in text or text.endswith('"') or (not breaks and '"' in text):
        raise NotExpressibleError(f"{what} holds signs that an Ollama Modelfile cannot: {text[:60]!r}")
    return text
