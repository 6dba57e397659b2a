"""The built-in server: OpenAI's API for one local model, without anything else to install.

It is the light way to have a teacher without an endpoint, and the last resort of `fieldsmith serve`. Requests are answered by threads,
but only one worker touches the model; it answers up to sixteen requests at once (`train.decode` says why a reply does not depend on
its neighbours). What cannot be honoured (`response_format`, tools, several choices) is refused with a 400, never ignored, so
that a client falls back. Temperature is 0 unless asked for. There is no TLS; beyond localhost a key is required.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from harvest.store import FieldsmithError, UsageError
from train.models import load
from train.serving.http_server import Server
from train.serving.key import KEY_VARIABLE, is_local, key_for
from train.serving.service import Service


def serve(
    reference: str, *, port: int, host: str = "127.0.0.1", adapter: Path | None = None, name: str | None = None, key: str | None = None
) -> None:
    """Serve a model until standard input closes; port 0 takes a free one, `name` (default: the reference) is the model's for clients.

    The first line on standard output, once the model is loaded, is `listening http://HOST:PORT/v1`. The process ends with
    code 0 when its standard input reaches its end, so that it never outlives who started it. Errors: `UsageError` without a key
    on an address that other machines can reach.
    """
    if key is None and not is_local(host):
        raise UsageError(f"{host} can be reached from other machines, so an API key is required: give one, or serve on 127.0.0.1")
    threading.Thread(target=_end_with_input, daemon=True).start()
    model, tokenizer = load(reference, adapter=adapter)
    from train.decode import Decoder

    service = Service(name or reference, Decoder(model, tokenizer), tokenizer)
    try:
        server = Server((host, port), service, key)
    except OSError as error:
        raise FieldsmithError(f"cannot listen on {host}:{port}: {error.strerror}; take another port, or 0 for any free one") from error
    threading.Thread(target=service.worker.work, daemon=True).start()
    print(f"listening http://{f'[{host}]' if ':' in host else host}:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()


def _end_with_input() -> None:
    # Not through sys.stdin: a thread that waits in it makes the interpreter abort when it ends for another reason.
    while os.read(0, 4096):
        pass
    os._exit(0)


# ---- as a command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `python -m train serve` takes."""
    parser.add_argument("model", help="hub id, folder, GGUF file, or pkg:PACKAGE/FILE")
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--name", help="what clients call the model (default: as it is given here)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--api-key-env", metavar="NAME", help=f"ask for the key in this environment variable ({KEY_VARIABLE} beyond localhost)"
    )


def run(options: argparse.Namespace) -> int:
    """Serve as the arguments say; returns when standard input closes."""
    # On localhost only where it is asked for: a teacher that a run starts for itself has no key, whatever the environment holds.
    key = key_for(options.host, options.api_key_env or KEY_VARIABLE) if options.api_key_env or not is_local(options.host) else None
    serve(options.model, port=options.port, host=options.host, adapter=options.adapter, name=options.name, key=key)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m train.serve`: the exit code, as of `python -m train`."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    parser = argparse.ArgumentParser(prog="python -m train.serve", description="Serve a model behind an OpenAI-compatible address.")
    add_arguments(parser)
    try:
        return run(parser.parse_args(arguments))
    except FieldsmithError as error:
        print(error, file=sys.stderr, flush=True)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
