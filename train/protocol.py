"""What a client may send to the built-in server, in OpenAI's layout, and how it is told what is wrong."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

Kind = TypeVar("Kind", bound=BaseModel)

# Settings that a client may send only with the value that changes nothing.
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "response_format": ({"type": "text"},),
    "n": (1,),
    "best_of": (1,),
    "tools": ([],),
    "functions": ([],),
    "logprobs": (False, 0),
    "top_logprobs": (0,),
    "top_p": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "echo": (False,),
    "suffix": ("",),
}


class Part(BaseModel):
    """A piece of a message; only text is understood."""

    type: Literal["text"]
    text: str


class Turn(BaseModel):
    """One message."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part]

    def plain(self) -> dict[str, str]:
        """The message as chat templates take it."""
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class StreamOptions(BaseModel):
    """What a client may say of a streamed answer."""

    include_usage: bool = False


class Request(BaseModel):
    """What chat and plain completions share; fields that are not named here are ignored unless `_NEUTRAL` refuses them."""

    model: str = ""
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether a streamed answer is to end with the counts of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage


class Chat(Request):
    """POST /v1/chat/completions."""

    messages: list[Turn] = Field(min_length=1)


class Completion(Request):
    """POST /v1/completions."""

    prompt: str = Field(min_length=1)


class BadRequestError(Exception):
    """A request that is answered with OpenAI's error JSON."""

    def __init__(
        self, message: str, *, status: HTTPStatus = HTTPStatus.BAD_REQUEST, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    def body(self) -> dict[str, object]:
        """OpenAI's layout of an error."""
        return {"error": {"message": str(self), "type": "invalid_request_error", "param": self.param, "code": self.code}}


def parsed(kind: type[Kind], body: dict[str, Any]) -> Kind:
    """A checked request; `BadRequestError` names the setting that is wrong or cannot be honoured."""
    for name, neutral in _NEUTRAL.items():
        if body.get(name) is not None and body[name] not in neutral:
            raise BadRequestError(f"{name} is not supported by this server", param=name, code="unsupported_parameter")
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadRequestError(f"{where}: {first['msg']}", param=where, code="invalid_value") from error
