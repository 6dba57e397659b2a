"""A field of own pairs all the way to a release: sweep, two seeds, gate, exports, the next version compared with the one before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FIELD = """\
title: "Testing: a *released* model"
qagen:
  teacher: {{model: none}}
  own: [{{name: ours, path: pairs.jsonl, licence: CC0-1.0}}]
  split: {{validation: 0.2, unseen: 0.2}}
  exams: {{seen: 10, unseen: 10, general: false}}
train:
  base: "{base}"
  backend: peft
  seeds: 2
  sweep: {{learning_rate: [1.0e-4, 3.0e-2], first_steps: 2}}
  stages: [{{kind: sft, max_steps: {steps}, batch_size: 4, max_length: 192}}]
prove: {{answers: false}}
gate: {{exam: seen, measure: nll, min_gain: -100, min_low: -100, max_general_loss: 1, no_regression: false}}
release: {{gguf: []}}
"""


def fieldsmith(place: Path, *arguments: str) -> tuple[int, str, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments], cwd=place, env=environment, capture_output=True, text=True, timeout=400
    )
    return done.returncode, done.stdout, done.stderr


def write_field(place: Path, base: str, steps: int) -> None:
    (place / "fields").mkdir(exist_ok=True)
    (place / "fields" / "lab.yaml").write_text(FIELD.format(base=base, steps=steps), encoding="utf-8")
    pairs = [{"question": f"How long is bar {n} of rack {n % 7}?", "answer": f"{3 * n + 7} mm", "group": n} for n in range(80)]
    (place / "fields" / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, base: str) -> tuple[Path, str]:
    place = tmp_path_factory.mktemp("released")
    write_field(place, base, 4)
    code, out, err = fieldsmith(place, "run", "lab")
    assert code == 0, err
    return place, out


def test_what_passed_its_gate_is_released_with_its_proof(lab: tuple[Path, str]) -> None:
    place, out = lab
    run = place / "runs" / "lab"
    model = run / "models" / read(run / "released.json")["model"]
    assert read(model / "gate.json")["passed"]
    release = model / "release"
    for name in ("README.md", "adapter/adapter_model.safetensors", "merged/model.safetensors", "parity.json", "release.json"):
        assert (release / name).is_file()
    assert "The gate is passed" in out
    assert read(model / "metrics.json")["exams"]["seen"]["sha256"] in (release / "README.md").read_text(encoding="utf-8")


def test_a_sweep_chooses_and_every_seed_is_examined(lab: tuple[Path, str]) -> None:
    run = lab[0] / "runs" / "lab"
    [sweep] = run.glob("sweep/*/sweep.json")
    chosen = read(sweep)["chosen"]
    model = run / "models" / read(run / "released.json")["model"]
    assert read(model / "train.plan.json")["config"]["stages"][0]["learning_rate"] == chosen["learning_rate"]
    seeds = read(model / "seeds.json")
    assert seeds["seeds"] == [0, 1]
    assert len(seeds["exams"]["seen"]["tuned"]["nll"]["per_seed"]) == 2
    assert read(model / "metrics.json")["adapter"] != read(model / "seeds" / "1" / "metrics.json")["adapter"]


def test_the_next_version_is_compared_with_the_one_released_before(lab: tuple[Path, str], base: str) -> None:
    place, _ = lab
    before = read(place / "runs" / "lab" / "released.json")["model"]
    write_field(place, base, 5)
    code, _, err = fieldsmith(place, "run", "lab")
    assert code == 0, err
    after = read(place / "runs" / "lab" / "released.json")["model"]
    assert after != before
    assert (place / "runs" / "lab" / "models" / after / "versions.json").is_file()
    code, out, err = fieldsmith(place, "compare", "lab", before, after)
    assert code == 0, err
    assert f"{after} gains over {before}" in out
    code, _, err = fieldsmith(place, "compare", "lab", "other", after)
    assert code == 2
    assert before in err
