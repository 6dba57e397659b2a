"""Training, examining and answering happen in a child process.

There Unsloth may patch what it likes, memory is given back for certain, and a run that dies takes its child along:
the child ends when its standard input closes, which even `kill -9` of the parent brings about.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harvest.store import FieldsmithError, save

logger = logging.getLogger(__name__)


def run_train(plan: Mapping[str, Any], out: Path) -> None:
    """Run `python -m train run` on a plan; what it says is logged, its failure is a `FieldsmithError`."""
    path = out / f"{plan['task']}.plan.json"
    save(path, plan)
    command = [sys.executable, "-m", "train", "run", str(path)]
    # Threads that spin while they wait cost a busy machine many times their work; read when torch is loaded, hence here.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    child = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    try:
        said = _forward(child, out / f"{plan['task']}.log")
        code = child.wait()
    finally:
        _end(child)
    if code:
        raise FieldsmithError(said or f"{plan['task']} ended with code {code}; see {out / (plan['task'] + '.log')}")


def _forward(child: subprocess.Popen[str], log: Path) -> str:
    """Keep every line in a file, pass progress on, and return the last line said."""
    last = ""
    with log.open("a", encoding="utf-8") as file:
        for line in child.stdout or ():
            file.write(line)
            file.flush()
            if line.strip():
                last = line.strip()
            if line.startswith("train: "):
                logger.info(line.removeprefix("train: ").strip())
    return last


def _end(child: subprocess.Popen[str]) -> None:
    if child.stdin is not None:
        child.stdin.close()
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
