"""The formats of the config: which texts they make of two demonstrations and a query, against the two releases."""

from __future__ import annotations

import pytest
import yaml

from scripts.common.settings import settings_of
from scripts.mend.demonstrations import Encoder, PromptFormat, join_for_llm
from tests.unit.test_mend_demonstrations import THREE, Letters, text_of
from tests.workspace import REPO_ROOT

MEND = yaml.safe_load((REPO_ROOT / "config/papers/mend.yaml").read_text(encoding="utf-8"))["mend"]
FULL = [THREE[0], THREE[2], {**THREE[0], "input": "last"}]


@pytest.mark.parametrize(
    ("name", "shown", "query", "options"),
    [
        ("plain", "in yesask no", "last", [" yes", " no"]),
        ("newlines", "in\nyes\n\nask\nno\n\n", "last\n", ["yes", "no"]),
        ("metaicl", "in\nyes\n\n\nask\nno", "\n\n\nlast", ["\nyes", "\nno"]),
        ("metaicl_direct", "in\nyes\n\n\nask\nno", "\n\n\nlast", ["\nyes", "\nno"]),
        ("metaicl_blanks", "in yes ask no", " last", [" yes", " no"]),
        ("label", "in Label: yes\nask Label: no\n", "last Label:", [" yes", " no"]),
    ],
)
def test_direct_formats(name: str, shown: str, query: str, options: list[str]) -> None:
    known = Encoder(Letters(), settings_of(PromptFormat, MEND["formats"][name], name))
    assert text_of(join_for_llm(known.examples(FULL[:2]), known.form).ids) == shown
    asked = known.asked(FULL[2], FULL[2]["options"])
    assert [text_of(one.query) for one in asked] == [query, query]
    assert [text_of(one.predicted) for one in asked] == options


@pytest.mark.parametrize(
    ("name", "shown", "queries", "predicted"),
    [
        ("mend_channel", " yesin noask", [" yes", " no"], "last"),
        ("metaicl_channel", "yes\nin\n\n\nno\nask", ["\n\n\nyes", "\n\n\nno"], "\nlast"),
        ("channel", "yes in no ask", [" yes", " no"], " last"),
    ],
)
def test_channel_formats(name: str, shown: str, queries: list[str], predicted: str) -> None:
    known = Encoder(Letters(), settings_of(PromptFormat, MEND["formats"][name], name))
    assert text_of(join_for_llm(known.examples(FULL[:2]), known.form).ids) == shown
    asked = known.asked(FULL[2], FULL[2]["options"])
    assert [text_of(one.query) for one in asked] == queries
    assert [text_of(one.predicted) for one in asked] == [predicted, predicted]


def test_mends_tables_follow_mends_release() -> None:
    assert MEND["f1"] == "union"
    assert MEND["ties"] == "first"
    compared = {row["format"] for row in MEND["backbones"].values()} | set(MEND["table_separators"]["formats"])
    assert {MEND["formats"][name]["room"] for name in compared} == {"mend"}
    for part in ("pretrain", "finetune", "tune"):
        rules = MEND[part]["adam_epsilon_rule"], MEND[part]["weight_decay_on"]
        assert rules == ("before_correction", "except_norms")
