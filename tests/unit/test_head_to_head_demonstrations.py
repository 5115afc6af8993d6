"""Operations of demonstrations, counted by hand for small shapes: asking, retrieval, distilling, writing, training."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.common.errors import UserError
from scripts.head_to_head.count_demonstrations import Counter, CountSettings, Lengths, Shapes, measured_lengths
from scripts.lm.flops import ModelShape

# Without attention a token costs 2 x matrices and a prediction 2 x output: numbers that can be followed.
ASKED = ModelShape(matrices=100, output=10, layers=0, width=1)
DISTILLER = ModelShape(matrices=50, output=10, layers=0, width=1)
GENERATOR = ModelShape(matrices=7, output=3, layers=0, width=1)
ENCODER = ModelShape(matrices=5, output=1000, layers=0, width=1)  # its output layer is never used
LENGTHS = Lengths(
    question=6, options=4, n_options=3, text=4, n_pool=20, shown={"random": 30, "ddg": 40, "knn": 50, "bm25": 60}
)
GENERATOR_SETTINGS = {
    "steps": 10, "batch_size": 2, "outer_loops": 3, "inner_steps": 2, "learner_steps": 4, "synthetic_per_class": 5,
    "real_per_class": 6, "lm_weight": 0.3, "lm_batch_size": 8, "clusters": 4, "representative": True,
    "learner_batch": 16, "over_sample": 9,
}  # fmt: skip
TRAINING = {
    "steps": 3,
    "batch_size": 2,
    "accumulation": 1,
    "n_demonstrations": 5,
    "n_vectors": 8,
    "queries": 2,
    "kl_weight": 1.0,
}
DRAWN = {"by": "coreset", "select": "random", "variant": None}
WRITTEN = {"by": "generator", "select": None, "variant": "ddg"}


def counter(**changes: Any) -> Counter:
    given = {
        "after_input": "", "sets": {"random": DRAWN, "ddg": WRITTEN}, "retrieval": {"bm25": "bm25", "knn": "knn"},
        "dpc": 2, "generator": GENERATOR_SETTINGS, "distiller": [TRAINING], **changes,
    }  # fmt: skip
    return Counter(Shapes(ASKED, DISTILLER, GENERATOR, ENCODER), LENGTHS, CountSettings(**given))


def test_a_question_costs_its_own_tokens_whatever_is_kept_before_it() -> None:
    asking = 2 * 100 * (6 + 4 - 3) + 2 * 10 * 4  # options share their question; one token of each is fed once
    found = counter().all()
    assert found["zero_shot"] == {"training": 0, "preparing": 0, "asking": asking}
    assert found["random"] == {"training": 0, "preparing": 2 * 100 * 30, "asking": asking}
    assert found["bm25"] == {"training": 0, "preparing": 0, "asking": asking + 2 * 100 * 60}
    assert found["knn"]["preparing"] == 20 * 2 * 5 * 4
    assert found["knn"]["asking"] == asking + 2 * 100 * 50 + 2 * 5 * 4
    assert found["mend_random"]["preparing"] == 2 * 50 * (30 + 8) + 2 * 100 * 8
    assert found["mend_random"]["asking"] == asking


def test_written_texts_cost_writing_and_their_generator() -> None:
    found = counter().all()
    writing = 9 * 2 * 3 * ((2 * 7 + 2 * 3) * 4 + 2 * 5 * 4)
    assert found["ddg"]["preparing"] == writing + 2 * 100 * 40
    learning = 3 * (2 * 7 + 2 * 3) * 4  # forward and twice backward
    read = 2 * 5 * 4
    stage_b = 6 * 3 * (5 * learning + 11 * read) + 6 * 8 * learning + 3 * 1 * 4 * 16 * 3 * read + 20 * read
    stage_b += 6 * 3 * 5 * ((2 * 7 + 2 * 3) * 4 + read)
    assert found["ddg"]["training"] == 10 * 2 * learning + stage_b
    unmatched = counter(sets={"ddg": {**WRITTEN, "variant": None}}).all()
    assert unmatched["ddg"]["training"] == 10 * 2 * learning


def test_a_distiller_learns_behind_the_language_model_and_from_it() -> None:
    shown = 5 * 4
    step = 3 * 2 * 50 * (shown + 8)  # the distiller
    behind = 2 * (2 * 100 * (8 + 2 * 7) + 2 * 10 * 2)  # the frozen model behind its vectors
    teacher = 2 * 100 * (shown + 2 * 7) + 2 * 10 * 2
    assert counter().distiller_training() == 3 * 2 * (step + behind + teacher)
    alone = counter(distiller=[{**TRAINING, "kl_weight": 0.0}])
    assert alone.distiller_training() == 3 * 2 * (step + behind)
    assert (
        counter().all()["mend_ddg"]["training"] == counter().all()["ddg"]["training"] + counter().distiller_training()
    )


def test_lengths_are_those_that_were_measured() -> None:
    prompted = [
        {"method": kind, "task": "random", "metric": metric, "prefix_tokens": tokens}
        for kind, metric, tokens in (
            ("prompt", "accuracy", "10"),
            ("prompt", "accuracy", "20"),
            ("prompt", "macro_f1", "99"),
            ("vectors", "accuracy", "99"),
        )
    ]
    assert measured_lengths(prompted, [{"method": "bm25", "prefix_tokens": "7.5"}]) == {"random": 15, "bm25": 7.5}


def test_sets_of_unknown_making_are_refused() -> None:
    with pytest.raises(UserError, match="sets made by 'released' cannot be counted"):
        counter(sets={"random": {**DRAWN, "by": "released"}}).all()
