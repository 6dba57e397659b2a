"""What a lab may write under `qagen:`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Settings):
    """What a million tokens cost, in the currency of the budget."""

    input: float = Field(default=0.0, ge=0)
    output: float = Field(default=0.0, ge=0)


class TeacherConfig(_Settings):
    """An OpenAI-compatible endpoint, or a local model that is served for the time of the run."""

    model: str = Field(description="model name at the endpoint; with serve, a hub id, folder, GGUF file or pkg:PACKAGE/FILE")
    base_url: str | None = Field(default=None, description="address of the endpoint; none means OpenAI's own")
    api_key_env: str = Field(default="OPENAI_API_KEY", description="environment variable that holds the key")
    api_key_block: str | None = Field(default=None, description="Prefect Secret block that holds the key, in place of the variable")
    azure_api_version: str | None = Field(
        default=None, description="for Azure OpenAI: base_url is the resource, model the deployment, such as 2024-10-21"
    )
    serve: bool = Field(default=False, description="start a local server for the model and stop it afterwards")
    mode: Literal["live", "batch"] = Field(default="live", description="batch: OpenAI's Files and Batches, half the price, within a day")
    replies: Literal["auto", "schema", "json", "text"] = Field(
        default="auto", description="how structured replies are asked for; auto asks the endpoint once what it can do"
    )
    concurrency: int = Field(default=64, ge=1, le=4096, description="requests in flight, at most; fewer where the endpoint slows down")
    timeout: float = Field(default=120.0, gt=0, description="seconds for one request")
    retries: int = Field(default=5, ge=0, description="further tries after 429, 5xx, cut connections and timeouts")
    temperature: float = Field(default=0.0, ge=0, le=2)
    max_tokens: int = Field(default=2000, ge=1)
    price: Price | None = Field(default=None, description="of a million tokens; none takes it from the table of prices, if it is there")

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, url: str | None) -> str | None:
        """Settings are shown and kept in manifests, so an address holds no secret."""
        if url is not None and (not url.startswith(("http://", "https://")) or "@" in url.split("/")[2]):
            raise ValueError(
                "base_url is an http:// or https:// address without user and password; the key goes into the variable api_key_env"
            )
        return url

    @model_validator(mode="after")
    def _one_endpoint(self) -> Self:
        if self.serve and self.base_url:
            raise ValueError("serve starts its own endpoint: give base_url or serve, not both")
        if self.serve and self.mode == "batch":
            raise ValueError("a served model has no batch mode: it costs nothing per token")
        if self.azure_api_version and not self.base_url:
            raise ValueError("azure_api_version needs base_url, the address of the resource")
        return self


class JudgeConfig(TeacherConfig):
    """A model that reads source, question and answer, and scores them; it may be another one than wrote them."""

    least: float = Field(
        default=70, ge=0, le=100, description="the lowest score, of faithful, complete, specific and standalone, that a pair may have"
    )


class BaseModelConfig(TeacherConfig):
    """The model that is going to be tuned, asked without the source: what it answers already is marked `known`."""

    drop: bool = Field(default=False, description="leave out what it answers already")


class BudgetConfig(_Settings):
    """Hard caps over the whole life of a run; what the ledger already paid for counts."""

    calls: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    money: float | None = Field(default=None, ge=0)


class ChunkConfig(_Settings):
    """How long a piece of a document is, in characters."""

    max_chars: int = Field(default=2400, ge=200)


class SplitConfig(_Settings):
    """Which documents are trained on; decided before any question exists.

    `assign` names documents (ids, `*` allowed) that must go to a part; a part with assigned documents gets no
    others, and near-copies follow each other. `later` holds documents out by the day on which they appeared.
    """

    validation: float = Field(default=0.08, ge=0, lt=1, description="share of document clusters")
    unseen: float = Field(default=0.15, ge=0, lt=1, description="share of document clusters")
    assign: dict[Literal["validation", "unseen"], tuple[str, ...]] = Field(default_factory=dict)
    later: date | None = Field(
        default=None, description="documents published on this day or after it are never trained on: the exam `later` asks about them"
    )
    near_copy: float = Field(default=0.5, gt=0, le=1, description="Jaccard similarity of word 5-grams from which two documents are one")

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Self:
        if self.validation + self.unseen >= 1:
            raise ValueError("validation and unseen together must be below 1: the rest is trained on")
        return self


class ExamConfig(_Settings):
    """How many questions each generated exam holds (`seen`: at most a quarter of the trained documents' pairs), and the lab's own."""

    seen: int = Field(default=60, ge=0)
    unseen: int = Field(default=60, ge=0)
    later: int = Field(default=60, ge=0, description="questions on documents that split.later holds out")
    unanswerable: int = Field(
        default=30, ge=0, description="questions that nobody can answer: left open by the sources, or about things that do not exist"
    )
    expert: Path | None = Field(default=None, description="the lab's own questions: JSONL, JSON or CSV, relative to the YAML file")
    general: bool | Path = Field(
        default=True, description="questions on general knowledge, to see forgetting: ours, a JSONL, JSON or CSV file, or none (false)"
    )

    def absolute(self, folder: Path) -> ExamConfig:
        """The settings with paths as they are meant."""
        general = self.general if isinstance(self.general, bool) else folder / self.general.expanduser()
        return self.model_copy(update={"expert": _under(folder, self.expert), "general": general})


class OwnConfig(_Settings):
    """Pairs that a lab has already: a file, a dataset of the Hugging Face hub, or a Python callable such as a simulator."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="what the pairs are called in files and counts")
    path: Path | None = Field(default=None, description="JSON, JSONL, CSV or Parquet file, or a folder that datasets saved")
    dataset: str | None = Field(default=None, description="a dataset of the hub: owner/name, or owner/name/configuration")
    callable: str | None = Field(default=None, description="module:function that yields pairs")
    folder: Path = Field(default=Path("."), description="where the callable's module lies, relative to the YAML file")
    arguments: dict[str, Any] = Field(default_factory=dict, description="of the callable; the seed is given as `seed`")
    split: str = Field(default="train", description="which split of a hub dataset")
    columns: dict[Literal["question", "answer", "group", "kind", "language", "licence", "context"], str] = Field(
        default_factory=dict, description="where the layout is not one of the known ones: our word and the file's column"
    )
    licence: str = Field(default="LicenseRef-unknown", description="SPDX id of what has none of its own")
    most: int | None = Field(default=None, ge=1, description="at most so many pairs")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(place is not None for place in (self.path, self.dataset, self.callable)) != 1:
            raise ValueError("give one of path, dataset and callable")
        return self

    def absolute(self, folder: Path) -> OwnConfig:
        """The settings with paths as they are meant."""
        return self.model_copy(update={"path": _under(folder, self.path), "folder": folder / self.folder.expanduser()})


Kind = Literal[
    "fact", "definition", "concept", "procedure", "numerical", "comparison", "across", "table", "caption", "summary", "choice",
    "unanswerable", "derivation",
]  # fmt: skip
_WEIGHTS: dict[Kind, float] = {
    "fact": 4, "definition": 2, "concept": 4, "procedure": 2, "numerical": 2, "comparison": 1, "across": 1, "table": 1, "caption": 1,
    "summary": 1, "choice": 1, "unanswerable": 1, "derivation": 1,
}  # fmt: skip


class DecontaminateConfig(_Settings):
    """Files whose questions must not be trained on, beside the exams of the run."""

    files: tuple[Path, ...] = Field(default=(), description="JSON, JSONL, CSV or Parquet files of questions, relative to the YAML file")


class QAGenConfig(_Settings):
    """How documents become question-answer pairs."""

    teacher: TeacherConfig
    judge: JudgeConfig | None = Field(default=None, description="none: rules only")
    base: BaseModelConfig | None = Field(default=None, description="none: what the base model knows already is not looked at")
    kinds: dict[Kind, float] = Field(default=_WEIGHTS, description="kinds of question and their weights; 0 leaves one out")
    languages: tuple[Literal["en", "zh"], ...] = Field(default=(), description="languages of the questions; none means the source's own")
    paraphrases: int = Field(default=0, ge=0, le=5, description="further wordings of each question, for training only")
    restatements: int = Field(
        default=0, ge=0, le=5, description="in how many other styles the teacher says each trained chunk again, for continued pre-training"
    )
    style: Path | None = Field(default=None, description="a text file in the lab's own words on how questions and answers should sound")
    prompts: Path | None = Field(default=None, description="a folder whose files stand in for the prompts of the same name")
    own: tuple[OwnConfig, ...] = ()
    embedder: str | None = Field(
        default=None,
        description="sentence embeddings for near copies and for papers that belong together: a hub id, folder or pkg:PACKAGE/FOLDER; "
        "none: words only",
    )
    decontaminate: DecontaminateConfig = DecontaminateConfig()
    method: Literal["open", "answer-aware"] = Field(
        default="open",
        description="open: the teacher lists what a passage states, then asks about each; answer-aware: the answer is chosen by rule "
        "and only the question is asked for, which suits small teachers",
    )
    pairs_per_chunk: int = Field(default=12, ge=1, description="questions asked for per chunk, at most; fewer where it states less")
    chunk: ChunkConfig = ChunkConfig()
    split: SplitConfig = SplitConfig()
    exams: ExamConfig = ExamConfig()
    near_duplicate: float = Field(default=0.5, gt=0, le=1, description="similarity from which two questions are one")
    borderline: Literal["keep", "ask"] = Field(
        default="keep", description="two questions that rules cannot tell apart: keep both, or ask the teacher whether they are one"
    )
    budget: BudgetConfig = BudgetConfig()

    @field_validator("kinds")
    @classmethod
    def _some_kind(cls, kinds: dict[Kind, float]) -> dict[Kind, float]:
        if any(weight < 0 for weight in kinds.values()) or not any(kinds.values()):
            raise ValueError("weights of kinds are 0 or more, and one of them is more")
        return kinds

    @field_validator("own")
    @classmethod
    def _told_apart(cls, own: tuple[OwnConfig, ...]) -> tuple[OwnConfig, ...]:
        if len({one.name for one in own}) < len(own):
            raise ValueError("two sources of own pairs have the same name")
        return own

    def absolute(self, folder: Path) -> QAGenConfig:
        """The settings with paths as they are meant: relative to the YAML, wherever the run happens."""
        files = tuple(folder / path.expanduser() for path in self.decontaminate.files)
        return self.model_copy(
            update={
                "exams": self.exams.absolute(folder),
                "decontaminate": DecontaminateConfig(files=files),
                "own": tuple(
                    one.model_copy(update={"path": _under(folder, one.path), "folder": folder / one.folder.expanduser()})
                    for one in self.own
                ),
                "style": _under(folder, self.style),
                "prompts": _under(folder, self.prompts),
            }
        )


def _under(folder: Path, path: Path | None) -> Path | None:
    return folder / path.expanduser() if path else None
