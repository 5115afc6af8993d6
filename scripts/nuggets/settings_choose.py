"""Settings of choosing in NUGGETS: pool, anchors, scores, methods."""

from __future__ import annotations

from typing import Literal

from scripts.common.fields import Settings, optional, setting


class Sample(Settings):
    """How rows are drawn from a pool whose good or bad rows are listed (not in the paper)."""

    even: bool = setting("half of the rows good, half bad")
    held_out: int = setting("rows set aside as questions", unit="rows", ge=0)


class AnchorSet(Settings):
    """One set of anchors."""

    by: Literal["kmeans", "random", "given"] = setting(
        "how anchors are drawn; given takes the anchor dataset as it is",
        source="NUGGETS, section 3.4",
    )
    n: int | None = setting("number of anchors; null with given", source="NUGGETS: 100 and 1,000", ge=1)


class Embed(Settings):
    """How texts become vectors, for the anchors."""

    pooling: Literal["mean_with_padding", "mean", "first"] = setting(
        "mean over the last hidden states, with padding as in the released code or without, or the first token's",
    )
    max_tokens: int = setting(
        "tokens after which a text is cut before it is embedded",
        source="released code: 512",
        unit="tokens",
        ge=1,
    )


class Score(Settings):
    """How an example is scored by what it does for the anchors."""

    prompt: str = setting(
        "template of demonstrations and anchors, a row of prompts",
        source="released code: prompt version default",
        key_of="prompts",
    )
    separator: str = setting("text between demonstration and anchor", source="released code: none")
    bos: Literal["paper", "both"] = setting(
        "where the beginning-of-text token stands; paper: before the demonstration only (released code), both: "
        "before the zero-shot question too",
    )
    anchor_tokens: int | None = setting(
        "tokens after which an anchor is cut; null never cuts",
        source="released code: 200",
        unit="tokens",
        ge=1,
    )
    too_long: Literal["error", "truncate", "skip"] = setting(
        "what happens to a demonstration that does not fit the model's window",
        source="not in the paper",
    )
    pad_word: bool = setting(
        "whether a word [PAD] with the mean of all vectors is added to the vocabulary",
        source="released code: true",
    )
    kv_iter: int = setting(
        "times the demonstration is read; 1 is plain one-shot scoring",
        source="NUGGETS: 1",
        unit="times",
        ge=1,
    )
    step_size: float = setting(
        "step along the change of keys and values at each further reading, no unit",
        source="released code: 0.01",
        gt=0,
    )
    momentum: float = setting(
        "share of the last step kept in the next, no unit",
        source="released code: 0.9",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )
    shard_size: int = setting(
        "candidates that one job scores; does not change the scores",
        source="released code: 5,000",
        unit="candidates",
        ge=1,
    )
    racing: float | None = setting(
        "golden score, share of anchors that the example helps with, 0 to 1, on whose sides the pool is to be "
        "split early; null scores every anchor",
        source="not in the paper",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )


class Method(Settings):
    """How one subset of the pool is chosen."""

    by: str = setting(
        "what the choice goes by, one of the registry of ways to choose; none: no fine-tuning, all: the whole pool",
        source="NUGGETS, section 3.3; perplexity, ifd, length, k_center are not in the paper",
        named="ways_of_nuggets",
    )
    above: float = optional(
        "golden score, share of anchors that the example helps with, above which an example is chosen, 0 to 1",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )
    at_most: float = optional(
        "golden score, share of anchors that the example helps with, up to which an example is chosen, 0 to 1",
        unit="share, 0 to 1",
        ge=0,
        le=1,
    )
    order: Literal["highest", "lowest"] = optional("which end of the order fills the subset of nuggets.subset_fraction")
