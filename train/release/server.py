"""llama.cpp's server, asked what it would make of conversations: its engine for chat templates is not the one of transformers."""

from __future__ import annotations

import json
import logging
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from jinja2 import TemplateError

from train.records import Check
from train.release.template import CONVERSATIONS, Trained
from train.serving.engines import LlamaServer
from train.serving.key import free_port

log = logging.getLogger(__name__)

PATIENCE = 300.0
"""Seconds in which the server must have read the model."""

_OPENER = build_opener(ProxyHandler({}))
"""Our own address is never behind a proxy."""


def server_check(server: LlamaServer, file: Path, tokenizer: Any) -> Check:
    """Whether the server, given conversations, reads the very tokens that training made of them.

    A server that cannot be started on this file (it may be older than the model's kind) was not asked, and that is said.
    """
    with _running(server, file) as address:
        if address is None:
            return Check("llama-server", True, f"was not asked: {Path(server[0]).name} does not open {file.name} here")
        return _asked(address, Trained(tokenizer))


def _asked(address: str, trained: Trained) -> Check:
    asked = 0
    for messages in CONVERSATIONS:
        try:
            wanted = trained.prompt(trained.render(messages))
        except TemplateError:  # refused in training; the server has ways of its own to put these
            continue
        text = _post(address, "/apply-template", {"messages": list(messages)})["prompt"]
        found = _post(address, "/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]
        if found != wanted:
            roles = ", ".join(message["role"] for message in messages)
            return Check("llama-server", False, f"reads a conversation of {roles} as {text[:80]!r}, other tokens than in training")
        asked += 1
    return Check("llama-server", True, f"reads {asked} conversations as the trained tokens")


@contextmanager
def _running(server: LlamaServer, file: Path) -> Iterator[str | None]:
    """The address of a server that has read the file; None where it ends instead, or takes too long."""
    port = free_port("127.0.0.1", 0)
    address = f"http://127.0.0.1:{port}"
    binary, options = server
    command = [binary, *options, "--model", str(file), "--host", "127.0.0.1", "--port", str(port), "--jinja", "--ctx-size", "256"]
    command += ["--no-warmup", "--parallel", "1", "--offline"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield address if _is_up(process, address) else None
        finally:
            process.kill()


def _is_up(process: subprocess.Popen[bytes], address: str) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            with _OPENER.open(f"{address}/health", timeout=5):
                return True
        except OSError:  # not listening yet, or 503 while it reads the model
            time.sleep(0.1)
    return False


def _post(address: str, path: str, body: Mapping[str, object]) -> dict[str, Any]:
    request = Request(address + path, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310 - our own address
    with _OPENER.open(request, timeout=60) as reply:
        found: dict[str, Any] = json.load(reply)
        return found
