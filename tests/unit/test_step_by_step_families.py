"""Students of every family: losses against the plain forward pass, what they read and what is cut."""

from __future__ import annotations

import itertools
import json
import random

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import BartConfig, BartForConditionalGeneration, MT5Config, MT5ForConditionalGeneration

from scripts.common.errors import UserError
from scripts.common.files import read_json
from scripts.lm.load import LoadedModel
from scripts.step_by_step.cuts import CutReport
from scripts.step_by_step.encoding import MASKED, encode_inputs, encode_targets, encode_tasks, make_batch
from scripts.step_by_step.exams import Exam
from scripts.step_by_step.splits import Splits, make_splits
from scripts.step_by_step.student_models import family_of, input_limit, load_student, reads_alike
from scripts.step_by_step.students import SingleStudent, make_optimizer, neutral_generation
from scripts.step_by_step.task_losses import joined
from scripts.step_by_step.train_models import set_dropout
from scripts.step_by_step.training import predict, train_student
from tests.long import LONG
from tests.unit.lm_tiny import EOS, PAD, WINDOW, save, tiny, tokenizer
from tests.unit.step_by_step_tiny import changed, train_settings

SETTINGS = train_settings(
    method="task_prefix", label_type="gt", alpha=0.5, max_steps=4, eval_steps=2, batch_size=4, accumulation=1,
    learning_rate=1e-2, max_input_length=20, max_target_length=8, gen_max_len=4, eval_batch_size=3,
)  # fmt: skip
ROWS = [
    {"id": str(i), "input": f"w{i} w{i + 1}" + " w9" * (i % 3), "label": f"w{40 + i % 2}", "llm_label": "",
     "options": [], "rationale": f"w{i} w50 w{40 + i % 2}"}
    for i in range(8)
]  # fmt: skip
CAUSAL = ("llama", "gpt2", "opt", "mistral")


def words_for_tasks(loaded: LoadedModel) -> LoadedModel:
    loaded.tokenizer.add_tokens(["predict:", "explain:"])
    torch.manual_seed(0)
    loaded.model.resize_token_embeddings(len(loaded.tokenizer))
    return loaded


def student_of(kind: str) -> LoadedModel:
    """Return a tiny random student: causal, T5, mT5 or BART."""
    if kind not in ("mt5", "bart"):
        return words_for_tasks(tiny(kind))
    torch.manual_seed(0)
    own = tokenizer()
    if kind == "mt5":
        config = MT5Config(
            vocab_size=len(own), d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, dropout_rate=0.0,
            initializer_factor=1.0, pad_token_id=PAD, eos_token_id=EOS, decoder_start_token_id=PAD,
        )  # fmt: skip
        model = MT5ForConditionalGeneration(config)
    else:
        config = BartConfig(
            vocab_size=len(own), d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
            decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, dropout=0.0, init_std=0.3,
            max_position_embeddings=WINDOW, pad_token_id=PAD, bos_token_id=1, eos_token_id=EOS,
            decoder_start_token_id=EOS, forced_eos_token_id=EOS,
        )  # fmt: skip
        model = BartForConditionalGeneration(config)
    window = 10**6 if kind == "mt5" else WINDOW
    return words_for_tasks(
        LoadedModel(model.eval(), own, torch.device("cpu"), torch.float32, "encoder_decoder", window)
    )


def plain_loss(loaded: LoadedModel, prompt: list[int], target: list[int]) -> torch.Tensor:
    """Return the summed loss of one target, from one unpadded forward pass with transformers' own labels."""
    if loaded.family == "causal":
        ids = torch.tensor([prompt + target])
        logits = loaded.model(input_ids=ids).logits[0, len(prompt) - 1 : -1]
        return functional.cross_entropy(logits, torch.tensor(target), reduction="sum")
    labels = torch.tensor([target])
    return loaded.model(input_ids=torch.tensor([prompt]), labels=labels).loss * len(target)


@pytest.mark.parametrize("kind", [*CAUSAL, "t5", "mt5", "bart"])
def test_task_losses_are_those_of_plain_forward_passes(kind):
    loaded = student_of(kind)
    tasks = encode_tasks(
        loaded.tokenizer, ROWS, method="task_prefix", label_type="gt", alpha=0.5, form="generic", longest_input=20,
        longest_target=8, family=loaded.family,
    )  # fmt: skip
    student = SingleStudent(loaded, bfloat16=False, eval_batch_size=3)
    rows = np.asarray([0, 5, 2, -1])
    found = student.task_losses(make_batch([tasks], [rows], student.pad))[:, 0]
    for task, loss in zip(tasks, found):
        inputs, targets = task.inputs.rows(), task.targets.rows()
        with torch.no_grad():
            wanted = sum(plain_loss(loaded, inputs[row], targets[row]) for row in (0, 5, 2))
        assert loss.item() == pytest.approx(float(wanted), rel=1e-4)


def test_input_and_answer_stand_side_by_side():
    ids, mask = torch.tensor([[5, 6, 7], [8, 0, 0]]), torch.tensor([[1, 1, 1], [1, 0, 0]])
    labels = torch.tensor([[20, 2], [21, MASKED]])
    tokens, seen, wanted = joined(ids, mask, labels)
    assert tokens.tolist() == [[5, 6, 7, 20, 2], [8, 21, 0, 0, 0]]
    assert seen.tolist() == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    assert wanted.tolist() == [[MASKED, MASKED, MASKED, 20, 2], [MASKED, 21, MASKED, MASKED, MASKED]]


def test_what_a_causal_model_reads_is_closed_and_cut_before_its_close():
    own = tokenizer()
    first = own.convert_tokens_to_ids("w0")
    assert encode_inputs(own, ["w0 w1"], 8, "causal").rows() == [[first, first + 1, EOS]]  # it knows no line break
    cut = encode_inputs(own, ["w0 w1 w2 w3"], 3, "causal")
    assert cut.rows() == [[first, first + 1, EOS]]
    assert (cut.whole.tolist(), cut.limit) == ([5], 3)
    own.add_tokens(["\n"])
    close = own.convert_tokens_to_ids("\n")
    assert encode_inputs(own, ["w0 w1 w2 w3"], 4, "causal").rows() == [[first, first + 1, close, close]]
    assert encode_targets(own, ["w0"], 8, "causal").rows() == [[first, EOS]]


@pytest.mark.parametrize("kind", [*CAUSAL, "mt5", "bart"])
def test_batched_answers_equal_single_ones_and_nothing_follows_the_end(kind):
    loaded = student_of(kind)
    texts = [str(row["input"]) for row in ROWS]
    together = predict(loaded, texts, method="standard", lengths=SETTINGS, batch_size=3)
    alone = [predict(loaded, [text], method="standard", lengths=SETTINGS, batch_size=1)[0] for text in texts]
    assert together == alone


@pytest.mark.parametrize("kind", [*CAUSAL, "t5", "mt5", "bart"])
@pytest.mark.parametrize("rule", ["all", "except_norms", "matrices"])
def test_the_optimizer_holds_every_weight_once_and_norms_do_not_decay(kind, rule):
    loaded = student_of(kind)
    settings = changed(SETTINGS, weight_decay=0.1, weight_decay_on=rule)
    optimizer = make_optimizer(SingleStudent(loaded, bfloat16=False, eval_batch_size=1), settings)
    shares = {id(w): group["weight_decay"] for group in optimizer.param_groups for w in group["params"]}
    named = dict(loaded.model.named_parameters())
    assert sorted(shares) == sorted(id(weight) for weight in named.values())
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(named)
    still = {name for name, weight in named.items() if shares[id(weight)] == 0}
    # one dimension: biases and gains of norms; the Trainer's rule goes by the name, so T5's relative bias is one too
    flat = {name for name, weight in named.items() if weight.ndim == 1}
    relative = {name for name in named if "relative_attention_bias" in name}
    assert still == {"all": set(), "matrices": flat, "except_norms": flat | relative}[rule]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "mt5", "bart"])
def test_a_step_is_that_of_the_epsilon_rule(kind):
    found = {}
    for rule in ("before_correction", "after_correction"):
        settings = changed(SETTINGS, max_steps=2, adam_epsilon_rule=rule)
        found[rule] = train_student(student_of(kind), Splits(ROWS, [], ROWS), settings, seed=0).metrics["last_loss"]
    assert found["before_correction"] != found["after_correction"]
    assert found["before_correction"] == pytest.approx(found["after_correction"], abs=1e-2)


@pytest.mark.parametrize("kind", ["llama", "bart"])
def test_words_that_a_tokenizer_lacks_and_blanks_count_as_the_keys_say(kind):
    loaded = student_of(kind)
    rows = [{**ROWS[0], "label": "w40 {unseen}"}]
    right = {}
    for words in ("wrong", "left_out"):
        for blanks in ("compared", "ignored"):
            settings = changed(SETTINGS, unknown_words=words, blanks=blanks)
            exam = Exam(loaded, Splits(ROWS, [], rows), settings)
            answer = exam.answers["test"][0]
            assert (answer == "w40 {unseen}") == (words == "wrong")
            right[words, blanks] = [exam.correct("test", [text])[0] for text in ("w40", "w40 ")]
    assert right["wrong", "compared"] == right["wrong", "ignored"] == [False, False]
    assert sum(right["left_out", "compared"]) <= 1
    assert right["left_out", "ignored"] == [True, True]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "mt5", "bart"])
def test_both_tasks_are_learnt_by_heart(kind):
    loaded = student_of(kind)
    longer = changed(SETTINGS, max_steps=150, eval_steps=150, learning_rate=5e-3, output_rationale=True)
    result = train_student(loaded, Splits(ROWS, [], ROWS), longer, seed=0)
    assert result.metrics["test_accuracy_last"] == 1.0
    assert sum(row["rationale"] == true["rationale"] for row, true in zip(result.predictions, ROWS)) >= 7
    assert result.metrics["cut_share"] == 0.0


def test_a_window_bounds_what_is_read_unless_positions_are_relative():
    assert input_limit(student_of("llama"), changed(SETTINGS, max_input_length=100)) == WINDOW - 8
    assert input_limit(student_of("bart"), changed(SETTINGS, max_input_length=100)) == WINDOW
    assert input_limit(student_of("t5"), changed(SETTINGS, max_input_length=100)) == 100
    with pytest.raises(UserError, match="window of 64 tokens leaves no room for an input beside outputs of 60"):
        input_limit(student_of("llama"), changed(SETTINGS, max_target_length=60))


def test_a_models_own_generation_file_is_put_aside_and_back():
    loaded = student_of("bart")
    own = loaded.model.generation_config
    own.forced_eos_token_id = EOS
    with neutral_generation(loaded.model):
        assert loaded.model.generation_config.forced_eos_token_id is None
    assert loaded.model.generation_config is own


def test_families_are_found_and_models_that_only_read_are_refused(tmp_path):
    for kind, family in (("llama", "causal"), ("t5", "encoder_decoder"), ("bart", "encoder_decoder")):
        assert family_of(save(student_of(kind), tmp_path / kind)) == family
    with pytest.raises(UserError, match="a model of type 'bert' writes no text; give a T5, mT5 or BART, or a causal"):
        family_of(save(tiny("bert"), tmp_path / "bert"))
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text(json.dumps({"model_type": "unheard_of"}), encoding="utf-8")
    with pytest.raises(UserError, match="type 'unheard_of' writes no text"):
        family_of(tmp_path / "odd")


def test_the_shipped_causal_model_is_given_the_prefixes_it_lacks(repo_root):
    source = str(repo_root / "resources" / "mini" / "small")
    first, again = (load_student(source, method="task_prefix", device="cpu", threads=1) for _ in range(2))
    assert not reads_alike(first.tokenizer)
    for one, same in zip(first.model.parameters(), again.model.parameters()):
        assert torch.equal(one, same)
    assert reads_alike(load_student(source, method="standard", device="cpu", threads=1).tokenizer)


def parity_rows(vocabulary: list[str], n: int) -> list[dict[str, object]]:
    """Return rows like those of the mini tier's sets, in the causal model's words: the parity of two hidden values."""
    items = vocabulary[200:244]
    order = random.Random("values").sample(range(44), 44)
    values = {items[place]: number % 2 + 1 for number, place in enumerate(order)}
    draw = random.Random("rows")
    rows = []
    for number, pair in enumerate(draw.sample(list(itertools.combinations(items, 2)), n)):
        pair = draw.sample(pair, 2)
        total = values[pair[0]] + values[pair[1]]
        label = ("yes", "no")[total % 2]
        rows.append(
            {"id": str(number), "input": f"{pair[0]} and {pair[1]} ?", "label": label, "llm_label": label,
             "rationale": f"total {('two', 'three', 'four')[total - 2]} {label}", "options": []}
        )  # fmt: skip
    return rows


@LONG
def test_two_tasks_teach_the_shipped_causal_model_what_labels_alone_do_not(repo_root):
    folder = repo_root / "resources" / "mini" / "causal"
    words = list(read_json(folder / "tokenizer.json")["model"]["vocab"])
    rows = parity_rows(words, 405)
    found = {}
    for method in ("task_prefix", "standard"):
        loaded = load_student(str(folder), method=method, device="cpu", threads=1)
        longer = changed(
            SETTINGS, method=method, max_steps=280, eval_steps=280, batch_size=12, learning_rate=1e-3, warmup_steps=20,
            max_input_length=1024, eval_batch_size=64,
        )  # fmt: skip
        splits = make_splits(rows[:225], rows[225:285], rows[285:], fraction=1.0, run=0)
        found[method] = train_student(loaded, splits, longer, seed=0).metrics["test_accuracy_last"]
    assert found["task_prefix"] > 0.95
    assert found["standard"] < 0.7


def test_dropout_is_set_in_whatever_it_is_called():
    loaded = tiny("gpt2", dropout=0.2)
    set_dropout(loaded.model, 0.5)
    assert {module.p for module in loaded.model.modules() if isinstance(module, torch.nn.Dropout)} == {0.5}
    loaded = tiny("llama", dropout=0.2)
    set_dropout(loaded.model, 0.0)
    assert loaded.model.config.attention_dropout == 0.0
    assert loaded.model.model.layers[0].self_attn.attention_dropout == 0.0


def test_what_is_too_long_is_counted_once_per_kind(caplog):
    rows = [
        {**row, "label": "w1 " * (6 if number < 3 else 1), "rationale": "w2 " * (9 if number < 2 else 2)}
        for number, row in enumerate(ROWS)
    ]  # labels of 7 and rationales of 10 tokens with their end; inputs of 4 to 6 with prefix and end
    cuts = CutReport({key: f"--{key}" for key in ("max_input_length", "max_target_length", "gen_max_len")}, counted=1)
    short = changed(SETTINGS, max_input_length=4, max_steps=1)
    for _ in range(2):
        train_student(student_of("t5"), Splits(rows, [], rows[:4]), short, seed=0, cuts=cuts)
    assert cuts.found == {
        "labels": {"n": 6, "of": 12, "longest": 7},
        "inputs": {"n": 7, "of": 12, "longest": 6},
        "rationales": {"n": 2, "of": 8, "longest": 10},
    }
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert sum("set --gen_max_len to 8 or more" in line for line in said) == 1
    assert sum("set --max_target_length to 10 or more" in line for line in said) == 1
    assert sum("set --max_input_length to 6 or more" in line for line in said) == 1
