"""Fine-tuning: what is in the loss, what the Trainer does with it, resuming, adapters, faults."""

from __future__ import annotations

import dataclasses
import json
import logging
import random

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import TrainerCallback

from scripts.common.checksums import seal
from scripts.common.errors import UserError
from scripts.lm.checkpoints import InitialWeights, digest_of_model, last_checkpoint, save_model
from scripts.lm.collator import Collator
from scripts.lm.finetune import encode_examples, finetune
from scripts.lm.finetune_settings import FinetuneSettings
from scripts.lm.load import load_model
from tests.unit.lm_tiny import EOS, PAD, tiny, words

SETTINGS = FinetuneSettings(
    learning_rate=1e-2,
    epochs=1,
    max_steps=6,
    batch_size=4,
    accumulation=1,
    schedule="cosine",
    warmup_ratio=0.0,
    weight_decay=0.01,
    max_grad_norm=1.0,
    max_tokens=32,
)


def settings(**changes) -> FinetuneSettings:
    """The settings above with some changed."""
    return dataclasses.replace(SETTINGS, **changes)


def examples(n: int = 10) -> list[tuple[str, str]]:
    """Pairs of a prompt of 2 to 9 words and a response of 1 to 5."""
    rng = random.Random(4)
    return [(words(rng.randint(2, 9), rng) + " ", words(rng.randint(1, 5), rng)) for _ in range(n)]


class StopAt(TrainerCallback):
    """Fails after the given optimizer step, as a killed process would end."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise KeyboardInterrupt


# ---- what is learnt --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokenization", ["joint", "separate"])
def test_labels_by_hand(tokenization):
    encoded = encode_examples(tiny(), [("w0 w1 ", "w2 w3"), ("w4 ", "w5")], settings(tokenization=tokenization))
    assert encoded.rows == (
        {"input_ids": [3, 4, 5, 6, EOS], "labels": [-100, -100, 5, 6, EOS]},
        {"input_ids": [7, 8, EOS], "labels": [-100, 8, EOS]},
    )
    assert (encoded.n_dropped, encoded.n_truncated) == (0, 0)


def test_encoder_decoder_labels_by_hand():
    encoded = encode_examples(tiny("t5"), [("w0 w1 w2", "w3 w4")], settings(max_tokens=2))
    assert encoded.rows == ({"input_ids": [3, 4], "labels": [6, 7]},)
    assert encoded.n_truncated == 1


def test_truncation_cuts_the_end_and_drops_what_has_no_response_left():
    pairs = [("w0 w1 ", "w2 w3"), ("w0 w1 w2 w3 ", "w4"), ("w0 w1 w2 w3 w4 ", "w5")]
    encoded = encode_examples(tiny(), pairs, settings(max_tokens=4))
    assert encoded.rows == ({"input_ids": [3, 4, 5, 6], "labels": [-100, -100, 5, 6]},)
    assert (encoded.n_dropped, encoded.n_truncated) == (2, 1)


def test_nothing_to_learn_is_an_error():
    with pytest.raises(UserError, match="max_tokens: no response token of any example lies within 4 tokens"):
        encode_examples(tiny(), [("w0 w1 w2 w3 w4", "w5")], settings(max_tokens=4))
    with pytest.raises(UserError, match="none given"):
        finetune(tiny(), [], SETTINGS, seed=0)


def test_collator_pads_to_the_batch_only():
    rows = encode_examples(tiny(), [("w0 w1 ", "w2 w3"), ("w4 ", "w5")], SETTINGS).rows
    batch = Collator(PAD)(rows)
    assert batch["input_ids"].tolist() == [[3, 4, 5, 6, EOS], [7, 8, EOS, PAD, PAD]]
    assert batch["attention_mask"].tolist() == [[1] * 5, [1, 1, 1, 0, 0]]
    assert batch["labels"].tolist() == [[-100, -100, 5, 6, EOS], [-100, 8, EOS, -100, -100]]


def mean_nll(loaded, rows) -> float:
    """Mean negative log-likelihood over all response tokens, one example at a time, written out."""
    total, count = 0.0, 0
    for row in rows:
        with torch.no_grad():
            if loaded.family == "encoder_decoder":
                start = torch.tensor([[PAD, *row["labels"][:-1]]])
                logits = loaded.model(input_ids=torch.tensor([row["input_ids"]]), decoder_input_ids=start).logits[0]
                pairs = list(zip(logits, row["labels"]))
            else:
                logits = loaded.model(input_ids=torch.tensor([row["input_ids"]])).logits[0]
                pairs = [(one, label) for one, label in zip(logits, row["labels"][1:]) if label != -100]
        for one, label in pairs:
            total -= torch.log_softmax(one.double(), dim=-1)[label].item()
            count += 1
    return total / count


@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5"])
@pytest.mark.parametrize("batch_size, accumulation", [(10, 1), (5, 2), (3, 4)])
def test_first_loss_is_the_mean_over_all_response_tokens(kind, batch_size, accumulation):
    loaded = tiny(kind)
    pairs = examples(10)
    expected = mean_nll(loaded, encode_examples(loaded, pairs, SETTINGS).rows)
    history = finetune(loaded, pairs, settings(max_steps=1, batch_size=batch_size, accumulation=accumulation), seed=0)
    assert history.losses == (pytest.approx(expected, abs=1e-5),)
    assert history.n_examples == 10
    assert history.n_response_tokens == sum(len(response.split()) + 1 for _, response in pairs)


def test_training_lowers_the_loss_and_depends_on_the_seed_only():
    losses = [finetune(tiny(), examples(), settings(max_steps=30), seed=seed).losses for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    assert len(losses[0]) == 30
    assert sum(losses[0][-5:]) < 0.5 * sum(losses[0][:5])


def test_epochs_count_partial_batches():
    assert len(finetune(tiny(), examples(10), settings(max_steps=0, epochs=3), seed=0).losses) == 9


def test_an_adamw_step_by_hand():
    """One step without clipping, decay or warm-up: AdamW's first step is lr * g / (|g| + eps)."""
    loaded = tiny()
    rows = encode_examples(loaded, examples(4), SETTINGS).rows
    batch = Collator(PAD)(rows)
    before = {name: weight.detach().clone() for name, weight in loaded.model.named_parameters()}
    loaded.model(**batch).loss.backward()
    gradients = {name: weight.grad.clone() for name, weight in loaded.model.named_parameters()}
    loaded.model.zero_grad()
    plain = settings(max_steps=1, schedule="constant", weight_decay=0.0, max_grad_norm=0.0, learning_rate=1e-3)
    finetune(loaded, examples(4), plain, seed=0)
    for name, weight in loaded.model.named_parameters():
        gradient = gradients[name]
        sure = gradient.abs() > 1e-5
        step = (weight - before[name])[sure]
        torch.testing.assert_close(step, (-1e-3 * gradient.sign())[sure], rtol=2e-2, atol=1e-6)


def test_runs_leave_no_trace_on_the_model_object():
    loaded = tiny()
    start = InitialWeights(loaded.model)
    digest = digest_of_model(loaded.model)
    first = finetune(loaded, examples(), SETTINGS, seed=0)
    assert loaded.model.config.use_cache
    assert not loaded.model.training
    assert all(weight.grad is None for weight in loaded.model.parameters())
    assert digest_of_model(loaded.model) != digest
    start.restore()
    assert digest_of_model(loaded.model) == digest
    assert finetune(loaded, examples(), SETTINGS, seed=0) == first


# ---- resuming --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("stop", [2, 5])
def test_resumed_run_gives_the_same_bytes(tmp_path, method, stop):
    """Dropout, shuffling over several epochs, optimizer and schedule all go on where they were."""
    chosen = settings(max_steps=9, save_steps=2, method=method, lora_dropout=0.1, accumulation=2)
    loaded = tiny("gpt2", dropout=0.1)
    whole = finetune(loaded, examples(), chosen, seed=1, checkpoint_dir=tmp_path / "a")
    save_model(loaded, tmp_path / "whole")

    loaded = tiny("gpt2", dropout=0.1)
    with pytest.raises(KeyboardInterrupt):
        finetune(loaded, examples(), chosen, seed=1, checkpoint_dir=tmp_path / "b", callbacks=[StopAt(stop)])
    (folder,) = (tmp_path / "b").iterdir()
    assert (last_checkpoint(folder) is None) == (stop == 2)  # the step's own checkpoint comes after the fault
    seen = []

    class Count(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            seen.append(state.global_step)

    loaded = tiny("gpt2", dropout=0.1)
    resumed = finetune(loaded, examples(), chosen, seed=1, checkpoint_dir=tmp_path / "b", callbacks=[Count()])
    save_model(loaded, tmp_path / "resumed")
    assert seen == list(range(1 if stop == 2 else 5, 10))
    assert resumed == whole
    name = "model.safetensors"
    assert (tmp_path / "resumed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("change", [{"learning_rate": 2e-2}, {"seed": 2}, {"examples": 9}, {"model": 1}])
def test_a_checkpoint_of_another_run_is_not_used(tmp_path, change):
    chosen = settings(max_steps=4, save_steps=2)
    with pytest.raises(KeyboardInterrupt):
        finetune(tiny(), examples(), chosen, seed=1, checkpoint_dir=tmp_path, callbacks=[StopAt(3)])
    seen = []

    class Count(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            seen.append(state.global_step)

    finetune(
        tiny(seed=change.get("model", 0)),
        examples(change.get("examples", 10)),
        dataclasses.replace(chosen, learning_rate=change.get("learning_rate", chosen.learning_rate)),
        seed=change.get("seed", 1),
        checkpoint_dir=tmp_path,
        callbacks=[Count()],
    )
    assert seen == [1, 2, 3, 4]


def test_half_written_checkpoint_is_not_used(tmp_path):
    for name in ("checkpoint-9", "checkpoint-10"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text("x", encoding="utf-8")
    seal(tmp_path / "checkpoint-9")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-9"
    assert not (tmp_path / "checkpoint-10").exists()
    (tmp_path / "checkpoint-10").mkdir()
    (tmp_path / "checkpoint-10" / "weights").write_text("x", encoding="utf-8")
    seal(tmp_path / "checkpoint-10")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_damaged_checkpoints_are_not_used_and_the_run_ends_with_the_same_bytes(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    chosen = settings(max_steps=7, save_steps=2)
    loaded = tiny()
    whole = finetune(loaded, examples(), chosen, seed=1, checkpoint_dir=tmp_path / "a")
    for damaged, from_step in ((["checkpoint-4"], 2), (["checkpoint-2", "checkpoint-4"], 0)):
        folder = tmp_path / str(from_step)
        with pytest.raises(KeyboardInterrupt):
            finetune(tiny(), examples(), chosen, seed=1, checkpoint_dir=folder, callbacks=[StopAt(5)])
        for name in damaged:
            (weights,) = folder.glob(f"*/{name}/optimizer.pt")
            content = bytearray(weights.read_bytes())
            content[len(content) // 2] ^= 1
            weights.write_bytes(content)
        again = tiny()
        assert finetune(again, examples(), chosen, seed=1, checkpoint_dir=folder) == whole
        assert digest_of_model(again.model) == digest_of_model(loaded.model)
        assert f"{damaged[-1]}: optimizer.pt is damaged; making it again" in caplog.text
        assert ("resuming from" in caplog.text) == (from_step > 0)
        caplog.clear()


# ---- adapters --------------------------------------------------------------------------------------------------------


def test_lora_changes_only_its_targets_by_a_matrix_of_its_rank(tmp_path):
    loaded = tiny()
    before = {name: weight.detach().clone() for name, weight in loaded.model.state_dict().items()}
    chosen = settings(method="lora", lora_rank=2, lora_targets=("q_proj", "v_proj"), max_steps=8)
    finetune(loaded, examples(), chosen, seed=0, adapter_out=tmp_path / "adapter")
    after = loaded.model.state_dict()
    assert list(after) == list(before)
    for name, weight in after.items():
        change = weight - before[name]
        if "q_proj" in name or "v_proj" in name:
            singular = torch.linalg.svdvals(change.double())
            assert singular[1] > 1e-4
            assert singular[2] < 1e-5 * singular[0]
        else:
            assert not change.any()
    assert all(weight.requires_grad for weight in loaded.model.parameters())
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["target_modules"] == [
        "q_proj",
        "v_proj",
    ]
    again = tiny()
    merged = PeftModel.from_pretrained(again.model, str(tmp_path / "adapter")).merge_and_unload()
    assert digest_of_model(merged) == digest_of_model(loaded.model)


def test_lora_over_all_linear_layers_leaves_embeddings_and_output():
    loaded = tiny()
    before = {name: weight.detach().clone() for name, weight in loaded.model.state_dict().items()}
    finetune(loaded, examples(), settings(method="lora", lora_rank=2), seed=0)
    changed = {name for name, weight in loaded.model.state_dict().items() if not torch.equal(weight, before[name])}
    assert changed == {name for name in before if "_proj" in name}


def test_unknown_lora_target():
    with pytest.raises(UserError, match="lora_targets: no such layers in this model \\(nothing\\)"):
        finetune(tiny(), examples(), settings(method="lora", lora_targets=("nothing",)), seed=0)


# ---- saving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5"])
def test_saved_model_loads_with_the_same_weights_and_bytes(tmp_path, kind):
    loaded = tiny(kind)
    finetune(loaded, examples(), settings(max_steps=2), seed=0)
    save_model(loaded, tmp_path / "one")
    save_model(loaded, tmp_path / "two")
    save_model(loaded, tmp_path / "two")  # replaces what is there
    again = load_model(str(tmp_path / "one"), family=loaded.family, device="cpu")
    assert digest_of_model(again.model) == digest_of_model(loaded.model)
    assert again.tokenizer("w0 w5")["input_ids"] == [3, 8]
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "two").iterdir())
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_bfloat16_model_trains_in_float32_and_keeps_its_dtype():
    loaded = tiny()
    loaded.model.to(torch.bfloat16)
    before = loaded.model.lm_head.weight.detach().clone()
    seen = []

    class Look(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **kwargs):
            seen.append(model.lm_head.weight.dtype)

    finetune(loaded, examples(), settings(max_steps=2), seed=0, callbacks=[Look()])
    assert seen == [torch.float32] * 2
    assert loaded.model.dtype == torch.bfloat16
    assert not torch.equal(loaded.model.lm_head.weight, before)


# ---- faults ----------------------------------------------------------------------------------------------------------


def test_nan_loss_names_step_and_remedy():
    with pytest.raises(UserError, match=r"learning_rate: the loss became nan at step 2 of 6; lower learning_rate"):
        finetune(tiny(), examples(), settings(learning_rate=1e38, max_grad_norm=0.0, schedule="constant"), seed=0)


def test_nan_after_the_last_step_is_noticed():
    broken = settings(learning_rate=1e38, max_grad_norm=0.0, schedule="constant", max_steps=1, weight_decay=1e38)
    with pytest.raises(UserError, match="is not finite after training; lower learning_rate"):
        finetune(tiny(), examples(), broken, seed=0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"method": "loar"}, r"method: 'loar' is not one of full, lora, qlora \(did you mean 'lora'\?\)"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"batch_size": 0}, "batch_size: 0 is not a whole number >= 1"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"warmup_ratio": 1.0}, "warmup_ratio"),
        ({"max_steps": 0, "epochs": 0}, "epochs: give a number above 0, or max_steps"),
        ({"fsdp": "full_shrad"}, "fsdp: unknown word 'full_shrad' \\(did you mean 'full_shard'\\?\\)"),
        ({"method": "lora", "lora_rank": 0}, "lora_rank"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(UserError, match=message):
        settings(**change)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"save_steps": 5}, "save_steps: checkpoints need a checkpoint folder"),
        ({"fsdp": "full_shard auto_wrap"}, "fsdp: sharding needs GPUs"),
        ({"precision": "bfloat16"}, "precision: this device has no bfloat16"),
        ({"method": "qlora"}, "method: 'qlora' saves adapters"),
    ],
)
def test_impossible_runs(change, message):
    with pytest.raises(UserError, match=message):
        finetune(tiny(), examples(), settings(**change), seed=0)


def test_qlora_without_gpu_says_so(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(UserError, match="method: 'qlora' needs a CUDA device and this machine shows none"):
        finetune(tiny(), examples(), settings(method="qlora"), seed=0, adapter_out=tmp_path / "adapter")


@pytest.mark.parametrize("message", ["I/O error: No space left on device", "enforce fail at inline_container.cc:672"])
def test_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, message):
    loaded = tiny()

    def fail(folder, **kwargs):
        (folder / "model.safetensors").write_bytes(b"half")
        raise RuntimeError(message)

    monkeypatch.setattr(loaded.model, "save_pretrained", fail)
    with pytest.raises(UserError, match="could not be written, the disk is probably full; free some space"):
        save_model(loaded, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
    message = "some other fault"
    with pytest.raises(RuntimeError, match="some other fault"):
        save_model(loaded, tmp_path / "model")


def test_saved_weights_are_those_in_memory(tmp_path):
    loaded = tiny()
    save_model(loaded, tmp_path / "model")
    saved = load_file(tmp_path / "model" / "model.safetensors")
    for name, weight in saved.items():
        assert torch.equal(weight, loaded.model.state_dict()[name])
