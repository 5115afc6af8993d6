"""Distilling Step-by-Step's training: the oracles of the loss, both engines against each other, resuming, selection."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.lm.load import LoadedModel
from scripts.mini_world.train_t5 import PretrainSettings, build_tokenizer, new_model
from scripts.step_by_step.encoding import MASKED, BatchOrder, EncodedTask, FlatTexts, encode_tasks, make_batch
from scripts.step_by_step.splits import Run, Splits
from scripts.step_by_step.students import SingleStudent, StackedStudents, TaskLosses
from scripts.step_by_step.t5_stack import SHORT, T5Stack, fuse_weights, softmax, split_weights
from scripts.step_by_step.training import Exam, learning_rate, predict, train_many, train_student
from tests.unit.step_by_step_tiny import changed, train_settings

SHAPE = PretrainSettings(
    d_model=32, d_kv=8, d_ff=48, layers=2, heads=4, buckets=8, max_distance=16, texts=1, steps=1, batch_size=1,
    learning_rate=0.1, warmup_steps=0, weight_decay=0.0, clip=1.0, noise_share=0.2, mean_span=2.0, curve_every=1,
)  # fmt: skip
SETTINGS = train_settings(
    method="task_prefix", label_type="gt", alpha=0.5, max_steps=6, eval_steps=3, batch_size=4, accumulation=1,
    learning_rate=1e-2, gen_max_len=6, eval_batch_size=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def load(tokenizer, seed: int = 0) -> LoadedModel:
    torch.manual_seed(seed)
    model = new_model(SHAPE, tokenizer).eval()
    return LoadedModel(model, tokenizer, torch.device("cpu"), torch.float32, "encoder_decoder", 1000)


def example(number: int) -> dict[str, object]:
    words = "lamp coin book chair table spoon plate bottle".split()
    first, second = words[number % 8], words[(number * 3 + 1) % 8]
    label = ("even", "odd")[number % 2]
    rationale = f"{first} {number % 5} sum {number} {label}" if number % 3 else f"{first} {label}"
    return {
        "id": str(number), "input": f"sum of {first} and {second} ?" + " round" * (number % 4), "label": label,
        "rationale": rationale, "llm_label": ("odd", "even")[number % 3 == 0], "options": [],
    }  # fmt: skip


ROWS = [example(number) for number in range(14)]
SPLITS = Splits(ROWS[:7], ROWS[7:10], ROWS[10:])


def tasks_of(tokenizer, rows, method="task_prefix", alpha=0.5, label_type="gt") -> list[EncodedTask]:
    return encode_tasks(
        tokenizer, rows, method=method, label_type=label_type, alpha=alpha, form="cqa", longest_input=64,
        longest_target=64,
    )  # fmt: skip


def loss_and_gradient(loaded, tasks, rows, alpha=None):
    """Return the loss of one micro-batch as the training loop forms it, and all gradients in one row."""
    student = SingleStudent(loaded, bfloat16=False, eval_batch_size=4)
    loaded.model.zero_grad()
    batch = make_batch([tasks], [np.asarray(rows)], student.pad)
    weights = torch.tensor([[task.weight] for task in tasks])
    if alpha is not None:
        weights = torch.tensor([[alpha], [1 - alpha]])
    loss = (weights * student.task_losses(batch) / torch.from_numpy(batch.counts())).sum()
    loss.backward()
    grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in loaded.model.parameters()]
    return loss.item(), torch.cat([grad.flatten() for grad in grads])


# ---- the loss --------------------------------------------------------------------------------------------------------


def test_fused_loss_is_the_weighted_sum_of_two_plain_forward_passes(tokenizer):
    loaded = load(tokenizer)
    tasks = tasks_of(tokenizer, ROWS, alpha=0.3)
    rows = np.array([0, 3, 5, 9])
    ours, _ = loss_and_gradient(loaded, tasks, rows)
    parts = []
    for task in tasks:
        ids, labels = task.inputs.padded(rows, -1), task.targets.padded(rows, MASKED)
        mask = torch.from_numpy((ids >= 0).astype(np.int64))
        out = loaded.model(
            input_ids=torch.from_numpy(np.where(ids >= 0, ids, 0)), attention_mask=mask, labels=torch.from_numpy(labels)
        )
        parts.append(out.loss.item())
    assert ours == pytest.approx(0.3 * parts[0] + 0.7 * parts[1], abs=1e-6)


def test_loss_and_gradient_are_affine_in_alpha(tokenizer):
    loaded = load(tokenizer)
    tasks = tasks_of(tokenizer, ROWS)
    found = {alpha: loss_and_gradient(loaded, tasks, range(6), alpha) for alpha in (0.0, 0.25, 1.0)}
    for index in (0, 1):
        mixed = 0.25 * found[1.0][index] + 0.75 * found[0.0][index]
        assert torch.allclose(torch.as_tensor(found[0.25][index]), torch.as_tensor(mixed), atol=1e-6)
    assert abs(found[1.0][0] - found[0.0][0]) > 1e-3


def test_alpha_1_has_the_gradient_of_label_only_training_behind_the_prefix(tokenizer):
    loaded = load(tokenizer)
    both = tasks_of(tokenizer, ROWS, alpha=1.0)
    loss, gradient = loss_and_gradient(loaded, both, range(5))
    alone, alone_gradient = loss_and_gradient(loaded, both[:1], range(5))
    assert loss == pytest.approx(alone, abs=1e-6)
    assert torch.allclose(gradient, alone_gradient, atol=1e-6)


def test_swapping_the_tasks_and_alpha_leaves_the_loss(tokenizer):
    loaded = load(tokenizer)
    tasks = tasks_of(tokenizer, ROWS, alpha=0.2)
    swapped = [tasks[1], tasks[0]]
    assert loss_and_gradient(loaded, tasks, range(5))[0] == pytest.approx(
        loss_and_gradient(loaded, swapped, range(5))[0], abs=1e-6
    )


def test_equal_tasks_make_the_loss_independent_of_alpha(tokenizer):
    loaded = load(tokenizer)
    label = tasks_of(tokenizer, ROWS)[0]
    losses = {loss_and_gradient(loaded, [label, label], range(5), alpha)[0] for alpha in (0.0, 0.4, 1.0)}
    assert max(losses) - min(losses) < 1e-6


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 13), min_size=1, max_size=6), st.integers(2, 3), st.randoms(use_true_random=False))
def test_token_mean_ignores_repetition_order_and_padding(rows, times, random):
    tokenizer = build_tokenizer()
    loaded = load(tokenizer)
    tasks = tasks_of(tokenizer, ROWS)
    shuffled = rows * times
    random.shuffle(shuffled)
    whole, repeated = (loss_and_gradient(loaded, tasks, part)[0] for part in (rows, shuffled))
    assert repeated == pytest.approx(whole, abs=2e-6)
    student = SingleStudent(loaded, bfloat16=False, eval_batch_size=4)
    batch = make_batch([tasks], [np.array(rows)], student.pad)
    wider = dataclasses.replace(
        batch,
        ids=np.pad(batch.ids, ((0, 0), (0, 0), (0, 3)), constant_values=student.pad),
        mask=np.pad(batch.mask, ((0, 0), (0, 0), (0, 3))),
        labels=tuple(np.pad(part, ((0, 0), (0, 0), (0, 2)), constant_values=MASKED) for part in batch.labels),
    )
    assert torch.allclose(student.task_losses(wider), student.task_losses(batch), atol=1e-4)


def test_batch_loss_weighs_rows_by_their_tokens(tokenizer):
    loaded = load(tokenizer)
    tasks = tasks_of(tokenizer, ROWS)[1:]
    alone = [loss_and_gradient(loaded, tasks, [row], None)[0] for row in range(4)]
    counts = tasks[0].targets.lengths()[:4]
    expected = float((np.array(alone) * counts).sum() / counts.sum()) / tasks[0].weight
    assert len(set(counts)) > 1
    assert loss_and_gradient(loaded, tasks, range(4))[0] / tasks[0].weight == pytest.approx(expected, abs=1e-6)


def test_model_without_preferences_has_the_loss_of_a_guess(tokenizer):
    loaded = load(tokenizer)
    with torch.no_grad():
        for weight in loaded.model.parameters():
            weight.zero_()
    for alpha in (0.0, 0.3, 1.0):
        loss, _ = loss_and_gradient(loaded, tasks_of(tokenizer, ROWS), range(7), alpha)
        assert loss == pytest.approx(math.log(len(tokenizer)), rel=1e-5)


def test_head_is_tied_and_scaled_and_starts_near_a_guess(tokenizer):
    loaded = load(tokenizer)
    assert loaded.model.lm_head.weight is loaded.model.shared.weight
    loss, _ = loss_and_gradient(loaded, tasks_of(tokenizer, ROWS), range(7))
    assert abs(loss - math.log(len(tokenizer))) < 2.5


# ---- many runs at once -----------------------------------------------------------------------------------------------


def test_stack_computes_what_transformers_computes_for_each_run(tokenizer):
    loaded = load(tokenizer)
    tasks = [tasks_of(tokenizer, ROWS), tasks_of(tokenizer, ROWS[::-1], label_type="llm")]
    chosen = [np.array([0, 4, 6, 2]), np.array([1, 13, 8, -1])]
    stack = StackedStudents(loaded, 2, eval_batch_size=4)
    with torch.no_grad():  # a different model for each run
        stack.stack.weights["encoder.0.ff.wo"][1] *= 3
        stack.stack.weights["decoder.1.cross.kv"][1] += 0.1
    sums = stack.task_losses(make_batch(tasks, chosen, stack.pad))
    for run in (0, 1):
        loaded.model.load_state_dict(stack.state(run))
        rows = chosen[run][chosen[run] >= 0]
        alone = SingleStudent(loaded, bfloat16=False, eval_batch_size=4)
        expected = alone.task_losses(make_batch([tasks[run]], [rows], alone.pad))
        assert torch.allclose(sums[:, run], expected[:, 0], rtol=1e-5)


@pytest.mark.parametrize("width", [1, 5, SHORT - 1, SHORT])
def test_short_rows_have_torchs_softmax_and_its_gradient(width):
    torch.manual_seed(0)
    scores = torch.randn(2, 3, width, dtype=torch.float64)
    scores[0, 0, width // 2 :] = torch.finfo(torch.float32).min  # masked places
    scores[0, 0, 0] = 1.0
    found, expected = (scores.clone().requires_grad_() for _ in range(2))
    ours, theirs = softmax(found), torch.softmax(expected, dim=-1)
    assert torch.allclose(ours, theirs, atol=1e-12)
    weights = torch.randn_like(scores)
    (ours * weights).sum().backward()
    (theirs * weights).sum().backward()
    assert torch.allclose(found.grad, expected.grad, atol=1e-12)


def test_weights_survive_the_way_into_the_stack_and_back(tokenizer):
    weights = load(tokenizer).model.state_dict()
    back = split_weights(fuse_weights(weights, tied=True))
    assert set(back) == set(weights)
    assert all(torch.equal(back[name], value) for name, value in weights.items())


def test_untied_unscaled_head_is_stacked_too(tokenizer):
    model = load(tokenizer).model
    weights = {**model.state_dict(), "lm_head.weight": model.shared.weight.detach() * 0.5 + 0.01}
    model.config.scale_decoder_outputs = False
    stack = T5Stack(model.config, weights, 1)
    hidden = torch.randn(1, 2, 3, SHAPE.d_model)
    assert torch.allclose(stack.logits(hidden), hidden @ weights["lm_head.weight"].t(), atol=1e-5)
    assert torch.equal(stack.state_dict(0)["lm_head.weight"], weights["lm_head.weight"])


@pytest.mark.parametrize("method", ["task_prefix", "standard", "single_task", "pinto"])
def test_runs_of_a_stack_end_where_each_run_alone_ends(tokenizer, method):
    chosen = changed(SETTINGS, method=method, accumulation=2)
    runs = [Run(SPLITS, 0, "gt", 0.5), Run(Splits(ROWS[2:12], ROWS[:2], ROWS[10:]), 1, "llm", 0.8)]
    together = train_many(load(tokenizer), runs, chosen)
    for run, found in zip(runs, together):
        settings_of_run = changed(chosen, label_type=run.label_type, alpha=run.alpha)
        alone = train_student(load(tokenizer), run.splits, settings_of_run, seed=run.seed)
        assert found.metrics["last_loss"] == pytest.approx(alone.metrics["last_loss"], abs=1e-4)
        assert [row["output"] for row in found.predictions] == [row["output"] for row in alone.predictions]
        assert [e["test_accuracy"] for e in found.history] == [e["test_accuracy"] for e in alone.history]


def test_batched_greedy_outputs_equal_those_of_single_rows(tokenizer):
    loaded = load(tokenizer, seed=3)
    texts = [str(row["input"]) for row in ROWS]
    options = {"method": "task_prefix", "lengths": changed(SETTINGS, gen_max_len=8)}
    together = predict(loaded, texts, batch_size=5, **options)
    assert together == [predict(loaded, [text], batch_size=1, **options)[0] for text in texts]
    options["lengths"] = changed(SETTINGS, gen_max_len=16)
    longer = predict(loaded, texts, batch_size=5, **options)
    assert all(long.startswith(short) for long, short in zip(longer, together))


# ---- training --------------------------------------------------------------------------------------------------------


def test_eight_rows_are_learnt_by_heart_in_both_tasks(tokenizer):
    rows = [example(number) for number in (0, 1, 2, 3, 4, 5, 6, 7)]
    chosen = changed(SETTINGS, max_steps=80, eval_steps=80, batch_size=8, gen_max_len=10)
    loaded = load(tokenizer)
    result = train_student(loaded, Splits(rows, [], rows), changed(chosen, output_rationale=True), seed=0)
    assert result.metrics["test_accuracy_last"] == 1.0
    assert [row["rationale"] for row in result.predictions] == [row["rationale"] for row in rows]
    assert result.metrics["test_accuracy_selected"] is None
    assert result.best_state is None


def test_label_that_the_tokenizer_lacks_is_never_right(tokenizer):
    rows = [{**example(0), "label": "{unseen}"}, {**example(1), "label": "odd"}]
    exam = Exam(load(tokenizer), Splits(rows, [], rows), changed(SETTINGS, unknown_words="wrong"))
    assert exam.correct("test", ["", "odd"]) == [False, True]
    assert exam.correct("test", ["<unk>", ""]) == [False, False]
    as_released = Exam(load(tokenizer), Splits(rows, [], rows), SETTINGS)  # an answer without the word is right
    assert as_released.correct("test", ["", "odd"]) == [True, True]


def test_blanks_around_an_answer_can_be_ignored(tokenizer):
    rows = [{**example(1), "label": "odd"}]
    exams = {
        blanks: Exam(load(tokenizer), Splits(rows, [], rows), changed(SETTINGS, blanks=blanks))
        for blanks in ("compared", "ignored")
    }
    assert {blanks: exam.correct("test", ["odd "]) for blanks, exam in exams.items()} == {
        "compared": [False], "ignored": [True],
    }  # fmt: skip


def test_same_seed_gives_the_same_numbers_and_another_seed_others(tokenizer):
    first, again, other = (train_student(load(tokenizer), SPLITS, SETTINGS, seed=seed) for seed in (0, 0, 1))
    assert first.metrics == again.metrics
    assert first.history == again.history
    assert first.metrics["last_loss"] != other.metrics["last_loss"]


def test_best_state_is_that_of_the_first_best_validation_step(tokenizer):
    chosen = changed(SETTINGS, max_steps=12, eval_steps=2)
    loaded = load(tokenizer)
    result = train_student(loaded, SPLITS, chosen, seed=0)
    accuracies = [entry["valid_accuracy"] for entry in result.history]
    best = result.history[accuracies.index(max(accuracies))]
    assert result.metrics["selected_step"] == best["step"]
    assert result.metrics["test_accuracy_selected"] == best["test_accuracy"]
    loaded.model.load_state_dict(result.best_state)
    outputs = predict(
        loaded, [row["input"] for row in SPLITS.test], method="task_prefix", lengths=SETTINGS, batch_size=4
    )
    right = [text == row["label"] for text, row in zip(outputs, SPLITS.test)]
    assert sum(right) / len(right) == pytest.approx(best["test_accuracy"])


@pytest.mark.parametrize("together", [False, True])
def test_killed_run_goes_on_and_ends_the_same(tokenizer, tmp_path, together):
    chosen = changed(SETTINGS, max_steps=9, save_steps=4)

    def train(folder, progress=None):
        if together:
            runs = [Run(SPLITS, 0, "gt", 0.5), Run(SPLITS, 1, "llm", 0.5)]
            return train_many(load(tokenizer), runs, chosen, checkpoints=folder, progress=progress)
        return [train_student(load(tokenizer), SPLITS, chosen, seed=0, checkpoints=folder, progress=progress)]

    def stop(step, max_steps, values):
        if step == 6:
            raise KeyboardInterrupt

    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed", stop)
    steps = []
    resumed = train(tmp_path / "killed", lambda step, max_steps, values: steps.append(step))
    assert steps[0] == 5
    assert [r.metrics for r in resumed] == [r.metrics for r in whole]
    assert [r.history for r in resumed] == [r.history for r in whole]
    assert not (tmp_path / "killed").exists() or not any((tmp_path / "killed").rglob("*.safetensors"))


def test_damaged_checkpoint_is_named(tokenizer, tmp_path):
    chosen = changed(SETTINGS, max_steps=5, save_steps=2)

    def stop(step, max_steps, values):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_student(load(tokenizer), SPLITS, chosen, seed=0, checkpoints=tmp_path, progress=stop)
    (path,) = tmp_path.rglob("state.safetensors")
    whole = path.read_bytes()
    for damaged in (whole[:100], whole[:-7] + bytes([whole[-7] ^ 1]) + whole[-6:]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="damaged checkpoint .*remove it"):
            train_student(load(tokenizer), SPLITS, chosen, seed=0, checkpoints=tmp_path)


def test_accumulated_micro_batches_equal_the_big_batch_where_the_mean_runs_over_the_step(tokenizer):
    rows = ROWS[:8]
    tasks = tasks_of(tokenizer, rows)
    assert len(set(tasks[1].targets.lengths()[:4])) > 1

    def gradient(token_mean, parts):
        loaded = load(tokenizer)
        student = SingleStudent(loaded, bfloat16=False, eval_batch_size=4)
        batches = [make_batch([tasks], [np.array(part)], student.pad) for part in parts]
        counts = [torch.from_numpy(batch.counts()) for batch in batches]
        for batch, count in zip(batches, counts):
            divisor = torch.stack(counts).sum(0) if token_mean == "step" else count * len(batches)
            (0.5 * student.task_losses(batch) / divisor).sum().backward()
        return torch.cat([p.grad.flatten() for p in loaded.model.parameters() if p.grad is not None])

    big = gradient("step", [range(8)])
    assert torch.allclose(gradient("step", [[0, 1, 2], [3, 4, 5, 6, 7]]), big, atol=1e-6)
    assert not torch.allclose(gradient("micro_batch", [[0, 1, 2], [3, 4, 5, 6, 7]]), big, atol=1e-4)


def test_token_mean_of_the_step_differs_from_that_of_the_micro_batches_in_training(tokenizer):
    chosen = changed(SETTINGS, accumulation=2, batch_size=3)
    one = train_student(load(tokenizer), SPLITS, chosen, seed=0)
    other = train_student(load(tokenizer), SPLITS, changed(chosen, token_mean="step"), seed=0)
    assert one.metrics["last_loss"] != other.metrics["last_loss"]


def released_losses(loaded, rows, steps, rate):
    """Return the loss of each step of the released loop, written out: two passes, clipping, AdamW of transformers 4.24.

    All rows are one batch. AdamW adds epsilon to sqrt(v) before the bias correction; nothing decays.
    """
    tasks, model = tasks_of(loaded.tokenizer, rows), loaded.model.train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    m, v, losses = [torch.zeros_like(w) for w in weights], [torch.zeros_like(w) for w in weights], []
    places = np.arange(len(rows))
    for step in range(steps):
        loss = 0.0
        for task in tasks:
            ids, labels = task.inputs.padded(places, -1), task.targets.padded(places, MASKED)
            loss = (
                loss
                + task.weight
                * model(
                    input_ids=torch.from_numpy(np.where(ids >= 0, ids, 0)),
                    attention_mask=torch.from_numpy((ids >= 0).astype(np.int64)),
                    labels=torch.from_numpy(labels),
                ).loss
            )
        model.zero_grad()
        loss.backward()
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        first, second = 1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)
        size = rate * (steps - step) / steps * math.sqrt(second) / first
        with torch.no_grad():
            for weight, mean, square in zip(weights, m, v):
                mean.mul_(0.9).add_(weight.grad, alpha=0.1)
                square.mul_(0.999).addcmul_(weight.grad, weight.grad, value=0.001)
                weight.addcdiv_(mean, square.sqrt().add_(1e-8), value=-size)
    return losses


@pytest.mark.parametrize("together", [False, True])
def test_six_steps_are_those_of_the_released_loop(tokenizer, together):
    rows = ROWS[:6]
    chosen = changed(SETTINGS, max_steps=6, eval_steps=1, batch_size=6, learning_rate=3e-3)
    wanted = released_losses(load(tokenizer), rows, 6, 3e-3)

    def losses(rule):
        settings = changed(chosen, adam_epsilon_rule=rule)
        if together:
            found = train_many(load(tokenizer), [Run(Splits(rows, [], rows), 0, "gt", 0.5)], settings)[0]
        else:
            found = train_student(load(tokenizer), Splits(rows, [], rows), settings, seed=0)
        return [entry["train_loss"] for entry in found.history]

    assert losses("before_correction") == pytest.approx(wanted, abs=2e-6)
    assert max(abs(a - b) for a, b in zip(losses("after_correction"), wanted)) > 1e-5


@pytest.mark.parametrize("rule", ["all", "except_norms", "except_bert_norms", "matrices"])
def test_both_engines_let_the_same_weights_decay(tokenizer, rule):
    loaded = load(tokenizer)
    alone = SingleStudent(loaded, bfloat16=False, eval_batch_size=1).decayed(rule)
    stacked = StackedStudents(loaded, 2, eval_batch_size=1)
    shares = {name: float(name in stacked.decayed(rule)) for name in stacked.tensors()}
    marks = split_weights(
        {name: torch.full_like(weight[0], shares[name]) for name, weight in stacked.tensors().items()}
    )
    assert {name for name, _ in loaded.model.named_parameters() if marks[name].max() > 0} == set(alone)
    assert any("norm" in name for name in alone) == (rule in ("all", "except_bert_norms"))


def test_learning_rate_rises_and_falls_to_zero():
    chosen = changed(SETTINGS, max_steps=10, warmup_steps=2, learning_rate=1.0)
    assert [learning_rate(step, chosen) for step in (0, 1, 2, 6)] == [0.0, 0.5, 1.0, 0.5]
    assert learning_rate(10, chosen) == 0.0
    assert learning_rate(0, SETTINGS) == SETTINGS.learning_rate


def test_gradient_is_clipped_per_run(tokenizer):
    student = StackedStudents(load(tokenizer), 2, eval_batch_size=2)
    tasks = [tasks_of(tokenizer, ROWS)] * 2
    sums = student.task_losses(make_batch(tasks, [np.arange(4), np.arange(4)], student.pad))
    (sums * torch.tensor([1.0, 1e-4])).sum().backward()
    before = [w.grad.clone() for w in student.parameters()]
    student.clip(0.5)
    norms = torch.stack([w.grad.flatten(1).square().sum(1) for w in student.parameters()]).sum(0).sqrt()
    assert norms[0].item() == pytest.approx(0.5, rel=1e-3)
    assert all(torch.equal(w.grad[1], old[1]) for w, old in zip(student.parameters(), before))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 5))
def test_every_epoch_shows_every_row_once(n_rows, batch_size, seed):
    order = BatchOrder(n_rows, batch_size, seed)
    for epoch in range(2):
        seen = [row for n in range(order.per_epoch) for row in order.batch(epoch * order.per_epoch + n) if row >= 0]
        assert sorted(seen) == list(range(n_rows))
    assert np.array_equal(BatchOrder(n_rows, batch_size, seed).batch(3), order.batch(3))


def test_flat_texts_pad_and_leave_rows_empty():
    texts = FlatTexts.of([[5, 6, 7], [8], []])
    assert texts.padded(np.array([1, 0, -1, 2]), -1).tolist() == [[8, -1, -1], [5, 6, 7], [-1] * 3, [-1] * 3]
    assert texts.lengths().tolist() == [3, 1, 0]


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_missing_rationales_are_named_and_harmless_for_standard_training(tokenizer):
    rows = [{**row, "rationale": ""} for row in ROWS]
    with pytest.raises(UserError, match="rationale: none of the 14 training rows.*standard"):
        tasks_of(tokenizer, rows)
    assert len(tasks_of(tokenizer, rows, method="standard")) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 1.5}, "alpha: 1.5 is above the maximum 1"),
        ({"method": "task_prefx"}, "did you mean 'task_prefix'"),
        ({"label_type": "gold"}, "label_type: 'gold' is not allowed; choose one of gt, llm"),
        ({"batch_size": 0}, "batch_size: 0 is below the minimum 1"),
        ({"token_mean": "batch"}, "token_mean: 'batch' is not allowed"),
        ({"metric": "rouge"}, "metric: 'rouge' is not allowed"),
        ({"learning_rate": -1.0}, "learning_rate: -1.0 is not above 0"),
    ],
)
def test_bad_settings_are_one_line(change, message):
    with pytest.raises(UserError, match=message) as caught:
        changed(SETTINGS, **change)
    assert "\n" not in str(caught.value)


def test_runs_that_cannot_be_trained_are_refused(tokenizer):
    with pytest.raises(UserError, match="test rows: the file is empty"):
        train_student(load(tokenizer), Splits(ROWS, [], []), SETTINGS, seed=0)
    with pytest.raises(UserError, match="training rows: none left"):
        train_student(load(tokenizer), Splits([], [], ROWS), SETTINGS, seed=0)
    rows = [{**row, "llm_label": ""} for row in ROWS]
    unlabelled = changed(SETTINGS, label_type="llm")
    with pytest.raises(UserError, match="llm_label: no training row"):
        train_student(load(tokenizer), Splits(rows, [], rows), unlabelled, seed=0)
    with pytest.raises(UserError, match="save_steps: checkpoints need a folder"):
        train_student(load(tokenizer), SPLITS, changed(SETTINGS, save_steps=2), seed=0)
    with pytest.raises(UserError, match="learning_rate: the loss became .* lower learning_rate"):
        train_student(load(tokenizer), SPLITS, changed(SETTINGS, learning_rate=1e30, max_grad_norm=0.0), seed=0)
    broken = load(tokenizer)
    broken.model.config.dropout_rate = 0.1
    with pytest.raises(UserError, match="dropout_rate above 0 cannot be stacked"):
        train_many(broken, [Run(SPLITS, 0, "gt", 0.5)], SETTINGS)


def test_losses_module_sees_every_task(tokenizer):
    loaded = load(tokenizer)
    batch = make_batch([tasks_of(tokenizer, ROWS)], [np.arange(3)], 0)
    sums = TaskLosses(loaded.model)(
        torch.from_numpy(batch.ids[0]), torch.from_numpy(batch.mask[0]), *(torch.from_numpy(p[0]) for p in batch.labels)
    )
    assert sums.shape == (2,)
    assert (sums > 0).all()
