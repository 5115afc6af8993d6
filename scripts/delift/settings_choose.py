"""Settings of choosing in DELIFT: utility, embeddings, baselines, methods."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Mapping

from scripts.common.fields import Settings, Share, optional, setting
from scripts.common.prompt_settings import BatchTokens, PromptTemplates
from scripts.lm.warmup_settings import WarmupSettings


class SpecialTokens(Settings):
    """Where special tokens stand (released code: end-of-text between and after)."""

    before: Literal["none", "bos"] = setting("before the prompt")
    between: Literal["none", "eos"] = setting("between prompt and response")
    after: Literal["none", "eos"] = setting("after the response, where it is scored too")


class Templates(Settings):
    """Texts of the utility's prompts, in our words."""

    alone: str = setting("without an example; has {prompt}")
    example: str = setting("the example; has {prompt} and {response}")
    query: str = setting("what follows the example; has {prompt}")


class UtilityTerms(Settings):
    """What a utility depends on besides model, data and prompt."""

    distance: Literal["euclidean", "exponential"] = setting(
        "difference of distances, or its exponential",
        source="released code offers both",
    )
    max_tokens: int = setting("longest sequence", source="released code: 2048", unit="tokens", ge=2)
    released_truncation: bool = setting("cut as the released code does, which loses the longest item's last tokens")
    released_batch: int = setting("batch by which the released truncation goes", source="released code: 32", ge=1)
    special_tokens: SpecialTokens
    templates: Templates


class Utility(UtilityTerms):
    """The pairwise in-context utility (DELIFT, section 3.1)."""

    block_size: int = setting("candidates a job", unit="candidates", ge=1)


class UtilitySettings(UtilityTerms):
    """Settings of `scripts.delift.score_utility`."""

    prompt: PromptTemplates
    batch_tokens: BatchTokens

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        own = config["delift"]
        return cls.kept(config["compute"], own["utility"], {"prompt": config["prompts"][own["prompt"]]})


class Vectors(Settings):
    """How a text becomes a vector."""

    pooling: Literal["first", "mean", "mean_with_padding"] = setting(
        "first token's state (DELIFT), or mean over the tokens",
    )
    max_tokens: int = setting("longer texts are cut", source="BGE: 512", unit="tokens", ge=1)


class EmbedTerms(Vectors):
    """What the vector of an example depends on besides model and prompt."""

    normalise: bool = setting("scale vectors to length 1", source="DELIFT: yes")
    output: str = setting(
        "text added to a prompt, with {output}; empty leaves the answer out",
        pattern=r"^$|\{output\}",
    )


class Embed(EmbedTerms):
    """Static embeddings: DELIFT (SE), DEFT-UCS, neighbours in context, similarity of answers."""

    model: str = setting("embedding model (DELIFT: bge-large-en-v1.5), a row of config/models.yaml", registry="models")
    metric: Literal["cosine", "euclidean"] = setting(
        "kernel of DELIFT (SE): cosine (paper) or Euclidean distance",
        source="README of the released code",
    )


class EmbedSettings(EmbedTerms):
    """Settings of `scripts.delift.embed_examples`."""

    prompt: PromptTemplates
    batch_tokens: BatchTokens

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        own = config["delift"]
        return cls.kept(config["compute"], own["embed"], {"prompt": config["prompts"][own["prompt"]]})


class SelectIt(Settings):
    """SelectIT."""

    rating_prompts: list[
        Annotated[
            str,
            setting(
                "one of: requests to rate an example",
                source="SelectIT: 5 per example",
                min_length=1,
            ),
        ]
    ] = setting("requests to rate an example", source="SelectIT: 5 per example", min_length=2)
    template: str = setting("what is read before the rating; has {rating_prompt}, {prompt}, {response}")
    ratings: list[Annotated[str, setting("one of: the words of the ratings, rising", min_length=1)]] = setting(
        "the words of the ratings, rising",
        min_length=2,
    )
    alpha: float = setting("weight of the spread over prompts", source="SelectIT: 0.2", ge=0)
    released: bool = setting(
        "score as DELIFT's released code does, which joins five rows where SelectIT joins five requests",
        source="SelectIT: false",
    )


class Less(WarmupSettings):
    """LESS."""

    dimension: int = setting("of the random projection of gradients", source="LESS: 8192", ge=1)


class Baselines(Settings):
    """Scores of the baselines that need a model."""

    ifd: bool = setting("also score the instruction-following difficulty", source="Superfiltering")
    selectit: SelectIt | None = setting("SelectIT; null leaves it out")
    less: Less | None = setting("LESS; null leaves it out")


class BaselineSettings(Baselines):
    """Settings of `scripts.delift.score_baselines`."""

    prompt: PromptTemplates
    seed: int = setting("of LESS, and of the requests that SelectIT as released draws", ge=0)
    batch_tokens: BatchTokens

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        own = config["delift"]
        prompt = {"prompt": config["prompts"][own["prompt"]]}
        return cls.kept(config["compute"], config["data"], own["baselines"], prompt)


class Method(Settings):
    """How one subset of the pool is chosen."""

    by: str = setting("what is chosen by, one of the registry of ways to choose", named="ways_of_delift")
    objective: (
        Literal["facility_location", "mutual_information", "conditional_gain", "query_mutual_information"] | None
    ) = optional(
        "submodular objective; null is the stage's own (DELIFT, section 3.2); query_mutual_information is the "
        "other form of mutual information, over the benchmark as targets",
    )
    eta: float = optional("weight of the benchmark in mutual information", source="DELIFT: 1", ge=0)
    nu: float = optional("weight of the data at hand in conditional gain", source="DELIFT: 1", ge=0)
    optimiser: Literal["lazy", "naive", "stochastic"] = optional(
        "lazy and naive greedy choose the same; stochastic is an approximation",
    )
    saturated: Literal["index", "restart"] = optional(
        "where no candidate adds anything: go on in the pool's order (released code), or choose greedily anew "
        "among the rest",
    )
    epsilon: float = optional("of the stochastic optimiser", unit="share, 0 to 1", gt=0, lt=1)
    clusters: int = optional("of DEFT-UCS (7)", ge=1)
    near_share: Share = optional("of DEFT-UCS: share of a cluster's quota taken near its centre (0.5)")
    order: Literal["highest", "lowest"] = optional(
        "which end of a score is taken, the highest unless this says lowest",
        source="released SelectIT: lowest",
    )
    released: bool = optional(
        "DEFT-UCS with the indices of DELIFT's released code, which are places inside a cluster",
        source="DELIFT, released code: true",
    )


class Shots(Settings):
    """Learning in context (DELIFT, section 4)."""

    k: int = setting("nearest chosen examples before a prompt", source="released code: 5", ge=1)
    example: str = setting("text of one; has {number}, {prompt}, {response}")
    query: str = setting("the question; has {prompt}")
    max_tokens: int = setting("longest prompt", source="released code: 1024", unit="tokens", ge=1)
