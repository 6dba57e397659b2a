"""A field's model behind an OpenAI-compatible address."""

from __future__ import annotations

import logging
from pathlib import Path

from flows.field_run import FieldRun, newest_model, open_run
from flows.releasing import previous, released_folder
from harvest.store import FieldsmithError, load
from train.config import GgufType
from train.records import Training
from train.serving.child import run_server
from train.serving.engines import Engine, Servable, choose, servable
from train.serving.key import KEY_VARIABLE, free_port, key_for

logger = logging.getLogger(__name__)


def serve(
    field: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    key_variable: str = KEY_VARIABLE,
    engine: Engine | None = None,
    gguf: GgufType = "Q8_0",
) -> int:
    """Serve the field's model until it is told to stop; returns the exit code.

    The version released last is served; before the first release the newest model, which has not passed its gate.
    """
    key = key_for(host, key_variable)
    run = open_run(field)
    out = previous(run) or newest_model(run)
    model = _forms(run, out)
    if model.unreleased:
        logger.warning("not a released model: %s", model.unreleased)
    chosen = choose(model, host, free := free_port(host, port), engine=engine, gguf=gguf, key=key)
    logger.info("starting %s for version %s (%s)", chosen.engine, out.name, chosen.why)
    if prompt := run.config.train.system_prompt:
        logger.info("it was trained with a system prompt, which requests must bring along: %s", prompt)
    run_server(chosen, host, free, key=key, say=lambda line: print(line, flush=True))
    return 0


def _forms(run: FieldRun, out: Path) -> Servable:
    try:
        released_folder(run, out)
    except FieldsmithError as error:  # the reason is the user's to know, not an end
        return servable(run.name, _base(run, out), out, unreleased=str(error))
    return servable(run.name, _base(run, out), out)


def _base(run: FieldRun, out: Path) -> str:
    """The base that was trained on; where that was a converted copy which is gone from the cache, the YAML's, which makes it again."""
    base = load(out / "training.json", Training).base
    return run.config.train.base if Path(base).is_absolute() and not Path(base).exists() else base
