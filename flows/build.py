"""The flow behind `prefect deployment run build-domain-model --field NAME`.

No `from __future__ import annotations` here: Prefect reads the real types to check parameters, and their descriptions
from the docstring's Args.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows.chain import STEPS, Step, run_step
from flows.field_run import FieldRun, open_run
from flows.logs import show_packages
from harvest.store import FieldsmithError, hold

NAME = "build-domain-model"


@task(name="step", cache_policy=NO_CACHE, persist_result=False)
def _step(run: FieldRun, step: Step) -> "bool | State[Any]":
    """A stop that a person can act on is a failed state with one sentence, not a traceback."""
    try:
        return run_step(run, step)
    except FieldsmithError as error:
        return Failed(message=str(error))


@task(name="trial", cache_policy=NO_CACHE, persist_result=False)
def _piece(work: Callable[[Any], Any], piece: Any) -> Any:
    try:
        return work(piece)
    except FieldsmithError as error:
        return Failed(message=str(error))


def _as_tasks(name: str, work: Callable[[Any], Any], pieces: Sequence[Any]) -> list[Any]:
    """Each piece is a task of its own, so that Prefect shows it and its time; one after the other, as all want the same GPU."""
    done = []
    for number, piece in enumerate(pieces, 1):
        state = _piece.with_options(name=f"{name} {number}")(work, piece, return_state=True)
        if not state.is_completed():
            raise FieldsmithError(f"{name} {number}: {state.message}")
        done.append(state.result())
    return done


@flow(name=NAME)
def build_domain_model(
    field: Annotated[str, Field(min_length=1, examples=["demo", "accelerators"])],
    max_papers: Annotated[int | None, Field(ge=1)] = None,
    seed: int | None = None,
    refresh: bool = False,
    publish: bool = True,
) -> Any:
    """Build a domain model from the literature of one field, with proof of what it learnt.

    Args:
        field: Name of a YAML file in fields/ or examples/ (without .yaml), or a path to one
        max_papers: At most so many papers over all sources
        seed: Seed of splits, exams and training, in place of the YAML's
        refresh: Ask remote sources again for new papers
        publish: Show the results in Prefect as artifacts
    """
    show_packages()
    try:
        run = replace(open_run(field, max_papers=max_papers, seed=seed, refresh=refresh), each=_as_tasks)
        with hold(run.run, f"the run folder of field {run.name}"):
            return _all_steps(run, publish)
    except FieldsmithError as error:
        return Failed(message=str(error))


def _all_steps(run: FieldRun, publish: bool) -> "State[Any]":
    worked = False
    for step in STEPS:
        state = _step.with_options(name=step.name)(run, step, return_state=True)
        if not state.is_completed():
            return Failed(message=f"{step.name}: {state.message}")
        worked = bool(state.result()) or worked
    if publish:
        from flows.artifacts import publish_artifacts

        publish_artifacts(run)
    done = "built" if worked else "all is done already: nothing has changed since the last run"
    return Completed(message=f"{run.name}: {done}; see: fieldsmith status {run.name}")
