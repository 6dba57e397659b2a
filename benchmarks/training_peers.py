"""One training in one process, timed between its steps: fieldsmith, a bare TRL script, or Unsloth's notebook recipe.

`python benchmarks/training_peers.py NAME DATA.jsonl BASE OUT STEPS` prints one line of JSON. The clock is a callback that every trainer of
transformers gets, and starts when the first step is done, so that loading and compiling are nobody's loss.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCH, LENGTH, RANK = 8, 512, 16
MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
RATE = 2e-4


def start_clock() -> dict[str, float]:
    """Hand every trainer a clock; filled with `first` and `last` (seconds) and `cpu` once training ends."""
    from transformers import TrainerCallback
    from transformers import trainer as module

    found: dict[str, float] = {}

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if "first" not in found:
                found.update(first=time.monotonic(), cpu_first=time.process_time())
            found.update(last=time.monotonic(), cpu=time.process_time() - found["cpu_first"])

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
            if logs and "loss" in logs:
                found["loss"] = float(logs["loss"])

    module.DEFAULT_CALLBACKS.append(Clock)
    return found


def chats(data: Path) -> list[dict[str, Any]]:
    """The chats of the file."""
    return [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]


# ---- the peers


def fieldsmith(backend: str, bits: bool, data: Path, base: str, out: Path, steps: int) -> dict[str, float]:
    """Our own training."""
    from train.backends.choose import choose
    from train.config import LoraConfig, StageConfig, TrainConfig
    from train.models import cache_folder
    from train.tune.training import train

    stage = StageConfig(
        kind="sft", max_steps=steps, epochs=1000, batch_size=BATCH, max_length=LENGTH, learning_rate=RATE, checkpoint_steps=10_000
    )
    lora = LoraConfig(r=RANK, alpha=RANK, target_modules=MODULES)
    config = TrainConfig(base=base, backend=backend, load_in_4bit=bits, lora=lora, stages=(stage,), report_to=())  # type: ignore[arg-type]
    choose(config.backend, cache_folder() / "unsloth")  # before transformers is imported for the clock
    found = start_clock()
    train(config, data, out, seed=0)
    return found


def trl(data: Path, base: str, out: Path, steps: int, **settings: Any) -> dict[str, float]:
    """TRL's own way: SFTTrainer on conversations, loss on the completion, LoRA by peft_config."""
    found = start_clock()
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    rows = [{"prompt": chat["messages"][:-1], "completion": chat["messages"][-1:]} for chat in chats(data)]
    arguments = SFTConfig(
        output_dir=str(out),
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        learning_rate=RATE,
        max_length=LENGTH,
        report_to="none",
        save_strategy="no",
        logging_steps=steps,
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),  # without it TRL refuses to start on a CPU
        **settings,
    )
    SFTTrainer(
        model=base,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(base),
        peft_config=LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(MODULES), task_type="CAUSAL_LM"),
    ).train()
    return found


def unsloth(bits: bool, data: Path, base: str, out: Path, steps: int) -> dict[str, float]:
    """Unsloth's notebooks: text from the chat template, 2 rows a pass and 4 passes a step, 8-bit AdamW, responses only."""
    from unsloth import FastLanguageModel  # isort: skip
    from unsloth.chat_templates import train_on_responses_only

    found = start_clock()
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=base, max_seq_length=LENGTH, load_in_4bit=bits, use_exact_model_name=True
    )
    model = FastLanguageModel.get_peft_model(
        model,
        r=RANK,
        lora_alpha=RANK,
        lora_dropout=0,
        target_modules=list(MODULES),
        bias="none",
        use_gradient_checkpointing="unsloth",
        random_state=3407,
    )
    texts = [tokenizer.apply_chat_template(chat["messages"], tokenize=False) for chat in chats(data)]
    arguments = SFTConfig(
        output_dir=str(out),
        dataset_text_field="text",
        per_device_train_batch_size=2,
        gradient_accumulation_steps=BATCH // 2,
        warmup_steps=5,
        max_steps=steps,
        learning_rate=RATE,
        logging_steps=1,
        optim="adamw_8bit",
        weight_decay=0.001,
        lr_scheduler_type="linear",
        seed=3407,
        report_to="none",
        disable_tqdm=True,
        max_length=LENGTH,
    )
    trainer = SFTTrainer(
        model=model, processing_class=tokenizer, train_dataset=Dataset.from_list([{"text": text} for text in texts]), args=arguments
    )
    train_on_responses_only(trainer, instruction_part="<|im_start|>user\n", response_part="<|im_start|>assistant\n").train()
    return found


PEERS: dict[str, Callable[[Path, str, Path, int], dict[str, float]]] = {
    "fieldsmith": lambda *a: fieldsmith("auto", False, *a),
    "fieldsmith-peft": lambda *a: fieldsmith("peft", False, *a),
    "fieldsmith-4bit": lambda *a: fieldsmith("unsloth", True, *a),
    "trl": lambda *a: trl(*a),
    "trl-tuned": lambda *a: trl(*a, gradient_checkpointing=False),
    "trl-tuned-fp32": lambda *a: trl(*a, gradient_checkpointing=False, bf16=False),
    "unsloth-recipe": lambda *a: unsloth(False, *a),
    "unsloth-recipe-4bit": lambda *a: unsloth(True, *a),
}


def main() -> None:
    """Train once and print what it took."""
    name, data, base, out, steps = sys.argv[1:6]
    found = PEERS[name](Path(data), base, Path(out), int(steps))
    import torch

    memory = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = found["last"] - found["first"]
    print("RESULT", json.dumps({"seconds": seconds, "cpu": found["cpu"], "mb": memory / 2**20, "loss": found.get("loss")}))


if __name__ == "__main__":
    main()
