"""The forms in which a model leaves: made piece by piece in one folder, listed, and examined against the model they come from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harvest.store import FieldsmithError, fingerprint, is_done, mark_done, safe_name, sha256_file, write_bytes, write_text
from train.config import GgufType, ReleaseConfig
from train.prove.arms import Candidates
from train.prove.exam import read_exam
from train.records import Check, EvalResult, ExamItem, Parity
from train.release.gguf import fallbacks, make_gguf
from train.release.go_template import NotExpressibleError
from train.release.llama import Llama
from train.release.merged import is_adapter, merge, tuned_tokenizer
from train.release.modelfile import check_modelfile, modelfile
from train.release.parity import examine_gguf, examine_model, parity_rows
from train.release.server import server_check
from train.release.template import check_folder, check_gguf, generation_ends
from train.serving.engines import llama_server
from train.tune.checkpoints import move_into_place

FORM = 1
"""Raise it when the same model would be released otherwise: releases of other forms are made again."""

DATASET_CARD = "DATASET_CARD.md"
"""What the model learnt from, in a release."""

_FOR_OLLAMA: tuple[GgufType, ...] = ("Q8_0", "Q4_K_M", "f16")
"""The first of these that there is stands in the Modelfile."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is to be released: the tuned folder (an adapter's or a whole model's), the base that it belongs to, the exam to be sat again.

    `name` is that of the files; `system_prompt` and `seed` are those of the exam; `dataset_card` a file that is released as it is.
    """

    name: str
    base: str
    tuned: Path
    exam: Path
    system_prompt: str | None = None
    seed: int = 0
    licence: str | None = None
    dataset_card: Path | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """What the weights, their results in the exam, and the release as a whole follow from."""

    weights: str
    exam: str
    release: str


def keys_of(candidate: Candidate, release: ReleaseConfig, card_key: str = "") -> Keys:
    """The keys of a release: what `train.release.export` makes again when one of them changes."""
    weights = fingerprint("weights", FORM, candidate.name, Candidates(candidate.base, candidate.tuned).identity("tuned"))
    exam = fingerprint(weights, sha256_file(candidate.exam), candidate.system_prompt, candidate.seed)
    settings = release.model_dump(mode="json", exclude={"push_to", "private"})
    beside = sha256_file(candidate.dataset_card) if candidate.dataset_card else None
    return Keys(weights, exam, fingerprint(FORM, exam, candidate.licence, beside, settings, card_key))


class Forms:
    """The forms of one model in one folder: made, listed, examined."""

    def __init__(self, candidate: Candidate, folder: Path, release: ReleaseConfig, keys: Keys | None = None) -> None:
        self.candidate, self.folder, self.release = candidate, folder, release
        self.keys = keys or keys_of(candidate, release)
        self.adapter = is_adapter(candidate.tuned)
        self.tokenizer = tuned_tokenizer(candidate.base, candidate.tuned)
        self.merged = folder / ("merged" if release.merged else ".merged")
        self.ggufs: dict[GgufType, Path] = {}
        self.checks: list[Check] = []

    def make(self) -> None:
        """All of them, each left alone where it was made before."""
        key = self.keys.weights
        merge(self.candidate.base, self.candidate.tuned, self.merged, key=key)
        if self.adapter:
            _copy_adapter(self.candidate.tuned, self.folder / "adapter", key)
        if self.candidate.dataset_card:
            write_bytes(self.folder / DATASET_CARD, self.candidate.dataset_card.read_bytes())
        if self.release.gguf:
            self.ggufs = make_gguf(self.merged, self.folder / "gguf", self.release.gguf, name=safe_name(self.candidate.name), key=key)
            self._write_modelfile()

    def files(self) -> set[str]:
        """Paths of all that is released, relative to the folder."""
        held = [self.folder / "adapter"] * self.adapter + [self.merged] * self.release.merged
        paths = [
            *(path for folder in held for path in folder.rglob("*") if path.is_file()),
            *self.ggufs.values(),
            *(self.folder / name for name in ("Modelfile", DATASET_CARD)),
        ]
        return {path.relative_to(self.folder).as_posix() for path in paths if path.is_file() and not path.name.startswith(".")}

    def parity(self) -> Parity:
        """The exam on every form, and whether each speaks as trained."""
        items = read_exam(self.candidate.exam)
        if not items:
            raise FieldsmithError(f"the exam {self.candidate.exam} has no questions: a release cannot be checked with it")
        rows = parity_rows(dict(self._examiners(items)), self.release, self.folder / ".parity", self.keys.exam)
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
        server = llama_server()
        if server is not None and self.ggufs and self.tokenizer.chat_template:
            yield server_check(server, min(self.ggufs.values(), key=lambda file: file.stat().st_size), self.tokenizer)

    def _write_modelfile(self) -> None:
        """Beside the GGUF files where Ollama can write the template; where it cannot, that is said."""
        kind = next(kind for kind in _FOR_OLLAMA if kind in self.ggufs)
        with Llama(self.ggufs[kind], weights=False) as llama:
            bos = None if llama.begin is None else llama.text([llama.begin])
        ends = [self.tokenizer.decode([end]) for end in generation_ends(self.merged)]
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
        write_text(self.folder / "Modelfile", text)
        self.checks = [check_modelfile(text, self.tokenizer, bos=bos)]


def _copy_adapter(adapter: Path, folder: Path, key: str) -> None:
    if is_done(folder, key):
        return
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(adapter, partial, ignore=shutil.ignore_patterns(".*"))
    move_into_place(partial, folder)
    mark_done(folder, key)
