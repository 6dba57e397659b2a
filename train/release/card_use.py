"""The card's practical half: how to run the model, how it was trained, where its limits are, whose texts it learnt."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from harvest.store import safe_name
from train.config import StageConfig, TrainConfig
from train.records import Training
from train.release.markdown import block, code, escaped, table

# ---- how to run


def usage(name: str, repo: str | None, base: str, files: Collection[str]) -> Iterator[str]:
    """Commands for the forms that were released, and for no others."""
    yield "## How to run it"
    yield ""
    yield from _transformers(repo, base, files)
    yield from _gguf(name, repo, files)
    yield "With fieldsmith, in the project that trained it (an OpenAI-compatible address):"
    yield ""
    yield from block("sh", f"fieldsmith serve {safe_name(name)}")


def _transformers(repo: str | None, base: str, files: Collection[str]) -> Iterator[str]:
    merged, adapter = _folder_of(files, "config.json"), _folder_of(files, "adapter_config.json")
    if merged is not None:
        yield "With transformers:"
        yield ""
        yield from block("python", "from transformers import pipeline", "", *_pipeline(_reference(repo, merged), merged if repo else ""))
    elif adapter is not None:
        where, sub = _reference(repo, adapter), f', subfolder="{adapter}"' if repo and adapter else ""
        yield f"With transformers and peft, over {code(base)}:"
        yield ""
        yield from block(
            "python", "from peft import AutoPeftModelForCausalLM", "", f'model = AutoPeftModelForCausalLM.from_pretrained("{where}"{sub})'
        )


def _pipeline(reference: str, subfolder: str) -> Iterator[str]:
    inner = f', subfolder="{subfolder}"' if subfolder else ""
    if inner:  # a pipeline takes a folder of a repository only for objects that were loaded before
        yield "from transformers import AutoModelForCausalLM, AutoTokenizer"
        yield ""
        yield f'model = AutoModelForCausalLM.from_pretrained("{reference}"{inner})'
        yield f'tokenizer = AutoTokenizer.from_pretrained("{reference}"{inner})'
        yield 'ask = pipeline("text-generation", model=model, tokenizer=tokenizer)'
    else:
        yield f'ask = pipeline("text-generation", model="{reference}")'
    yield 'print(ask([{"role": "user", "content": "..."}], do_sample=False, max_new_tokens=200)[0]["generated_text"][-1]["content"])'


def _gguf(name: str, repo: str | None, files: Collection[str]) -> Iterator[str]:
    ggufs = sorted((file for file in files if file.endswith(".gguf")), key=lambda file: "Q8_0" not in file)
    if not ggufs:
        return
    if repo:
        yield "Get the files:"
        yield ""
        yield from block("sh", f'hf download {repo} --include "*.gguf" --include "*Modelfile*" --local-dir .')
    yield "With llama.cpp:"
    yield ""
    yield from block("sh", f"llama-server --model {ggufs[0]} --jinja")
    modelfile = next((file for file in sorted(files) if file.rpartition("/")[2].startswith("Modelfile")), None)
    if modelfile:
        yield "With Ollama:"
        yield ""
        own = safe_name(name).lower()
        yield from block("sh", f"ollama create {own} --file {modelfile}", f"ollama run {own}")


def _reference(repo: str | None, folder: str) -> str:
    return repo or folder or "."


def _folder_of(files: Collection[str], name: str) -> str | None:
    """The folder of the first file with that name, `""` for the release's own; None where there is none."""
    found = sorted((file for file in files if file.rpartition("/")[2] == name), key=len)
    return found[0].rpartition("/")[0] if found else None


# ---- how it was trained


def training_settings(training: Training, base: str, config: TrainConfig | None) -> Iterator[str]:
    """Base, backend, settings, counts, final losses and versions."""
    yield "## How it was trained"
    yield ""
    yield f"- base: {code(base)}"
    yield f"- backend: {escaped(training.backend)} ({escaped(training.backend_reason)})"
    if config is not None:
        yield from _settings(config)
    for name, curve in training.losses.items():
        if curve:
            yield f"- loss of {code(name)}: {curve[0][1]:.3f} at step {curve[0][0]}, {curve[-1][1]:.3f} at step {curve[-1][0]}"
    yield from (f"- {escaped(note)}" for note in training.notes)
    if training.seconds:
        yield f"- time: {training.seconds:.0f} s"
    if training.fingerprint:
        yield f"- fingerprint of settings, data and seed: {code(training.fingerprint)}"
    yield f"- versions: {', '.join(f'{escaped(name)} {escaped(version)}' for name, version in training.versions.items()) or 'not recorded'}"
    yield ""
    if training.counts:
        yield from table(["counted", ""], ([escaped(name), str(value)] for name, value in training.counts.items()))


def _settings(config: TrainConfig) -> Iterator[str]:
    lora = config.lora
    kind = "DoRA" if lora.dora else "rsLoRA" if lora.rslora else "LoRA"
    targets = lora.target_modules if isinstance(lora.target_modules, str) else ", ".join(lora.target_modules)
    yield f"- {kind}: r {lora.r}, alpha {lora.alpha}, dropout {lora.dropout:g}, on {escaped(targets)}"
    for number, stage in enumerate(config.stages, 1):
        yield f"- stage {number}, {stage.kind}: {', '.join(_stage(stage))}"
    if config.merge is not None:
        yield f"- then averaged with {code(config.merge.model)}, {config.merge.weight:.0%} of it being the trained weights"
    if config.system_prompt:
        yield f"- system prompt: {escaped(config.system_prompt)}"


def _stage(stage: StageConfig) -> Iterator[str]:
    yield f"{stage.max_steps} steps" if stage.max_steps else f"{stage.epochs:g} epochs"
    yield f"learning rate {stage.learning_rate:g} ({stage.scheduler}, {stage.warmup_steps} warm-up steps)"
    yield f"batch {stage.batch_size}"
    yield f"at most {stage.max_length} tokens"
    if stage.weight_decay:
        yield f"weight decay {stage.weight_decay:g}"
    if stage.neftune_alpha:
        yield f"NEFTune {stage.neftune_alpha:g}"
    if stage.replay is not None:
        yield f"{stage.replay.fraction:.0%} replay of general data"
    if stage.restatements:
        yield "with restatements"


# ---- limits and sources


def limits(retrieval: bool) -> Iterator[str]:
    """What no figure above can promise."""
    yield "## Limits"
    yield ""
    yield "- It states wrong things as fluently as right ones, and quotes no source. Check what it says in the documents themselves."
    if retrieval:
        yield "- Where an answer must rest on a document, show it the passages (retrieval) and read them."
    yield "- It knows its documents as they were when they were gathered; later findings and corrections are not in it."
    yield "- Not for decisions about safety, health or the operation of a machine."
    yield ""


def sources(licences: Mapping[str, int]) -> Iterator[str]:
    """Whose texts were learnt, by licence."""
    yield "## Licences of what it learnt from"
    yield ""
    if not licences:
        yield "The licences of its documents are not recorded here."
        yield ""
        return
    ordered = sorted(licences.items(), key=lambda item: (-item[1], item[0]))
    yield from table(["licence", "documents"], ([escaped(name) or "not stated", str(count)] for name, count in ordered))
