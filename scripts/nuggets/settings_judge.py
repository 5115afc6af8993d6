"""Settings of judging in NUGGETS: the questions and who judges the answers."""

from __future__ import annotations

from typing import Any, Mapping

from scripts.common.fields import Settings, setting
from scripts.judging.settings import JudgeBackend


class Benchmarks(Settings):
    """The questions that fine-tuned models answer."""

    alpaca_eval: str | None = setting(
        "dataset of single instructions, judged in pairs (NUGGETS, table 1: AlpacaEval, 805); null: the rows "
        "that nuggets.sample sets aside",
        registry="datasets",
    )
    mt_bench: str = setting(
        "dataset of two-turn questions, graded from 1 to 10",
        source="NUGGETS, table 2: MT-Bench, 80",
        registry="datasets",
    )


class JudgeSettings(JudgeBackend):
    """Who judges the answers (NUGGETS: GPT-4): settings of `scripts.nuggets.judge_answers`."""

    swap: bool = setting(
        "judge each pair in both orders and take the mean",
        source="NUGGETS, figure of pairwise comparison",
    )

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a config holds for them."""
        return cls.kept(config["nuggets"]["judge"])
