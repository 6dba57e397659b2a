"""A model that passed its gate -> a release: merged weights, GGUF files, Modelfile and card, all of them examined before they leave.

Everything is made in a hidden folder and kept there piece by piece, so that a run that was killed goes on; the folder becomes
`release` in one rename, after every form has sat the exam again. Where one drifted, or speaks otherwise than trained, nothing leaves.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harvest.store import FieldsmithError, fingerprint, hold, is_done, load, mark_done, safe_name, save, sha256_file, write_text
from train.config import GgufType, ReleaseConfig, TrainConfig
from train.prove.arms import Candidates
from train.prove.evaluation import tuned_model
from train.prove.exam import read_exam
from train.records import Check, EvalResult, ExamItem, Metrics, Parity, Release, Seeds, Training, Verdict
from train.release import card
from train.release.card import About
from train.release.gguf import fallbacks, make_gguf
from train.release.go_template import NotExpressibleError
from train.release.hub import push
from train.release.llama import Llama
from train.release.merged import is_adapter, merge, tuned_tokenizer
from train.release.modelfile import check_modelfile, modelfile
from train.release.parity import examine_gguf, examine_model, parity_rows
from train.release.server import find_server, server_check
from train.release.template import check_folder, check_gguf, generation_ends
from train.tune.checkpoints import move_into_place

log = logging.getLogger(__name__)

FORM = 1
"""Raise it when the same model would be released otherwise: releases of other forms are made again."""

Card = Callable[[Parity, Collection[str]], str]
"""(parity, paths of the release's files) -> README.md."""

_FOR_OLLAMA: tuple[GgufType, ...] = ("Q8_0", "Q4_K_M", "f16")
"""The first of these that there is stands in the Modelfile."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is to be released: the tuned folder (an adapter's or a whole model's), the base that it belongs to, the exam to be sat again.

    `name` is that of the files; `system_prompt` and `seed` are those of the exam.
    """

    name: str
    base: str
    tuned: Path
    exam: Path
    system_prompt: str | None = None
    seed: int = 0
    licence: str | None = None


def export(config: TrainConfig, out: Path, release: ReleaseConfig, *, exam: Path, seed: int, about: About) -> Release:
    """Release the model that was trained into `out` as `out/release`; see `release_model`.

    Errors: `FieldsmithError` besides those for a model that has not been examined or whose gate said no.
    """
    if (out / "gate.json").exists() and not load(out / "gate.json", Verdict).passed:
        raise FieldsmithError(f"the model in {out} did not pass its gate, so nothing of it leaves: see {out / 'gate.json'}")
    candidate = Candidate(about.name, config.base, tuned_model(out), exam, config.system_prompt, seed, release.licence)
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
        key = _key(candidate, release, card_key)
        done = out / "release"
        if not is_done(done / "release.json", key):
            _make(candidate, out, release, card, key)
        return _pushed(done, release)


def _key(candidate: Candidate, release: ReleaseConfig, card_key: str) -> str:
    settings = release.model_dump(mode="json", exclude={"push_to", "private"})
    return fingerprint(FORM, _weights_key(candidate), _exam_key(candidate), candidate.name, candidate.licence, settings, card_key)


def _weights_key(candidate: Candidate) -> str:
    return fingerprint("weights", FORM, candidate.name, Candidates(candidate.base, candidate.tuned).identity("tuned"))


def _exam_key(candidate: Candidate) -> str:
    return fingerprint(_weights_key(candidate), sha256_file(candidate.exam), candidate.system_prompt, candidate.seed)


# ---- making


def _make(candidate: Candidate, out: Path, release: ReleaseConfig, card: Card | None, key: str) -> None:
    partial = _begin(out)
    forms = Forms(candidate, partial, release)
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
    _seal(partial, forms, parity, key)
    move_into_place(partial, out / "release")


def _begin(out: Path) -> Path:
    """The folder to work in. A release of another model or other settings goes back to being unfinished, its pieces still of use."""
    partial, earlier = out / ".release.partial", out / "release"
    if earlier.exists():
        shutil.rmtree(partial, ignore_errors=True)
        earlier.rename(partial)
    partial.mkdir(parents=True, exist_ok=True)
    (partial / "release.json").unlink(missing_ok=True)
    return partial


def _seal(partial: Path, forms: Forms, parity: Parity, key: str) -> None:
    """Leave what is released and the small hidden notes of what was made, then say so."""
    released = {*forms.files(), "parity.json", "README.md"}
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
    drifted = [
        f"{row.form} drifts by {row.drift:.3f} nats per answer token (at most {row.tolerance:g})" for row in parity.rows if not row.passed
    ]
    return "; ".join([*(f"{check.name}: {check.said}" for check in parity.templates if not check.passed), *drifted])


def _pushed(folder: Path, release: ReleaseConfig) -> Release:
    done = load(folder / "release.json", Release)
    if release.push_to and done.pushed_to != release.push_to:
        push(folder, release.push_to, private=release.private)
        done = replace(done, pushed_to=release.push_to)
        save(folder / "release.json", done)
    return done


# ---- the forms


class Forms:
    """The forms of one model in one folder: made, listed, examined."""

    def __init__(self, candidate: Candidate, folder: Path, release: ReleaseConfig) -> None:
        self.candidate, self.folder, self.release = candidate, folder, release
        self.adapter = is_adapter(candidate.tuned)
        self.tokenizer = tuned_tokenizer(candidate.base, candidate.tuned)
        self.merged = folder / ("merged" if release.merged else ".merged")
        self.ggufs: dict[GgufType, Path] = {}
        self.checks: list[Check] = []

    def make(self) -> None:
        """All of them, each left alone where it was made before."""
        key = _weights_key(self.candidate)
        merge(self.candidate.base, self.candidate.tuned, self.merged, key=key)
        if self.adapter:
            _copy_adapter(self.candidate.tuned, self.folder / "adapter", key)
        if self.release.gguf:
            self.ggufs = make_gguf(self.merged, self.folder / "gguf", self.release.gguf, name=safe_name(self.candidate.name), key=key)
            self._write_modelfile()

    def files(self) -> set[str]:
        """Paths of all that is released, relative to the folder."""
        held = [self.folder / "adapter"] * self.adapter + [self.merged] * self.release.merged
        paths = [
            *(path for folder in held for path in folder.rglob("*") if path.is_file()),
            *self.ggufs.values(),
            self.folder / "Modelfile",
        ]
        return {path.relative_to(self.folder).as_posix() for path in paths if path.is_file() and not path.name.startswith(".")}

    def parity(self) -> Parity:
        """The exam on every form, and whether each speaks as trained."""
        items = read_exam(self.candidate.exam)
        if not items:
            raise FieldsmithError(f"the exam {self.candidate.exam} has no questions: a release cannot be checked with it")
        rows = parity_rows(dict(self._examiners(items)), self.release, self.folder / ".parity", _exam_key(self.candidate))
        return Parity(self.candidate.exam.stem, len(items), rows, tuple(self._template_checks()))

    def _examiners(self, items: list[ExamItem]) -> Iterator[tuple[str, Callable[[], list[EvalResult]]]]:
        candidate = self.candidate

        def whole(base: str, tuned: Path) -> list[EvalResult]:
            with Candidates(base, tuned).called("tuned") as (model, tokenizer):
                return examine_model(model, tokenizer, items, system_prompt=candidate.system_prompt, seed=candidate.seed)

        def gguf(file: Path) -> list[EvalResult]:
            return examine_gguf(file, self.tokenizer, items, system_prompt=candidate.system_prompt)

        yield ("adapter" if self.adapter else "tuned"), lambda: whole(candidate.base, candidate.tuned)
        yield "merged", lambda: whole(candidate.base, self.merged)
        for kind, file in self.ggufs.items():
            yield kind, lambda file=file: gguf(file)  # type: ignore[misc]

    def _template_checks(self) -> Iterator[Check]:
        yield from check_folder(self.merged, self.tokenizer, "merged")
        for kind, file in self.ggufs.items():
            yield from check_gguf(file, self.tokenizer, kind)
            if note := fallbacks(file, kind):
                yield Check(f"{kind} types", True, note)
        yield from self.checks
        server = find_server()
        if server is not None and self.ggufs and self.tokenizer.chat_template:
            yield server_check(server, min(self.ggufs.values(), key=lambda file: file.stat().st_size), self.tokenizer)

    def _write_modelfile(self) -> None:
        """Beside the GGUF files where Ollama can write the template; where it cannot, that is said."""
        kind = next(kind for kind in _FOR_OLLAMA if kind in self.ggufs)
        with Llama(self.ggufs[kind], weights=False) as llama:
            bos = None if llama.begin is None else llama.text([llama.begin])
        ends = [self.tokenizer.decode([end]) for end in generation_ends(self.merged)]
        path = self.folder / "Modelfile"
        path.unlink(missing_ok=True)
        try:
            text = modelfile(
                self.ggufs[kind].relative_to(self.folder).as_posix(),
                self.tokenizer,
                bos=bos,
                ends=ends,
                system_prompt=self.candidate.system_prompt,
                licence=self.candidate.licence,
            )
        except NotExpressibleError as error:
            self.checks = [Check("Ollama template", True, f"there is no Modelfile: {error}")]
            return
        write_text(path, text)
        self.checks = [check_modelfile(text, self.tokenizer, bos=bos)]


def _copy_adapter(adapter: Path, folder: Path, key: str) -> None:
    if is_done(folder, key):
        return
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(adapter, partial, ignore=shutil.ignore_patterns(".*"))
    move_into_place(partial, folder)
    mark_done(folder, key)


def digests_hold(folder: Path) -> bool:
    """Whether every file of a release is still what its `release.json` says."""
    files: Mapping[str, str] = load(folder / "release.json", Release).files
    return all((folder / name).is_file() and sha256_file(folder / name) == digest for name, digest in files.items())
