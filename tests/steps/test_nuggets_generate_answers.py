"""The answering step: formats, dialogues, likelihoods, seeds, and models that were not trained."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from scripts.common.files import read_json, read_jsonl, write_json, write_jsonl
from scripts.common.metrics import read_metrics
from scripts.lm.generate import generate
from scripts.lm.prompts import Prompt
from scripts.nuggets.generate_answers import (
    AnswerSettings,
    Question,
    answer_all,
    answer_dialogues,
    likelihood_rows,
    main,
    reference_likelihood,
    shorten,
    single_questions,
    turn_questions,
)
from tests.unit.nuggets_eval import ANSWER, DIALOGUES, SINGLES, flags, model_flags, write_benchmarks
from tests.unit.nuggets_tiny import PROMPT, save, tiny

SETTINGS = AnswerSettings(**ANSWER)
RUN = "kmeans_4/top"
TEMPLATE = Prompt.from_config(PROMPT)


def plain_loglik(loaded, query: str, answer: str) -> tuple[float, int]:
    """Return (log-likelihood, tokens) of an answer by one plain forward pass."""
    ids, n_query = loaded.tokenizer(query + answer)["input_ids"], len(loaded.tokenizer(query)["input_ids"])
    with torch.inference_mode():
        table = torch.log_softmax(loaded.model(torch.tensor([ids])).logits[0].double(), dim=-1)
    return sum(float(table[p - 1, ids[p]]) for p in range(n_query, len(ids))), len(ids) - n_query


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("answers")
    write_benchmarks(made)
    save(tiny(bos=False), made / "model")
    other = tiny(bos=False)
    state = {name: weight.clone() for name, weight in other.model.state_dict().items()}
    with torch.no_grad():
        for weight in other.model.parameters():
            weight.mul_(1.3)
    save(other, made / "models" / RUN / "seed_1")
    other.model.load_state_dict(state)
    save(other, made / "models" / RUN / "seed_0")
    write_json(
        made / "models" / RUN / "status.json",
        {"status": "done", "reason": "", "method": "top", "n_examples": {"0": 3, "1": 3}},
    )
    return made


def run(folder: Path, out: Path, benchmark: str = "alpaca_eval", **changes) -> Path:
    given = {
        **model_flags(folder / "model"),
        "models": folder / "models",
        "runs": RUN,
        "seeds": [0, 1],
        "model-name": "tiny",
        "benchmark": benchmark,
        "examples": folder / f"{benchmark}.jsonl",
        "turn-separator": "\n",
        "settings": ANSWER,
        "answers-out": out,
        "measured-out": out.with_name(f"{out.name}.csv"),
    }
    main(flags({**given, **changes}))
    return out / RUN


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def likelihoods(out: Path) -> dict[tuple[str, str, str], tuple[float, int]]:
    """Return {(method, group, seed): (nats per token, tokens)} of the job that wrote to `out`."""
    rows = read_metrics(out.with_name(f"{out.name}.csv"))
    assert {row["metric"] for row in rows} <= {"reference_loglik_nats_per_token"}
    return {(r["method"], r["setting"], r["seed"]): (float(r["value"]), int(r["n"])) for r in rows}


def test_formats_and_seeds(folder, tmp_path):
    out = run(folder, tmp_path / "out")
    rows = read_json(out / "alpaca_eval" / "seed_0.json")
    assert [row["dataset"] for row in rows] == ["koala", "koala", "vicuna", "vicuna"]
    assert rows[1]["instruction"] == "w2\n\nw5"
    assert set(rows[0]) == {"instruction", "output", "generator", "dataset", "datasplit"}
    assert sorted(path.name for path in out.iterdir()) == [
        "alpaca_eval",
        "status.json",
    ]  # the other benchmark is not asked
    asked = run(folder, tmp_path / "dialogues", "mt_bench")
    dialogue = read_jsonl(asked / "mt_bench" / "seed_0.jsonl")[0]
    assert dialogue["question_id"] == 81
    assert len(dialogue["choices"][0]["turns"]) == 2
    assert (dialogue["model_id"], dialogue["tstamp"]) == ("top", 0.0)
    assert read_json(out / "alpaca_eval" / "seed_1.json") != rows  # the other seed has other weights
    assert read_json(out / "status.json")["n_examples"] == {"0": 3, "1": 3}
    found = likelihoods(tmp_path / "dialogues")
    assert {group for _, group, _ in found} == {"math", "writing", "overall"}
    assert found["top", "overall", "0"][1] == sum(found["top", group, "0"][1] for group in ("math", "writing"))
    assert {row["experiment"] for row in read_metrics(tmp_path / "dialogues.csv")} == {"mt_bench/kmeans_4"}


def test_the_model_itself_answers_as_seed_0_does(folder, tmp_path):
    # seed_0 of the folder has the base model's weights.
    base = run(folder, tmp_path / "base", models=None, untrained=RUN)  # one seed, whatever is asked for
    tuned = run(folder, tmp_path / "tuned", seeds=[0])
    found = everything(tuned)
    found.pop("status.json")
    assert {name: everything(base)[name] for name in found} == found


def test_runs_answer_alike_alone_and_together(folder, tmp_path):
    alone = everything(run(folder, tmp_path / "alone"))
    both = run(folder, tmp_path / "both", runs=["unscored/base", RUN], untrained="unscored/base")
    assert everything(both) == alone
    assert [path.name for path in (tmp_path / "both" / "unscored" / "base" / "alpaca_eval").iterdir()] == [
        "seed_0.json"
    ]
    together, single = likelihoods(tmp_path / "both"), likelihoods(tmp_path / "alone")
    assert {key: value for key, value in together.items() if key[0] == "top"} == single


def test_same_bytes_with_another_batch_size(folder, tmp_path):
    first = everything(run(folder, tmp_path / "a"))
    other = {**ANSWER, "batch_size": 1, "batch_tokens": 32}
    second = everything(run(folder, tmp_path / "b", settings=other))
    assert first == second
    numbers = [[value for value, _ in likelihoods(tmp_path / name).values()] for name in ("a", "b")]
    np.testing.assert_allclose(*numbers, atol=1e-5)


def test_a_subset_that_was_not_trained_has_no_answers(folder, tmp_path):
    status = {"status": "not_run", "reason": "no example scores above 0.9", "method": "gt_0.9", "n_examples": {"0": 0}}
    write_json(tmp_path / "models" / RUN / "status.json", status)
    out = run(folder, tmp_path / "out", models=tmp_path / "models")
    assert read_json(out / "status.json") == status
    assert read_json(out / "alpaca_eval" / "seed_0.json") == []
    assert likelihoods(tmp_path / "out") == {}
    dialogues = run(folder, tmp_path / "dialogues", "mt_bench", models=tmp_path / "models")
    assert read_jsonl(dialogues / "mt_bench" / "seed_1.jsonl") == []


def test_second_turns_are_asked_after_the_models_own_first_answer():
    loaded = tiny(bos=False)
    answers = answer_dialogues(loaded, DIALOGUES, TEMPLATE, "\n", SETTINGS, 0)
    for dialogue, turns in zip(DIALOGUES, answers):
        first = f"Instruction:\n{dialogue['turns'][0]}\nResponse:\n"
        second = f"{first}{turns[0]}\nInstruction:\n{dialogue['turns'][1]}\nResponse:\n"
        for text, turn in ((first, turns[0]), (second, turns[1])):
            plain = generate(loaded, [text], max_new_tokens=6, batch_size=1, stop=("\n",))
            assert turn == plain[0].strip()


def test_prompts_near_the_end_of_the_window_get_shorter_answers():
    loaded = tiny(bos=False)  # a window of 128 tokens
    long = " ".join(["w1"] * 125)
    settings = AnswerSettings(**{**ANSWER, "stop": []})
    together = answer_all(loaded, ["w1 w2", long], settings, 0)
    assert len(together[1].split()) <= 3
    assert together == [answer_all(loaded, [text], settings, 0)[0] for text in ("w1 w2", long)]
    with pytest.raises(UserError, match="prompt 1: fills the model's window of 128"):
        answer_all(loaded, [long, " ".join(["w1"] * 128)], settings, 0)


def test_an_earlier_answer_is_cut_where_it_would_fill_the_window():
    loaded = tiny(bos=False)
    assert shorten(loaded, "w1 w2 w3", 3) == "w1 w2 w3"
    assert shorten(loaded, "w1 w2 w3", 2).split() == ["w1", "w2"]
    settings = AnswerSettings(**{**ANSWER, "max_new_tokens": 120, "stop": []})
    answers = answer_dialogues(loaded, DIALOGUES, TEMPLATE, "\n", settings, 0)
    assert all(len(turns) == 2 for turns in answers)


def test_reference_likelihood_equals_a_plain_pass():
    loaded = tiny(bos=False)
    turns = turn_questions(DIALOGUES, TEMPLATE, "\n")
    assert [question.group for question in turns] == ["writing", "writing", "math"]
    assert turns[1].query == "Instruction:\nw1\nResponse:\nw3\nInstruction:\nw2\nResponse:\n"
    for asked in (single_questions(SINGLES, TEMPLATE), turns):
        scored = reference_likelihood(loaded, asked, 64)
        plain = [plain_loglik(loaded, question.query, question.answer) for question in asked]
        assert [n for _, _, n in scored] == [n for _, n in plain]
        np.testing.assert_allclose([s for _, s, _ in scored], [s for s, _ in plain], atol=1e-4)


def test_references_beyond_the_window_are_left_out():
    loaded = tiny(bos=False)
    questions = [Question("a", " ".join(["w1"] * 126), "w2 w3 w4"), Question("b", " ".join(["w1"] * 130), "w2")]
    assert [(group, n) for group, _, n in reference_likelihood(loaded, questions, 64)] == [("a", 2)]
    assert reference_likelihood(loaded, questions[1:], 64) == []


def test_every_token_weighs_the_same():
    about = ("alpaca_eval", RUN, "tiny")
    rows = likelihood_rows(*about, 3, [("a", -1.0, 1), ("a", -8.0, 2), ("b", -1.0, 1)])
    values = {row["setting"]: (float(row["value"]), row["n"]) for row in rows}
    assert values == {"a": (-3.0, 3), "b": (-1.0, 1), "all": (-2.5, 4)}
    assert {(row["experiment"], row["method"], row["seed"]) for row in rows} == {("alpaca_eval/kmeans_4", "top", 3)}
    assert likelihood_rows(*about, 0, []) == []


def test_adapters_are_put_over_the_base_model(folder, tmp_path):
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(
        copy.deepcopy(tiny(bos=False).model), LoraConfig(r=2, target_modules="all-linear", init_lora_weights=True)
    )
    adapted.save_pretrained(str(tmp_path / "models" / RUN / "seed_0"))
    status = {"status": "done", "reason": "", "method": "top", "n_examples": {}}
    write_json(tmp_path / "models" / RUN / "status.json", status)
    out = run(folder, tmp_path / "out", models=tmp_path / "models", seeds=[0])  # fresh adapters change nothing
    base = run(folder, tmp_path / "base", models=None, untrained=RUN)
    assert read_json(out / "alpaca_eval" / "seed_0.json") == read_json(base / "alpaca_eval" / "seed_0.json")


def test_faults_are_named(folder, tmp_path):
    with pytest.raises(UserError, match="seed_9: no such folder; train this seed first"):
        run(folder, tmp_path / "out", seeds=[9])
    with pytest.raises(UserError, match="--models: 'kmeans_4/top' is a trained run; give the folder of its models"):
        run(folder, tmp_path / "out", models=None)
    with pytest.raises(UserError, match="--runs: 'top' is not of the form anchor_set/method"):
        run(folder, tmp_path / "out", runs="top")
    write_jsonl(tmp_path / "broken.jsonl", [{"id": "1"}])
    with pytest.raises(UserError, match=r"broken.jsonl:1: field 'group' is missing"):
        run(folder, tmp_path / "out", examples=tmp_path / "broken.jsonl")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))
