"""Keys that lie in Prefect Secret blocks, for as long as they are needed: in the environment of this process, and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from harvest.store import UsageError
from qagen.config import QAGenConfig
from qagen.desk import roles


@contextmanager
def keys_from_blocks(config: QAGenConfig) -> Iterator[None]:
    """Put the keys of teacher, judge and base into the variables that they are read from; afterwards all is as it was.

    Does nothing, and asks no server, where no endpoint names a block. Raises `UsageError` where a block does not exist or holds
    no text, or two endpoints want different keys in one variable; `FieldsmithError` where there is no server.
    """
    wanted = _wanted(config)
    before = {variable: os.environ.get(variable) for variable in wanted}
    os.environ.update({variable: _secret(block) for variable, block in wanted.items()})
    try:
        yield
    finally:
        for variable, value in before.items():
            os.environ.pop(variable, None)
            if value is not None:
                os.environ[variable] = value


def _wanted(config: QAGenConfig) -> dict[str, str]:
    """The block for each variable."""
    wanted: dict[str, str] = {}
    for role, endpoint in roles(config).items():
        block = endpoint.api_key_block
        if block is None:
            continue
        if wanted.setdefault(endpoint.api_key_env, block) != block:
            raise UsageError(
                f"qagen.{role}.api_key_block is {block}, but the variable {endpoint.api_key_env} is filled from another block already: "
                f"give qagen.{role}.api_key_env a name of its own"
            )
    return wanted


def _secret(block: str) -> str:
    from prefect.blocks.system import Secret
    from prefect.exceptions import ObjectNotFound

    from flows.server import ensure_server

    server = ensure_server()
    try:
        value = cast("Secret[Any]", Secret.load(block, _sync=True)).get()  # type: ignore[call-arg]
    except (ValueError, ObjectNotFound) as error:
        raise UsageError(
            f"there is no Secret block `{block}` on the Prefect server {server}: make one in its UI under Blocks, or take api_key_block "
            "out of the YAML and put the key into the variable api_key_env"
        ) from error.with_traceback(None)
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"the Secret block `{block}` of the Prefect server {server} does not hold a key as text")
    return value.strip()
