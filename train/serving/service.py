"""From a request in OpenAI's layout to a question for the model, and from its reply to OpenAI's answer, whole or piece by piece."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from train.protocol import BadRequestError, Chat, Completion, Request, parsed
from train.serving.worker import Job, Worker

if TYPE_CHECKING:
    from train.decode import Ask, Decoder

Answer = dict[str, Any]
"""A JSON object of OpenAI's."""


class Service:
    """One model; `chat` and `complete` return one answer, or the chunks of a streamed one."""

    def __init__(self, name: str, decoder: Decoder, tokenizer: Any) -> None:
        self.name, self._context, self._tokenizer = name, decoder.context, tokenizer
        self._special = sorted(tokenizer.get_added_vocab())
        self._begun = int(time.time())
        self.worker = Worker(decoder)

    def models(self) -> Answer:
        """GET /v1/models."""
        return {"object": "list", "data": [{"id": self.name, "object": "model", "created": self._begun, "owned_by": "local"}]}

    def chat(self, body: dict[str, Any]) -> Answer | Generator[Answer]:
        """POST /v1/chat/completions."""
        request = parsed(Chat, body)
        if self._tokenizer.chat_template is None:
            raise BadRequestError("this model has no chat template: use /v1/completions", code="unsupported")
        turns = [turn.plain() for turn in request.messages]
        turns = [{**turn, "content": self._harmless(turn["content"])} for turn in turns]
        try:
            text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        except TemplateError as error:  # by which templates refuse roles and orders that they do not know
            raise BadRequestError(f"the model's chat template refuses these messages: {error}", param="messages") from error
        job = self._submit(request, self._tokenizer(text, add_special_tokens=False).input_ids, self._context)
        if request.stream:
            return self._chunks(request, job, chat=True)
        head = self._head("chatcmpl", "chat.completion", request)
        return self._whole(head, job, {"message": {"role": "assistant", "content": job.reply.result().text, "refusal": None}})

    def complete(self, body: dict[str, Any]) -> Answer | Generator[Answer]:
        """POST /v1/completions."""
        request = parsed(Completion, body)
        job = self._submit(request, self._tokenizer(self._harmless(request.prompt)).input_ids, 16)
        if request.stream:
            return self._chunks(request, job, chat=False)
        return self._whole(self._head("cmpl", "text_completion", request), job, {"text": job.reply.result().text})

    def _harmless(self, text: str) -> str:
        """Text that cannot open a turn of its own: a paper may hold `<|im_end|>`, and only the template may mean it."""
        for token in self._special:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _submit(self, request: Request, prompt: list[int], default: int) -> Job:
        return self.worker.submit(self._ask(request, prompt, default))

    def _ask(self, request: Request, prompt: list[int], default: int) -> Ask:
        from train.decode import Ask

        free = self._context - len(prompt)
        if free < 1:
            raise BadRequestError(
                f"the prompt has {len(prompt)} tokens and this model's context {self._context}",
                param="messages",
                code="context_length_exceeded",
            )
        stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
        wanted = request.max_completion_tokens or request.max_tokens or default
        return Ask(tuple(prompt), min(wanted, free), request.temperature or 0.0, request.seed or 0, tuple(text for text in stop if text))

    # ---- answers

    def _head(self, prefix: str, kind: str, request: Request) -> Answer:
        made = {"id": f"{prefix}-{os.urandom(12).hex()}", "object": kind, "created": int(time.time())}
        return {**made, "model": request.model or self.name}

    def _whole(self, head: Answer, job: Job, choice: Answer) -> Answer:
        finish = job.reply.result().finish
        return {**head, "choices": [{"index": 0, "logprobs": None, "finish_reason": finish, **choice}], "usage": _usage(job)}

    def _chunks(self, request: Request, job: Job, *, chat: bool) -> Generator[Answer]:
        """The answer in pieces; whoever stops reading them ends the reply too."""
        from train.serving.stream import Text

        head = self._head("chatcmpl", "chat.completion.chunk", request) if chat else self._head("cmpl", "text_completion", request)
        usage = {"usage": None} if request.wants_usage else {}
        text = Text(self._tokenizer, job.ask.stop)

        def chunk(piece: Answer, finish: str | None = None) -> Answer:
            return {**head, "choices": [{"index": 0, "logprobs": None, "finish_reason": finish, **piece}], **usage}

        def said(new: str) -> Answer:
            return {"delta": {"content": new}} if chat else {"text": new}

        try:
            if chat:
                yield chunk({"delta": {"role": "assistant", "content": ""}})
            yield from (chunk(said(new)) for token in job.each_token() if (new := text.add(token)))
            reply = job.reply.result()
            if new := text.end(reply.text):
                yield chunk(said(new))
            yield chunk({"delta": {}} if chat else {"text": ""}, reply.finish)
            if request.wants_usage:
                yield {**head, "choices": [], "usage": _usage(job)}
        finally:
            job.wanted = False


def _usage(job: Job) -> Answer:
    read, written = len(job.ask.prompt), job.reply.result().tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
