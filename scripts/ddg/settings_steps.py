"""The settings of DDG's steps: those of a stage, and what its task, learner and method add.

What one task or method brings along (text columns, longest text, how is selected) has no one value in config/.
"""

from __future__ import annotations

from typing import Annotated, Any, Iterator, Mapping

from scripts.common.fields import Name, Settings, setting
from scripts.common.prompt_settings import BatchTokens
from scripts.ddg.settings_sets import (
    ContextTerms,
    Coreset,
    HerdingOrder,
    Order,
    OverSample,
    Scorers,
    Selection,
    SelfWritten,
    SetReading,
    SetSampling,
    SetSizes,
    Sizes,
    Turns,
)
from scripts.ddg.settings_train import (
    LearnerTerms,
    Matching,
    MatchingLearner,
    MaxTokens,
    Pooling,
    Pretraining,
    TextColumns,
)


class Sampling(SetSampling):
    """How texts are drawn."""

    max_new_tokens: int = setting("tokens that follow the token of the class, at most", unit="tokens", ge=1)


class Reading(SetReading):
    """How texts are embedded."""

    pooling: Pooling


class LearnerTraining(MatchingLearner):
    """How the learner reads texts and is trained between the steps."""

    pooling: Pooling


class PretrainSettings(Pretraining):
    """Settings of `scripts.ddg.train_generator`."""

    text_columns: TextColumns
    max_tokens: MaxTokens

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        return cls.kept(config["ddg"]["pretraining"])


class MatchSettings(Matching):
    """Settings of `scripts.ddg.match_gradients`."""

    learner: LearnerTraining
    text_columns: TextColumns
    max_tokens: MaxTokens
    sampling: Sampling

    def misfits(self) -> Iterator[str]:
        """Yield what cannot be divided as it must."""
        if self.clusters and self.synthetic_per_class % self.clusters:
            yield f"clusters: {self.clusters} does not divide synthetic_per_class ({self.synthetic_per_class})"
        if self.save_loops % self.interval:
            yield f"save_loops: {self.save_loops} is no multiple of interval ({self.interval})"

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them: DiLM's variant, which changes nothing."""
        ddg = config["ddg"]
        learner = {**ddg["matching"]["learner"], "pooling": _pooling(ddg)}
        return cls.kept(ddg["matching"], {"learner": learner, "sampling": ddg["sets"]["sampling"]})


class ChosenTexts(SetSizes):
    """What every step that makes sets is told: which columns, what sizes, how texts are read."""

    text_columns: TextColumns
    reading: Reading

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        return cls.kept(config["ddg"]["sets"], _reading(config["ddg"]))


class SetSettings(ChosenTexts):
    """Settings of `scripts.ddg.generate_sets`."""

    over_sample: OverSample
    selection: Selection = setting("which of the over-sampled texts are kept: K-means members or the first ones")
    sampling: Sampling


class CoresetSettings(ChosenTexts):
    """Settings of `scripts.ddg.select_coresets`."""

    method: Coreset = setting("how real texts are chosen")
    herding_order: HerdingOrder


class LearnerSettings(LearnerTerms):
    """Settings of `scripts.ddg.train_learners`."""

    text_columns: TextColumns
    pooling: Pooling
    dpcs: Sizes = setting("sizes of the sets that are read; none where there are no sets", unique=True)
    draws: int = setting("sets of each size and seed that are read, the first ones", unit="sets", ge=1)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        ddg = config["ddg"]
        return cls.kept(ddg["sets"], ddg["learner_evaluation"], {"pooling": _pooling(ddg)})


class Part(Settings):
    """What a protocol is asked about."""

    methods: list[Annotated[str, setting("a method, or zero_shot")]] = setting("methods whose texts are shown")
    rounds: list[Annotated[int, setting("texts of each class shown", unit="texts", ge=1)]] = setting("rounds")


class InContextSettings(ContextTerms):
    """Settings of `scripts.ddg.evaluate_in_context`."""

    text_columns: TextColumns
    turns: Turns
    orders: dict[Name, Order] = setting("order of the demonstrations, by protocol")
    scorers: dict[Name, Scorers] = setting("how answers are read, by protocol")
    only: dict[Name, Part] = setting("protocols that are asked about less than all methods and rounds")
    batch_tokens: BatchTokens

    def misfits(self) -> Iterator[str]:
        """Yield where a protocol has not all that it needs."""
        if set(self.orders) != set(self.scorers):
            yield "orders: name the same protocols here and in scorers"
        for name in self.only:
            if name not in self.orders:
                yield f"only.{name}: name one of {', '.join(self.orders)}"

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        given = config["ddg"]["in_context"]
        rows = given["protocols"].items()
        asked = {key: {name: row[part] for name, row in rows} for key, part in (("orders", "order"), ("scorers",) * 2)}
        return cls.kept(config["compute"], given, asked, {"only": {}})


class WritingSettings(SelfWritten):
    """Settings of self-written demonstrations."""

    max_tokens: int = setting("tokens after which a text column is cut", unit="tokens", ge=1)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        return cls.kept(config["ddg"]["in_context"]["self_written"])


def _pooling(ddg: Mapping[str, Any]) -> str:
    """Return what the classifier of the config's learner reads."""
    return ddg["learners"][ddg["learner"]]["pooling"]


def _reading(ddg: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the config's learner reads texts to compare them."""
    return {"reading": {**ddg["sets"]["reading"], "pooling": _pooling(ddg)}}
