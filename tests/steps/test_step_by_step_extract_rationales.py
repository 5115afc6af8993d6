"""Step extract_rationales: a local model and an OpenAI-compatible endpoint, cached, with the parse rate."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_json
from scripts.common.step_parser import checked, shipped_config
from scripts.data.schemas import write_examples
from scripts.step_by_step import extract_rationales, prepare_examples
from scripts.step_by_step.own_data import OwnData
from scripts.step_by_step.settings_rows import PrepareSettings
from tests.endpoint import bad, good, running

GOLD = [{"question": f"Is {word} a fruit?", "choices": ["yes", "no"], "answer": answer}
        for word, answer in [("plum", "yes"), ("nail", "no"), ("pear", "yes"), ("brick", "no")]]  # fmt: skip


def test_an_endpoint_that_gives_no_text_refuses_the_limit_and_goes_on_behind_its_stop(questions, repo_root, caplog):
    """One answer is null, the limit has another name, and stop is left out: all rows are answered, none paid twice."""
    with running() as server:
        refused = "max_tokens is not supported with this model, use max_completion_tokens"
        server.script = [
            bad(400, refused, code="unsupported_parameter", param="max_tokens"),
            good("Plums grow. So the answer is (a) yes.\n\nQ: What is next?"),
            good(None, "length"),
            good("So the answer is (a) yes."),
            good("So the answer is (b) no."),
        ]
        endpoint = {"base_url": server.base_url, "model": "r1", "parallel": 1, "parameters": {"stop": None}}
        for _ in range(2):
            caplog.clear()
            answers, report = extract(questions, repo_root, backend="openai", endpoint=endpoint)
            assert answers[:2] == ["Plums grow. So the answer is (a) yes.", ""]
            assert (report["n"], report["n_read"], report["n_correct"]) == (4, 3, 3)
            assert "1 of 4 answers of r1 hold no text and count as unreadable" in caplog.text
            assert "raise max_new_tokens (now 8)" in caplog.text
        assert len(server.seen) == 5
        assert all("stop" not in body for body in server.seen)


def prepared(dataset: str, form: str, teacher: str, split: str, **changes: str) -> PrepareSettings:
    """Return the settings of a data set's rows whose answers are read as they were meant."""
    told = {"dataset": dataset, "format": form, "teacher": teacher, "split": split, "parser": "strict"}
    return checked(PrepareSettings, {**PrepareSettings.of(shipped_config()), **told, **changes})


@pytest.fixture
def questions(tmp_path):
    """Prepared rows without a teacher, and the gold file they come from."""
    gold = tmp_path / "gold.json"
    gold.write_text("".join(json.dumps(row) + "\n" for row in GOLD), encoding="utf-8")
    settings = prepared("fruit", "cqa", "none", "test")
    write_examples(tmp_path / "rows.jsonl", prepare_examples.prepare([gold], [], settings)[0], "distillation")
    return tmp_path / "rows.jsonl"


def extract(questions, repo_root, prompt="cqa", **settings):
    folder = questions.parent
    values = {"format": "cqa", "backend": "local", "max_new_tokens": 8, "n_exemplars": 2, **settings}
    extract_rationales.main(
        [
            *("--questions", str(questions), "--prompt", str(repo_root / f"config/prompts/step_by_step/{prompt}.yaml")),
            *("--settings", json.dumps(values), "--cache", str(folder / "cache")),
            *("--answers-out", str(folder / "answers.json"), "--report-out", str(folder / "report.json")),
        ]
    )
    return read_json(folder / "answers.json"), read_json(folder / "report.json")


def test_a_real_local_model_answers_once(questions, repo_root, monkeypatch):
    model = {"model": str(repo_root / "resources/mini/causal"), "dtype": "float32", "device": "cpu"}
    answers, report = extract(questions, repo_root, **model)
    assert len(answers) == report["n"] == 4
    assert not any("\nQ:" in answer or "\n\n" in answer for answer in answers)
    assert report["n_read"] == 4 - sum(report["faults"].values())
    assert extract(questions, repo_root, **model, batch_size=1)[0] == answers

    def no_more(*args, **kwargs):
        raise AssertionError("the answers are in the cache")

    monkeypatch.setattr("scripts.lm.load.load_model", no_more)
    assert extract(questions, repo_root, **model) == (answers, report)
    with pytest.raises(AssertionError, match="in the cache"):
        extract(questions, repo_root, **model | {"n_exemplars": 1})
    (kept,) = (questions.parent / "cache").rglob("*.json")
    kept.write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=f"{kept}: not cached answers; remove the file"):
        extract(questions, repo_root, **model)


def test_every_part_of_the_questions_draws_for_itself(questions, repo_root, monkeypatch):
    monkeypatch.setattr(extract_rationales, "KEPT_TOGETHER", 1)
    rows = [json.loads(line) for line in questions.read_text(encoding="utf-8").splitlines()]
    write_examples(questions, [{**rows[0], "id": str(number)} for number in range(3)], "distillation")
    model = {"model": str(repo_root / "resources/mini/causal"), "dtype": "float32", "device": "cpu"}
    answers, _ = extract(questions, repo_root, **model, temperature=2.0)
    assert len(set(answers)) == 3, "the same question, drawn anew each time"
    assert extract(questions, repo_root, **model, temperature=2.0)[0] == answers


class Teacher(ThreadingHTTPServer):
    """An endpoint that knows its fruit, but answers one question in no form at all."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), TeacherHandler)
        self.seen: list[dict] = []


class TeacherHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(body)
        question = body["messages"][-1]["content"].rpartition("Q: ")[2]
        if "Input: " in question:
            question = body["messages"][-1]["content"].rpartition("Input: ")[2]
        text = "It grows on trees. So the answer is (a) yes.\n\nQ: Is"
        if "brick" in question:
            text = "I would rather not say."
        elif "metformin" in question:
            text = " A drug. So the answer is MedicationRequest?code=6809."
        elif "nail" in question:
            text = "It is made of iron. So the answer is (b) no."
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args) -> None:
        """Say nothing."""


@pytest.fixture
def teacher():
    server = Teacher()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_an_endpoint_is_asked_once_and_its_answers_are_prepared(questions, repo_root, teacher):
    endpoint = {"base_url": f"http://127.0.0.1:{teacher.server_port}/v1", "model": "m", "parallel": 1}
    options = {"backend": "openai", "endpoint": endpoint, "max_new_tokens": 60}
    answers, report = extract(questions, repo_root, **options)
    assert report == {
        "n": 4, "n_read": 3, "parse_rate": 0.75, "n_correct": 3, "accuracy": 0.75,
        "faults": {"marker_twice": 0, "no_label": 0, "no_marker": 1},
    }  # fmt: skip
    assert (teacher.seen[0]["max_tokens"], teacher.seen[0]["stop"]) == (60, ["\n\n", "\nQ:"])
    assert teacher.seen[0]["messages"][0]["role"] == "system"
    assert teacher.seen[0]["messages"][1]["content"].endswith("(a) yes\n(b) no\nA:")
    assert teacher.seen[0]["messages"][1]["content"].count("So the answer is") == 2
    assert extract(questions, repo_root, **options) == (answers, report)
    assert len(teacher.seen) == 4

    settings = prepared("fruit", "cqa", "gpt", "test")
    folder = questions.parent
    rows, counts = prepare_examples.prepare([folder / "gold.json"], [folder / "answers.json"], settings)
    assert [row["llm_label"] for row in rows] == ["yes", "no", "yes", ""]
    assert rows[1]["rationale"] == "It is made of iron."
    assert counts["answers"]["accuracy"] == 0.75


def test_own_rows_get_reasons_and_train_a_student(repo_root, teacher, tmp_path):
    """The README's way from rows without rationales to rows that distillm reads."""
    own = repo_root / "resources/examples/healthcare/healthcare_train.json"
    settings = prepared("mine", "generic", "none", "train")
    write_examples(tmp_path / "rows.jsonl", prepare_examples.prepare([own], [], settings)[0], "distillation")
    endpoint = {"base_url": f"http://127.0.0.1:{teacher.server_port}/v1", "model": "m", "parallel": 1}
    options = {"format": "generic", "backend": "openai", "endpoint": endpoint, "n_exemplars": 4, "prompt": "generic"}
    answers, _ = extract(tmp_path / "rows.jsonl", repo_root, **options)
    settings = prepared("mine", "generic", "gpt", "train", unparsed="drop")
    rows, report = prepare_examples.prepare([own], [tmp_path / "answers.json"], settings)
    told = [row for row in rows if "metformin" in row["input"]]
    assert len(told) == 3
    assert all(row["rationale"] == "A drug." and row["llm_label"] == row["label"] for row in told)
    assert report["answers"]["n_correct"] == 3
    (tmp_path / "mine").mkdir()
    for split in ("train", "test"):
        write_examples(tmp_path / f"mine/generic_{split}.jsonl", rows, "distillation")
    splits = OwnData(tmp_path / "mine", "generic", "generic", "strict").splits(fraction=1, run=0, with_rationales=True)
    assert len(splits.train) + len(splits.valid) == 24
    assert {row["llm_label"] for row in splits.test} == {"MedicationRequest?code=6809", "(a) yes"}
    assert len(teacher.seen) == len(answers) == 24


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"backend": "cloud"}, "--settings.backend: 'cloud' is not allowed; choose one of openai, local"),
        ({"model": ""}, "--settings.model: no name given; the local backend needs a folder or hub id"),
        ({"backend": "openai"}, "--settings.endpoint: is empty"),
        (
            {"backend": "openai", "endpoint": {"url": "x"}},
            "--settings.endpoint.base_url: is missing; add it",
        ),
        ({"backend": "openai", "endpoint": {"model": "m"}}, "--settings.endpoint.base_url: is missing; add it"),
        ({"max_new_tokens": 0, "model": "m"}, "--settings.max_new_tokens: 0 is below the minimum 1"),
        ({"limit": 0, "model": "m"}, "--settings.limit: 0 is below the minimum 1"),
        ({"format": "svamp", "model": "m"}, "formats has no 'svamp', only cqa"),
        ({"model": "/no/such/folder"}, "model /no/such/folder: no such folder"),
    ],
)
def test_faults(questions, repo_root, changes, told):
    with pytest.raises(UserError, match=told):
        extract(questions, repo_root, **changes)


def test_only_the_first_rows(questions, repo_root):
    model = {"model": str(repo_root / "resources/mini/causal"), "dtype": "float32", "device": "cpu"}
    assert len(extract(questions, repo_root, **model, limit=2)[0]) == 2
