"""Settings of Distilling Step-by-Step's rows: joined with a teacher's answers, or asked of a language model."""

from __future__ import annotations

from typing import Annotated, Any, Iterator, Literal, Mapping

from scripts.common.fields import Settings, optional, setting
from scripts.common.registry_settings import RowLayout
from scripts.step_by_step import parsing
from scripts.step_by_step.settings_train import Blanks, Form

Parser = Annotated[
    parsing.Parser, setting("how raw answers are read: as the released code does, or as they were meant")
]
Unparsed = Annotated[
    Literal["keep", "drop"],
    setting("what becomes of training rows whose answer cannot be read", source="code: kept"),
]


class PrepareSettings(RowLayout):
    """Settings of `scripts.step_by_step.prepare_examples`."""

    dataset: str = setting("name of the data set, for messages and the report", min_length=1)
    format: Form
    teacher: Literal["palm", "gpt", "generic", "none"] = setting(
        "whose reasons and labels: palm, gpt (any other model) from raw answers, generic from the rows' own columns, "
        "or nobody's",
    )
    parser: Parser
    split: Literal["train", "valid", "test"] = setting("which rows these are")
    unparsed: Unparsed
    blanks: Blanks
    reader: str | None = optional(
        "reader of the rows' files (scripts/data/readers.py)", source="default: that of the format"
    )

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them; the rest is a data set's own."""
        return {key: config["step_by_step"][key] for key in ("parser", "unparsed", "blanks")}


class Endpoint(Settings):
    """OpenAI-compatible endpoint that is asked."""

    base_url: str = setting("address up to /v1", min_length=1)
    model: str = setting("name that the endpoint knows", min_length=1)
    key_variable: str = optional("environment variable that holds the key", source="default: no key is sent")
    api: Literal["chat", "completions"] = optional("form of a request", source="default: chat")
    timeout_s: float = optional("longest wait for an answer", source="default: 60", unit="s", gt=0)
    attempts: int = optional("tries per question, the first included", source="default: 5", ge=1)
    max_wait_s: float = optional("longest pause between two tries", source="default: 60", unit="s", ge=0)
    parallel: int = optional("questions asked at the same time", source="default: 4", unit="questions", ge=1)
    price_in: float = optional(
        "price of a million tokens read, for the estimate in the log", unit="currency units", ge=0
    )
    price_out: float = optional("price of a million tokens written", unit="currency units", ge=0)
    parameters: dict[str, Any] = optional(
        "further fields of each request, or others in place of the usual ones; null leaves one out"
    )


class ExtractSettings(Settings):
    """Settings of `scripts.step_by_step.extract_rationales`."""

    format: Form
    backend: Literal["openai", "local"] = setting("who is asked: an OpenAI-compatible endpoint or a local model")
    max_new_tokens: int = setting("tokens after which an answer is cut", unit="tokens", ge=1)
    n_exemplars: int | None = optional("worked examples shown", source="default: null, all of the prompt", ge=1)
    temperature: float = optional("0 takes the likeliest token, more draws", source="default: 0", ge=0)
    seed: int = optional("seed of what is drawn", source="default: 0", ge=0)
    limit: int | None = optional("rows asked, the first ones", source="default: null, all", unit="rows", ge=1)
    endpoint: Endpoint = optional("the endpoint, for backend openai")
    model: str = optional("folder or hub id of the model, for backend local")
    dtype: str = setting("number format of the local model: auto, float32, bfloat16 or float16")
    device: str = setting("where the local model computes: auto, cpu or cuda")
    threads: int = setting("CPU threads of torch", unit="threads", ge=1)
    batch_size: int = optional("answers a local model writes side by side", source="default: 8", ge=1)

    def misfits(self) -> Iterator[str]:
        """Yield what a backend lacks."""
        if self.backend == "local" and not self.model:
            yield "model: no name given; the local backend needs a folder or hub id"
        if self.backend == "openai" and self.endpoint is None:
            yield "endpoint: is empty; the openai backend needs base_url, model, key_variable and the like"

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them: where and how a local model computes."""
        return cls.kept(config["compute"])
