"""Sampling and the training loop: what is read, resuming, the best checkpoint, stages and variants of the loss."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from scripts.common.errors import UserError
from scripts.common.step_parser import checked
from scripts.lm.checkpoints import digest_of_model
from scripts.mend.distiller import DistillerInfo, LoadedDistiller
from scripts.mend.objective import Objective, TrainingData
from scripts.mend.sampling import TaskSource, TextSource, check_sizes, cut_texts, encode_texts, rows_by_task
from scripts.mend.settings_train import DistillSettings
from scripts.mend.train_baselines import tuned_module
from scripts.mend.train_distiller import parse_variants, train_variant, training_order
from scripts.mend.training_loop import LoopSettings, train
from tests.unit.mend_tiny import DISTILL, FORMAT, distiller, encoder, large_model, task_rows

LOOP = {
    "steps": 6, "accumulation": 2, "learning_rate": 0.1, "warmup_ratio": 0.0, "weight_decay": 0.01,
    "max_grad_norm": 1.0, "adam_epsilon_rule": "before_correction", "weight_decay_on": "except_norms",
    "evaluate_steps": 0, "patience": 0,
    "save_steps": 0, "precision": "auto",
}  # fmt: skip
TASKS = rows_by_task([row for name in "abc" for row in task_rows(name, 12, 0)])
TEXTS = [tuple(range(3 + n, 3 + n + 20 + n)) for n in range(6)]


def task_source(**changes: Any) -> TaskSource:
    values = {"n_demonstrations": 3, "queries": 2, "batch_size": 2, "groups": 1, "seed": 1, **changes}
    return TaskSource(tasks=TASKS, encoder=encoder(), **values)


def test_demonstrations_and_queries_are_of_one_task_and_never_the_same_row() -> None:
    source, known = task_source(), encoder()
    of_task = {name: {known.example(row).ids for row in rows} for name, rows in TASKS.items()}
    for number in range(10):
        sets = source.sets(number)
        for batches, teacher, pairs in zip(sets.distiller_ids, sets.teacher_ids, sets.pairs):
            assert batches == [teacher]
            demonstrations = {teacher[at : at + 6] for at in range(0, len(teacher), 6)}
            (name,) = [name for name, all_ids in of_task.items() if demonstrations <= all_ids]
            asked = {(*query, *answer, *known.ids(" B")) for query, answer in pairs}
            assert len(demonstrations) == 3
            assert len(asked) == 2
            assert asked <= of_task[name] - demonstrations


def test_every_row_is_the_query_once_before_any_is_it_again() -> None:
    source, known = task_source(queries=1, batch_size=3), encoder()
    rows = sorted((known.query(row).query, known.query(row).predicted) for rows in TASKS.values() for row in rows)
    assert len(rows) == 36
    epochs = [[pair for number in range(12 * e, 12 * e + 12) for (pair,) in source.sets(number).pairs] for e in (0, 1)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == rows
    assert epochs[0] != epochs[1]


def test_micro_batches_are_known_by_their_number() -> None:
    assert task_source().sets(3) == task_source().sets(3) != task_source().sets(4)
    assert task_source(seed=2).sets(3) != task_source().sets(3)


def test_texts_are_cut_and_come_once_before_any_comes_again() -> None:
    source = TextSource(texts=TEXTS, encoder=encoder(), cut=0.8, batch_size=3, groups=2, seed=1)
    first, second = source.sets(0), source.sets(1)
    seen = [(*head, *query, *answer) for sets in (first, second) for head, ((query, answer),) in
            zip(sets.teacher_ids, sets.pairs)]  # fmt: skip
    assert sorted(seen) == sorted(TEXTS)
    for batches, head, ((query, answer),) in zip(first.distiller_ids, first.teacher_ids, first.pairs):
        assert len(batches) == 2
        assert (*batches[0], *batches[1]) == head
        assert len(head) == int(0.8 * (len(head) + len(query) + len(answer)))
        assert len(query) == 1


def test_unusable_training_data_is_refused() -> None:
    with pytest.raises(UserError, match="task a: 12 examples, but 16 demonstrations need 17"):
        check_sizes(TASKS, 17, "16 demonstrations")
    with pytest.raises(UserError, match="f:1: field 'text' is missing"):
        encode_texts([{"txt": "a"}], encoder(), "f", 10)
    with pytest.raises(UserError, match="f: no text has 10 tokens or more; give longer texts or lower min_text_tokens"):
        encode_texts([{"text": "w1 w2"}], encoder(), "f", 10)


def test_short_texts_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"text": " ".join(["w1"] * n)} for n in (1, 2, 9, 10, 11)]
    with caplog.at_level("INFO"):
        assert [len(ids) for ids in encode_texts(rows, encoder(), "f", 10)] == [10, 11]
    assert "f: 3 of 5 texts have fewer than 10 tokens and are left out" in caplog.text
    assert [len(ids) for ids in encode_texts(rows, encoder(), "f", 2)] == [2, 9, 10, 11]


@pytest.mark.parametrize(
    ("n", "cut", "before"), [(10, 0.9, 9), (10, 0.8, 8), (19, 0.8, 15), (11, 0.95, 10), (2, 0.1, 1), (30, 0.5, 15)]
)
def test_the_cut_is_rounded_down_and_one_token_stays_on_either_side(n: int, cut: float, before: int) -> None:
    sets = cut_texts([tuple(range(3, 3 + n))], encoder(), cut, 1)
    ((query, answer),) = sets.pairs[0]
    assert len(sets.teacher_ids[0]) == before
    assert (*sets.teacher_ids[0], *query, *answer) == tuple(range(3, 3 + n))
    assert sets.distiller_ids == [[sets.teacher_ids[0]]]


def test_a_text_may_end_behind_its_first_token_in_stage_one() -> None:
    settings = DistillSettings(**{**DISTILL, "stage": 1, "cut": 0.95, "lm_weight": 1.0, "evaluate_steps": 0})
    texts = [tuple(range(3, 13)), tuple(range(4, 14))]
    objective = Objective(large_model(), encoder(), settings, TrainingData(texts, {}, {}), 1)
    losses = objective.losses(distiller(pooler="linear"), 0)
    assert float(losses["lm"]) == 0.0  # there is no token behind it to be predicted
    assert float(losses["kl"]) > 0
    losses["total"].backward()


def least_squares(module: torch.nn.Module, number: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(number)
    x = torch.randn(8, 3, generator=draw)
    return {"total": (module(x) - x.sum(1, keepdim=True)).square().mean()}


def linear() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Linear(3, 1)


@pytest.mark.parametrize("stop_after", [2, 5])
def test_a_killed_run_ends_with_the_same_bytes(tmp_path: Path, stop_after: int) -> None:
    settings = LoopSettings(**{**LOOP, "save_steps": 2, "evaluate_steps": 2})
    scores = iter([0.3, 0.9, 0.1])
    whole = linear()
    expected = train(
        whole, least_squares, settings, seed=1, key={}, checkpoints=tmp_path / "a", score=lambda: next(scores)
    )
    killed, scores = linear(), iter([0.3, 0.9, 0.1])
    calls = 0

    def until_killed(module: torch.nn.Module, number: int) -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        if calls > 2 * stop_after:
            raise KeyboardInterrupt
        return least_squares(module, number)

    with pytest.raises(KeyboardInterrupt):
        train(killed, until_killed, settings, seed=1, key={}, checkpoints=tmp_path / "b", score=lambda: next(scores))
    scores = iter([0.9, 0.1] if stop_after < 4 else [0.1])
    resumed = linear()
    found = train(
        resumed, least_squares, settings, seed=1, key={}, checkpoints=tmp_path / "b", score=lambda: next(scores)
    )
    assert found == expected
    assert digest_of_model(resumed) == digest_of_model(whole)
    assert found.best_step == 4


def test_the_weights_of_the_best_score_are_left_in_the_module() -> None:
    module, values, seen = linear(), iter([0.3, 0.9, 0.1]), []

    def score() -> float:
        seen.append(module.weight.detach().clone())
        return next(values)

    settings = LoopSettings(**{**LOOP, "steps": 6, "evaluate_steps": 2})
    train(module, least_squares, settings, seed=1, key={}, checkpoints=None, score=score)
    assert torch.equal(module.weight, seen[1])
    assert not torch.equal(module.weight, seen[2])


def test_checkpoints_of_other_settings_or_data_are_left_alone(tmp_path: Path) -> None:
    settings = LoopSettings(**{**LOOP, "save_steps": 3})
    first = train(linear(), least_squares, settings, seed=1, key={"data": 1}, checkpoints=tmp_path)
    second = train(linear(), least_squares, settings, seed=1, key={"data": 2}, checkpoints=tmp_path)
    assert first == second
    assert len(list(tmp_path.iterdir())) == 2


def test_rates_rise_and_fall_linearly() -> None:
    settings = LoopSettings(**{**LOOP, "steps": 10, "warmup_ratio": 0.2, "learning_rate": 1.0})
    assert [settings.rate(step) for step in (0, 1, 2, 6, 9)] == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.125])
    rounded_up = LoopSettings(**{**LOOP, "steps": 6, "warmup_ratio": 0.05, "learning_rate": 1.0})  # 0.3 of a step: 1
    assert [rounded_up.rate(step) for step in range(6)] == pytest.approx([0.0, 1.0, 0.8, 0.6, 0.4, 0.2])
    plain = LoopSettings(**{**LOOP, "steps": 4, "learning_rate": 1.0})
    assert [plain.rate(step) for step in range(4)] == pytest.approx([1.0, 0.75, 0.5, 0.25])


def test_training_ends_after_as_many_scores_that_are_no_better() -> None:
    for patience, done, asked in ((2, 4, 4), (0, 6, 6)):
        scores = [0.3, 0.9, 0.9, 0.1, 0.2, 0.4]  # an equal score is no better
        settings = LoopSettings(**{**LOOP, "evaluate_steps": 1, "patience": patience})
        score = iter(scores).__next__
        found = train(linear(), least_squares, settings, seed=1, key={}, checkpoints=None, score=score)
        assert (found.step, len(found.scores), found.best_step) == (done, asked, 2)


def test_a_run_that_ended_early_is_not_taken_up_again(tmp_path: Path) -> None:
    settings = LoopSettings(**{**LOOP, "evaluate_steps": 1, "patience": 1, "save_steps": 4})
    values = iter([0.9, 0.1])
    first = train(linear(), least_squares, settings, seed=1, key={}, checkpoints=tmp_path, score=lambda: next(values))
    again = train(linear(), least_squares, settings, seed=1, key={}, checkpoints=tmp_path, score=lambda: 1.0)
    assert first == again
    assert first.step == 2


def test_the_frozen_models_dropout_works_in_training_only_where_it_is_asked_for() -> None:
    large = large_model("gpt2")
    for part in large.model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.5
    data, module = TrainingData((), TASKS, {}), distiller("gpt2", pooler="linear")

    def loss(dropout: bool) -> float:
        objective = Objective(large, encoder(), DistillSettings(**{**DISTILL, "model_dropout": dropout}), data, 1)
        return float(objective.losses(module, 0)["total"].detach())

    assert loss(False) == loss(False)
    assert loss(True) != loss(True)
    assert not large.model.training


def test_a_loss_that_is_not_finite_ends_the_run_in_one_line() -> None:
    with pytest.raises(UserError, match="learning_rate: the loss became nan at step 1 of 6"):
        train(linear(), lambda m, n: {"total": least_squares(m, n)["total"] * float("nan")}, LoopSettings(**LOOP),
              seed=1, key={}, checkpoints=None)  # fmt: skip


def run_variant(kind: str = "llama", **changes: Any) -> tuple[Any, dict[str, Any], Any]:
    """Train a tiny distiller; return it, its history and the large model."""
    settings = DistillSettings(**{**DISTILL, **changes})
    large = large_model(kind)
    module = distiller(kind, pooler="linear")
    family = "encoder_decoder" if kind == "t5" else "causal"
    started = LoadedDistiller(module, large.tokenizer, DistillerInfo(family, 3, 32, "linear", "", {}, {}))
    data = TrainingData(TEXTS, TASKS, {"c": TASKS["c"]})
    history = train_variant(started, large, encoder(), settings, data, seed=1, key={}, checkpoints="")
    return module, history, large


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "t5"])
@pytest.mark.parametrize("stage", [1, 2])
def test_training_lowers_the_loss_and_leaves_the_large_model(kind: str, stage: int) -> None:
    weights = {"lm_weight": 0.0} if stage == 1 else {}
    settings = DistillSettings(**{**DISTILL, "evaluate_steps": 0, "stage": stage, **weights})
    large = large_model(kind)
    objective = Objective(large, encoder(), settings, TrainingData(TEXTS, TASKS, {}), 1)
    loop = LoopSettings(**{**LOOP, "steps": 30, "accumulation": 1, "learning_rate": 1e-3, "weight_decay": 0.0})
    same = lambda module, number: objective.losses(module, 0)  # noqa: E731 (one micro-batch: others are as hard or easy)
    module = distiller(kind, pooler="linear")
    history = train(module, same, loop, seed=1, key={}, checkpoints=None).history()
    totals = history["losses"]["total"]
    assert totals[-1] < 0.9 * totals[0]
    assert digest_of_model(large.model) == digest_of_model(large_model(kind).model)
    assert stage == 2 or not any(history["losses"]["lm"])


def test_lambda_zero_never_asks_the_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    settings = DistillSettings(**{**DISTILL, "kl_weight": 0.0})
    large = large_model()
    monkeypatch.setattr(large, "embed", lambda rows: asked.append(rows))
    objective = Objective(large, encoder(), settings, TrainingData((), TASKS, {}), 1)
    losses = objective.losses(distiller(pooler="linear"), 0)
    assert not asked
    assert float(losses["total"].detach()) == pytest.approx(float(losses["lm"]))


def test_placeholders_must_fit_the_distillers_window() -> None:
    with pytest.raises(UserError, match="n_vectors: 30 behind up to 39 tokens exceed the distiller's window of 64"):
        run_variant(n_vectors=30)
    with pytest.raises(UserError, match="n_vectors: 17 behind up to 48 tokens exceed"):
        run_variant(n_vectors=17, stage=1, lm_weight=0.0)
    assert run_variant("t5", n_vectors=30, steps=1)[1]["steps"] == 1


def test_hidden_alignment_is_zero_for_the_teachers_own_embeddings() -> None:
    settings = DistillSettings(**{**DISTILL, "hidden_weight": 1.0, "lm_weight": 0.0})
    large = large_model()
    objective = Objective(large, encoder(), settings, TrainingData((), TASKS, {}), 1)
    table = large.model.get_input_embeddings()
    same = objective.losses(lambda ids, mask: table(ids).detach().requires_grad_(), 0)
    other = objective.losses(distiller(pooler="linear"), 0)
    assert float(same["hidden"]) == pytest.approx(0.0, abs=1e-6)
    assert float(same["kl"]) == pytest.approx(0.0, abs=1e-6)
    assert float(other["hidden"]) > 0.01


def test_the_best_checkpoint_is_kept() -> None:
    _, history, _ = run_variant(steps=4, evaluate_steps=1)
    scores = dict(history["scores"])
    assert history["best"] == {"step": min(s for s in scores if scores[s] == max(scores.values())),
                               "score": max(scores.values())}  # fmt: skip


def test_stage_one_is_chosen_on_held_out_texts() -> None:
    settings = DistillSettings(**{**DISTILL, "stage": 1, "dev_queries": 1})
    texts = [tuple(range(3, 25)) for _ in range(19)] + [tuple(range(30, 50))]
    objective = Objective(large_model(), encoder(), settings, TrainingData(texts, {}, {}), 1)
    assert objective.held_out_texts == texts[-1:]
    assert len(objective.source.texts) == 19
    assert objective.score(distiller(pooler="linear")) < 0


def test_variants_share_settings_and_differ_where_they_say() -> None:
    found = parse_variants(DistillSettings(**DISTILL), '{"a": {"start": "m"}, "b": {"start": "m", "kl_weight": 0.0}}')
    assert found["a"] == ("m", DistillSettings(**DISTILL))
    assert found["b"] == ("m", found["a"][1].model_copy(update={"kl_weight": 0.0}))
    with pytest.raises(UserError, match="--variants.a.lambda: unknown key"):
        parse_variants(DistillSettings(**DISTILL), '{"a": {"start": "m", "lambda": 1}}')
    with pytest.raises(UserError, match="variant 'a' has no key 'start'"):
        parse_variants(DistillSettings(**DISTILL), '{"a": {}}')
    with pytest.raises(UserError, match="one must be above 0"):
        checked(DistillSettings, {**DISTILL, "lm_weight": 0.0, "kl_weight": 0.0})


def test_variants_come_after_those_they_start_from() -> None:
    order = training_order({"c": "b", "a": "plain", "b": "a", "d": "plain"}, ["plain"])
    assert order == ["a", "d", "b", "c"]
    for circle in ({"a": "a"}, {"a": "b", "b": "a"}):
        with pytest.raises(UserError, match="'a' starts from '[ab]', neither of --starts nor trained before"):
            training_order(circle, ["plain"])


def test_format_of_the_tests_leaves_room() -> None:
    assert FORMAT.llm_room == 39


def test_the_tuned_models_loss_is_the_mean_over_tokens_or_over_examples() -> None:
    large = large_model("gpt2", frozen=False)
    rows = task_rows("t", 12, 0, labels=["w50", "w51 w52 w53"])
    form = dataclasses.replace(FORMAT, max_example_tokens=12)
    source = TaskSource({"t": rows}, encoder(form), n_demonstrations=2, queries=1, batch_size=4, groups=1, seed=1)
    sets, sums, counts = source.sets(0), [], []
    for teacher, ((query, answer),) in zip(sets.teacher_ids, sets.pairs):
        ids = torch.tensor([[*teacher, *query, *answer]])
        with torch.no_grad():
            logprobs = large.model(ids).logits[0].log_softmax(1)
        places = range(ids.shape[1] - len(answer), ids.shape[1])
        sums.append(-sum(float(logprobs[at - 1, ids[0, at]]) for at in places))
        counts.append(len(answer))
    assert set(counts) == {1, 3}
    by_tokens = float(tuned_module(large, source, "tokens")(0).detach())
    by_examples = float(tuned_module(large, source, "examples")(0).detach())
    assert by_tokens == pytest.approx(sum(sums) / sum(counts), abs=1e-5)
    assert by_examples == pytest.approx(sum(a / n for a, n in zip(sums, counts)) / 4, abs=1e-5)
    assert by_tokens != pytest.approx(by_examples, abs=1e-3)
