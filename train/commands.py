"""`python -m train evaluate` and `export`: the proof and the release of a model, whoever trained it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harvest.store import UsageError, first_problem
from train.alone import print_json, summary
from train.config import ProveConfig, ReleaseConfig, RetrievalConfig
from train.flags import Parser
from train.given import Given, given_model
from train.own_exam import exam_file, exam_folder
from train.records import Release


def _model_parser(command: str, description: str, output: str) -> Parser:
    parser = Parser(f"python -m train {command}", description)
    parser.add_argument("model", metavar="MODEL", help="a folder of `python -m train`, an adapter, or a whole model (with --base)")
    parser.add_argument("--base", help="the model that it was trained from, where its own files do not say so")
    parser.add_argument("--adapter", type=Path, help="an adapter for MODEL, which then is its base")
    parser.add_argument("--exam", type=Path, required=True, help="JSON or JSONL: questions of fieldsmith's, or pairs in any layout")
    parser.add_argument("--output", type=Path, default=Path(output), help="(default: %(default)s)")
    parser.add_argument("--system-prompt", help="put before every question (default: that of the training)")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def evaluate(given: list[str]) -> int:
    """Examine base and tuned model; the exams' figures are one JSON object on standard output, the proof is OUTPUT/metrics.json."""
    from train.prove.evaluation import examine_models

    parser = _model_parser(
        "evaluate", "Put an exam (or a folder of them) to base and tuned model; the proof is OUTPUT/metrics.json.", "exam"
    )
    parser.add_argument("--passages", type=Path, help="JSONL of passages: both are also examined with what retrieval finds in them")
    parser.add_argument("--embedder", help="of the retrieval; default: by words alone")
    parser.add_argument("--no-answers", action="store_true", help="likelihoods and choices only: the models need not answer freely")
    options = parser.parse_args(given)
    model = given_model(options.model, base=options.base, adapter=options.adapter)
    metrics = examine_models(
        model.base,
        model.tuned,
        exam_folder(options.exam, options.output / "exams"),
        options.output,
        seed=options.seed,
        prove=ProveConfig(retrieval=RetrievalConfig(embedder=options.embedder), answers=not options.no_answers),
        passages=options.passages,
        system_prompt=options.system_prompt or model.system_prompt,
    )
    print_json({"metrics": str(options.output / "metrics.json"), "exams": summary(metrics)})
    return 0


def export(given: list[str]) -> int:
    """Release a model; its files and the parity table are one JSON object on standard output."""
    parser = _model_parser("export", "Merged weights, GGUF files and a Modelfile, each examined again before it leaves.", "exported")
    parser.add_argument("--name", help="of the files (default: that of the model's folder)")
    parser.add_argument("--gguf", default="f16,Q8_0,Q4_K_M", metavar="A,B,...", help="formats, or none (default: %(default)s)")
    parser.add_argument("--parity", metavar="NATS", help="per answer token that an export may drift")
    parser.add_argument("--parity-quantised", metavar="NATS", help="the same for formats below 8 bits")
    parser.add_argument("--licence", help="SPDX id of the exported model")
    parser.add_argument("--push-to", metavar="OWNER/NAME", help="hub id to which the release is pushed, privately unless --public")
    parser.add_argument("--public", action="store_true")
    options = parser.parse_args(given)
    release = _release_settings(options)
    model = given_model(options.model, base=options.base, adapter=options.adapter)
    folder, done = _released(options, model, release, exam_file(options.exam, options.output / "exams"))
    print_json({"release": str(folder), "files": done.files, "parity": done.parity, "pushed_to": done.pushed_to})
    return 0


def _released(options: argparse.Namespace, model: Given, release: ReleaseConfig, exam: Path) -> tuple[Path, Release]:
    """A training that was examined leaves with its card, and only past its gate; what was trained elsewhere brings no proof along."""
    from train.release.card import About
    from train.release.export import Candidate, release_model
    from train.release.export import export as export_training

    name = options.name or Path(options.model).name
    if model.out is not None and model.config is not None and (model.out / "metrics.json").is_file():
        about = About(name, name, licence=options.licence)
        return model.out / "release", export_training(model.config, model.out, release, exam=exam, seed=options.seed, about=about)
    prompt = options.system_prompt or model.system_prompt
    candidate = Candidate(name, model.base, model.tuned, exam, prompt, options.seed, options.licence)
    return options.output / "release", release_model(candidate, options.output, release)


def _release_settings(options: argparse.Namespace) -> ReleaseConfig:
    wanted: dict[str, Any] = {"gguf": [kind for kind in options.gguf.split(",") if kind and kind != "none"], "private": not options.public}
    given = {name: getattr(options, name) for name in ("parity", "parity_quantised", "licence", "push_to")}
    try:
        return ReleaseConfig.model_validate(wanted | {name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise UsageError(f"python -m train export: {first_problem(error)}") from error
