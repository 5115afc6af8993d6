"""What the page on the shipped models is made from."""

from __future__ import annotations

import pytest

from scripts.mini_world.artifacts import ARTIFACTS
from scripts.mini_world.plan import MINI_MODELS, Plan
from tests.workspace import REPO_ROOT


@pytest.mark.parametrize(
    ("artifact", "measured"),
    [
        ("table_models", "labels_in_context"),
        ("figure_in_context", "labels_in_context"),
        ("figure_authors", "authors_and_instructions"),
    ],
)
def test_each_artifact_is_made_from_what_it_shows(artifact, measured):
    needs = Plan.of({}).needs(artifact)
    assert needs.measured == (f"<results>/mini_world/measured/{measured}.csv",)
    assert list(needs.files) == (["cards"] if artifact == "table_models" else [])


def test_every_shipped_model_has_its_card_in_the_table():
    cards = Plan.of({}).needs("table_models").files["cards"]
    assert cards == [f"resources/mini/{name}/card.json" for name in MINI_MODELS]
    assert sorted(cards) == sorted(str(p.relative_to(REPO_ROOT)) for p in REPO_ROOT.glob("resources/mini/*/card.json"))


def test_what_is_measured_is_what_is_shown():
    plan = Plan.of({})
    assert set(plan.measured()) == {file for artifact in ARTIFACTS for file in plan.needs(artifact.name).measured}
    assert (plan.raw_files({}), plan.models()) == ([], [])
