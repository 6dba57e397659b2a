"""A model that passed its gate -> a release: merged weights, GGUF files, Modelfile and card, all of them examined before they leave.

Everything is made in a hidden folder and kept there piece by piece, so that a run that was killed goes on; the folder becomes
`release` in one rename, after every form has sat the exam again. Where one drifted, or speaks otherwise than trained, nothing leaves.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from harvest.store import (
    FieldsmithError,
    fingerprint,
    hold,
    is_done,
    load,
    mark_done,
    save,
    sha256_file,
    write_text,
)
from train.config import ReleaseConfig, TrainConfig
from train.prove.evaluation import tuned_model
from train.records import Metrics, Parity, ParityRow, Release, Seeds, Training, Verdict
from train.release import card
from train.release.card import About
from train.release.forms import DATASET_CARD, Candidate, Forms, Keys, keys_of
from train.release.hub import push
from train.tune.checkpoints import move_into_place

__all__ = ["Candidate", "Card", "digests_hold", "export", "release_model"]

log = logging.getLogger(__name__)

Card = Callable[[Parity, Collection[str]], str]
"""(parity, paths of the release's files) -> README.md."""

_BESIDE = ("parity.json", "README.md", "Modelfile", DATASET_CARD)
"""The files of a release that are not weights."""


def export(
    config: TrainConfig, out: Path, release: ReleaseConfig, *, exam: Path, seed: int, about: About, dataset_card: Path | None = None
) -> Release:
    """Release the model that was trained into `out` as `out/release`; see `release_model`.

    Errors: `FieldsmithError` besides those for a model that has not been examined or whose gate said no.
    """
    if (out / "gate.json").exists() and not load(out / "gate.json", Verdict).passed:
        raise FieldsmithError(f"the model in {out} did not pass its gate, so nothing of it leaves: see {out / 'gate.json'}")
    if not (out / "metrics.json").exists():
        raise FieldsmithError(f"the model in {out} has not been examined: evaluate it first")
    candidate = Candidate(about.name, config.base, tuned_model(out), exam, config.system_prompt, seed, release.licence, dataset_card)
    evidence = [sha256_file(path) for name in ("training", "metrics", "seeds", "gate") if (path := out / f"{name}.json").exists()]
    return release_model(candidate, out, release, card=_card(config, out, about, exam.stem), card_key=fingerprint(about, evidence))


def _card(config: TrainConfig, out: Path, about: About, exam: str) -> Card:
    def write(parity: Parity, files: Collection[str]) -> str:
        verdict = load(out / "gate.json", Verdict) if (out / "gate.json").exists() else None
        seeds = load(out / "seeds.json", Seeds) if (out / "seeds.json").exists() else None
        training, metrics = load(out / "training.json", Training), load(out / "metrics.json", Metrics)
        return card.model_card(about, training, metrics, verdict, parity, seeds, files, config=config, deciding=exam)

    return write


def release_model(candidate: Candidate, out: Path, release: ReleaseConfig, *, card: Card | None = None, card_key: str = "") -> Release:
    """Make `out/release` of a model, whoever trained it; returns what its `release.json`, written last, says.

    `card_key` stands for all that the card says. Called again, it goes on where it was stopped and does nothing where it was done,
    except to push what was not pushed. `out/parity.json` holds the figures. Errors: `FieldsmithError` for a form that drifts over its
    tolerance or speaks otherwise than trained (then there is no release), and for all that cannot be read, made or pushed.
    """
    with hold(out / "work", f"the release of {out}"):
        keys = keys_of(candidate, release, card_key)
        done = out / "release"
        if not is_done(done / "release.json", keys.release):
            _make(candidate, out, release, card, keys)
        return _pushed(done, release)


# ---- making


def _make(candidate: Candidate, out: Path, release: ReleaseConfig, card: Card | None, keys: Keys) -> None:
    (out / "parity.json").unlink(missing_ok=True)
    partial = _begin(out)
    forms = Forms(candidate, partial, release, keys)
    forms.make()
    parity = forms.parity()
    save(out / "parity.json", parity)
    if not parity.passed:
        shutil.rmtree(partial)
        raise FieldsmithError(f"nothing of {candidate.name} is released: {_failed(parity)}; the figures are in {out / 'parity.json'}")
    for row in parity.rows:
        log.info("%s: drift %.4f nats per answer token (at most %g)", row.form, row.drift, row.tolerance)
    save(partial / "parity.json", parity)
    if card is not None:
        write_text(partial / "README.md", card(parity, sorted([*forms.files(), "parity.json", "README.md", "release.json"])))
    _seal(partial, forms, parity, keys.release)
    move_into_place(partial, out / "release")


def _begin(out: Path) -> Path:
    """The folder to work in. A release of another model or other settings goes back to being unfinished, its pieces still of use."""
    partial, earlier = out / ".release.partial", out / "release"
    if earlier.exists():
        shutil.rmtree(partial, ignore_errors=True)
        earlier.rename(partial)
    partial.mkdir(parents=True, exist_ok=True)
    for name in ("release.json", *_BESIDE):  # what an earlier release may have said is written anew, or not at all
        (partial / name).unlink(missing_ok=True)
    return partial


def _seal(partial: Path, forms: Forms, parity: Parity, key: str) -> None:
    """Leave what is released and the small hidden notes of what was made, then say so."""
    released = {*forms.files(), *_BESIDE}
    for path in sorted(partial.rglob("*"), reverse=True):
        name = path.relative_to(partial).as_posix()
        if path.is_file() and name not in released and not _is_note(name):
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    digests = {name: sha256_file(partial / name) for name in sorted(released) if (partial / name).is_file()}
    save(partial / "release.json", Release(digests, parity))
    mark_done(partial / "release.json", key)


def _is_note(name: str) -> bool:
    return name.endswith(".done") or name.startswith(".parity/")


def _failed(parity: Parity) -> str:
    drifted = [_drift(row, parity.rows[0]) for row in parity.rows if not row.passed]
    return "; ".join([*(f"{check.name}: {check.said}" for check in parity.templates if not check.passed), *drifted])


def _drift(row: ParityRow, reference: ParityRow) -> str:
    said = f"{row.form} drifts by {row.drift:.3f} nats per answer token (at most {row.tolerance:g})"
    if row.accuracy is None or reference.accuracy is None:
        return said
    return f"{said} and has {row.accuracy:.0%} of the choices right, where what was examined has {reference.accuracy:.0%}"


def _pushed(folder: Path, release: ReleaseConfig) -> Release:
    done = load(folder / "release.json", Release)
    if release.push_to and done.pushed_to != release.push_to:
        if not digests_hold(folder):
            raise FieldsmithError(f"{folder} is not what was examined any more: remove it and export again, then it is pushed")
        push(folder, release.push_to, private=release.private)
        done = replace(done, pushed_to=release.push_to)
        save(folder / "release.json", done)
    return done


def digests_hold(folder: Path) -> bool:
    """Whether every file of a release is still what its `release.json` says."""
    files: Mapping[str, str] = load(folder / "release.json", Release).files
    return all((folder / name).is_file() and sha256_file(folder / name) == digest for name, digest in files.items())
