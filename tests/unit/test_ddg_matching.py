"""Stage B: what the switches do, seeds, and going on after a kill."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from scripts.common.errors import UserError
from scripts.ddg import matching
from scripts.ddg.generator import Generator, Writing, text_losses
from scripts.ddg.matching import Matcher, backward_through_texts
from scripts.ddg.settings_steps import MatchSettings
from tests.unit.ddg_tiny import generator, learner, match_settings, task

TASK = task()


def run(
    settings: MatchSettings, seed: int = 0, dropout: float = 0.1, folder: Path | None = None
) -> tuple[Generator, dict]:
    made = generator("gpt2", TASK, dropout=dropout)
    history = Matcher(made, learner(dropout=0.1), TASK, settings, seed).run(folder)
    return made, history


def weights(made: Generator) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in made.model.parameters()])


def test_a_run_is_a_function_of_its_seed():
    one, other, third = (run(match_settings(), seed) for seed in (0, 0, 1))
    assert torch.equal(weights(one[0]), weights(other[0]))
    assert one[1] == other[1]
    assert not torch.equal(weights(one[0]), weights(third[0]))
    assert len(one[1]["steps"]) == 8
    assert [entry["outer"] for entry in one[1]["refreshes"]] == [0, 2]
    assert not torch.equal(weights(one[0]), weights(generator("gpt2", TASK)))


def test_no_teacher_is_a_teacher_that_follows_at_once():
    """Decay 0 with the student's start is teacher off, to the last bit; a slow teacher is not."""
    off = run(match_settings(teacher="off"))
    at_once = run(match_settings(teacher="ema", teacher_decay=0.0, teacher_init="shared"))
    slow = run(match_settings(teacher="ema", teacher_decay=0.9, teacher_init="shared"))
    own = run(match_settings(teacher="ema", teacher_decay=0.9, teacher_init="independent"))
    assert off[1] == at_once[1]
    assert torch.equal(weights(off[0]), weights(at_once[0]))
    assert not torch.allclose(weights(off[0]), weights(slow[0]), atol=1e-5)
    assert not torch.allclose(weights(own[0]), weights(slow[0]), atol=1e-5)
    first = [entry["cosine"] for entry in slow[1]["steps"][:1]]
    assert first == pytest.approx([off[1]["steps"][0]["cosine"]], abs=1e-6)  # before the first learner step


def test_the_learner_does_not_depend_on_the_generator():
    """Its path follows from seed and data alone, so methods compared on one seed share it."""
    made = []
    for changes in ({}, {"lm_weight": 0.9, "temperature": 0.1}):
        given = learner()
        Matcher(generator("gpt2", TASK), given, TASK, match_settings(**changes), 0).run()
        made.append(torch.cat([value.detach().flatten() for value in given.parameters()]))
    assert torch.equal(*made)


def test_lambda_one_is_language_modelling_and_lambda_zero_never_reads_for_it(monkeypatch):
    pure = run(match_settings(lm_weight=1.0))
    assert all(set(entry) == {"lm_loss"} for entry in pure[1]["steps"])
    assert pure[1]["refreshes"] == []
    asked: list[tuple] = []
    original = matching.Shuffled.rows

    def rows(self, step):
        asked.append(self.names)
        return original(self, step)

    monkeypatch.setattr(matching.Shuffled, "rows", rows)
    none = run(match_settings(lm_weight=0.0))
    assert all(set(entry) == {"cosine", "synthetic_loss"} for entry in none[1]["steps"])
    assert ("lm term batches",) not in asked
    assert ("learner batches",) in asked


def test_pure_language_modelling_is_that_by_hand():
    settings = match_settings(lm_weight=1.0, outer_loops=1, inner_steps=1, dropout=False)
    made = run(settings, dropout=0.0)[0]
    assert torch.equal(weights(made), weights(generator("gpt2", TASK)))  # the first step has learning rate 0
    settings = match_settings(lm_weight=1.0, outer_loops=1, inner_steps=2, dropout=False, learner_steps=0)
    by_hand = generator("gpt2", TASK)
    matcher = Matcher(by_hand, learner(), TASK, settings, 0)
    for step in range(2):
        rows = [matcher.real_strings[row] for row in matcher.lm_batches.rows(step)]
        text_losses(by_hand, rows, matcher.writing).mean().backward()
        matcher.stepper.step()
    assert torch.equal(weights(by_hand), weights(run(settings, dropout=0.0)[0]))


def test_parts_of_a_batch_give_the_gradient_of_the_whole():
    strings = generator(given=TASK).encode(TASK.texts[:12], TASK.labels[:12], 16)
    factors = torch.arange(12.0)

    @dataclasses.dataclass
    class Result:
        loss: torch.Tensor

    found = []
    for part in (0, 5):
        made = generator("gpt2", TASK, dropout=0.0)
        made.model.train()
        backward_through_texts(
            made, strings, [16] * 12, Writing("padded", 8),
            lambda losses: Result((losses * factors).square().sum()),
            scale=0.5, part=part, seed=3, dtype=torch.float32,
        )  # fmt: skip
        found.append(torch.cat([value.grad.flatten() for value in made.model.parameters()]))
    assert torch.allclose(found[0], found[1], rtol=1e-4, atol=1e-4 * float(found[0].abs().max()))


def test_dropout_of_both_passes_over_a_part_is_the_same():
    made = generator("gpt2", TASK, dropout=0.3)
    made.model.train()
    strings = made.encode(TASK.texts[:6], TASK.labels[:6], 16)
    seen = []

    def compare(losses):
        seen.append(losses.detach().clone())
        return dataclasses.make_dataclass("Result", ["loss"])(losses.sum())

    for _ in range(2):
        backward_through_texts(
            made, strings, [16] * 6, Writing("padded", 8), compare, scale=1, part=2, seed=3, dtype=torch.float32
        )
    gradient = torch.cat([value.grad.flatten() for value in made.model.parameters()])
    made.model.zero_grad()
    total = 0
    for number in range(3):
        from scripts.common.seeding import derive_seed

        torch.manual_seed(derive_seed(3, number))
        piece = text_losses(made, strings[2 * number : 2 * number + 2], Writing("padded", 8), [16] * 2)
        assert torch.equal(piece.detach(), seen[0][2 * number : 2 * number + 2])
        total = total + piece.sum()
    total.backward()
    once = torch.cat([value.grad.flatten() for value in made.model.parameters()])
    assert torch.allclose(gradient, 2 * once, atol=1e-5)


class Killed(Exception):
    """Stands for a killed job."""


@pytest.mark.parametrize("teacher", ["off", "ema"])
def test_a_killed_run_goes_on_to_the_same_end(tmp_path, monkeypatch, teacher):
    settings = match_settings(outer_loops=6, save_loops=2, teacher=teacher)
    whole = run(settings, folder=tmp_path / "whole")
    original = Matcher._outer_loop

    def until_five(self, outer):
        if outer == 5:
            raise Killed
        original(self, outer)

    with monkeypatch.context() as patched:
        patched.setattr(Matcher, "_outer_loop", until_five)
        with pytest.raises(Killed):
            run(settings, folder=tmp_path / "cut")
    begun: list[int] = []
    monkeypatch.setattr(Matcher, "_outer_loop", lambda self, outer: (begun.append(outer), original(self, outer)))
    made, history = run(settings, folder=tmp_path / "cut")
    assert begun == [4, 5]
    assert history == whole[1]
    assert torch.equal(weights(made), weights(whole[0]))


def test_switches_change_what_they_name():
    base = run(match_settings())[0]
    for changes in ({"representative": None}, {"clusters": 0}, {"loss_norm": "tokens"}, {"temperature": 0.2}):
        assert not torch.equal(weights(run(match_settings(**changes))[0]), weights(base)), changes


def test_a_class_too_small_for_the_coresets_is_named():
    with pytest.raises(UserError, match="class 'label0': 12 examples, representative.size needs 13; lower"):
        run(match_settings(representative={"versions": 1, "size": 13}))
    with pytest.raises(UserError, match="class 'label0': 12 examples, real_per_class needs 20; lower"):
        run(match_settings(representative=None, real_per_class=20))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clusters": 3}, "--settings.clusters: 3 does not divide synthetic_per_class"),
        ({"save_loops": 3}, "save_loops: 3 is no multiple of interval"),
        (
            {"teacher": "emma"},
            "--settings.teacher: 'emma' is not allowed (did you mean 'ema'?); choose one of off, ema",
        ),
        ({"lm_weight": 1.5}, "--settings.lm_weight: 1.5 is above the maximum 1; give a value from 0 up to 1"),
        ({"temperature": 0}, "--settings.temperature: 0 is not above 0; give a value above 0"),
        ({"sampling": {"top_p": 0.9}}, "--settings.sampling.batch_size: is missing; add it (texts written at a time"),
        (
            {"learner": {**match_settings().learner.given(), "poling": 1}},
            "--settings.learner.poling: unknown key (did you mean 'pooling'?)",
        ),
        ({"max_tokens": 4000}, "max_tokens: 4000 exceeds the generator's window of 64 tokens"),
    ],
)
def test_wrong_settings_are_named(changes, message):
    with pytest.raises(UserError) as caught:
        run(match_settings(**changes))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_runs_may_share_their_representative_texts():
    settings = match_settings(representative={"versions": 2, "size": 4}, real_per_class=4)
    shared = matching.representatives_of(learner(dropout=0.1), TASK, settings, threads=1)
    assert [sorted({TASK.labels[row] for row in rows}) for rows in shared] == [[0], [1], [2]]
    given = generator("gpt2", TASK)
    history = Matcher(given, learner(dropout=0.1), TASK, settings, 1, representatives=shared).run()
    own = generator("gpt2", TASK)
    assert history == Matcher(own, learner(dropout=0.1), TASK, settings, 1).run()
    assert torch.equal(weights(given), weights(own))
