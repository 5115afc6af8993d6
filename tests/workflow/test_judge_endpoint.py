"""A judge endpoint that is down, silent, talks nonsense or breaks off, asked through the rule; its key stays secret."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts.common.files import read_csv
from tests.endpoint import SILENCE, Faulty, bad, good, running
from tests.long import LONG
from tests.unit.nuggets_eval import DIALOGUES, write_answers, write_benchmarks
from tests.workspace import Workspace

pytestmark = LONG  # seven runs; tests/unit/test_judging_endpoint.py asks such endpoints without the workflow

KEY = "sk-very-secret-0123456789"
PLACE = "mini_pool/mini_causal"
TARGET = f"results/judged/nuggets/measured/judged/mt_bench/{PLACE}/runs_0.csv"
QUESTIONS = 2 * sum(len(row["turns"]) for row in DIALOGUES)  # of two models


def make(folder: Path) -> Workspace:
    """Return a workspace in which two models have answered, so that only the judging is left to do."""
    workspace = Workspace(folder)
    examples = folder / "results/judged/data/examples/mini_mt_bench/test.jsonl"
    examples.parent.mkdir(parents=True)
    write_benchmarks(folder)[1].rename(examples)
    for method, word in (("base", "w1"), ("full", "w2")):
        answers = folder / f"results/judged/nuggets/answers/{PLACE}/mt_bench/runs_0/unscored" / method
        write_answers(answers, method, {0: ["w9"] * 4}, {0: [[word] * len(row["turns"]) for row in DIALOGUES]})
    return workspace


def judge(workspace: Workspace, base_url: str) -> tuple[int, str]:
    """Run the rule against an endpoint; return the exit status and all that was said."""
    settings = {
        "tier": "judged",
        "nuggets": {
            "seeds": [0],
            "table_2": {"methods": ["base", "full"]},
            "table_baselines": {"methods": ["base", "full"]},
            "judge": {
                "backend": "openai",
                "model": "judge",
                "base_url": base_url,
                "key_variable": "THRIFT_JUDGE_KEY",
                "max_new_tokens": 5,
                "cache": "cache",
                "timeout_s": 1,
                "attempts": 2,
                "price_in": 1000.0,
            },
        },
    }
    (workspace.folder / "judge.yaml").write_text(json.dumps(settings), encoding="utf-8")
    done = workspace.run(TARGET, configfiles=("judge.yaml",), options=("--allowed-rules", "nuggets_judge_answers"))
    return done.returncode, done.stdout + done.stderr


def assert_refused(workspace: Workspace, base_url: str, message: str) -> None:
    """Assert that the run fails with one line that says why, and leaves no judgements."""
    status, told = judge(workspace, base_url)
    assert status != 0
    assert [line for line in told.splitlines() if line.strip().startswith("error: ") and message in line], told[-3000:]
    assert "Traceback" not in told
    assert not (workspace.folder / TARGET).exists()
    assert KEY not in told


def assert_secret(workspace: Workspace) -> None:
    """Assert that no file anywhere in the workspace holds the key."""
    files = [path for path in workspace.folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_an_endpoint_with_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make(tmp_path)
    with running() as server:
        server.script = [good()]
        assert_refused(workspace, server.base_url, "key_variable: the environment has no THRIFT_JUDGE_KEY")
        monkeypatch.setenv("THRIFT_JUDGE_KEY", KEY)
        gone = Faulty()
        gone.server_close()  # nobody listens there now
        assert_refused(workspace, gone.base_url, "no connection; check base_url and that the server runs")
        for answer, message in (
            (SILENCE, "no answer within 1 s; raise timeout_s or check the endpoint"),
            ((200, {}, b"<html>Welcome</html>"), "its answer is not that of an OpenAI-compatible server"),
            (bad(401, f"key {KEY} is wrong"), "it refused the key in $THRIFT_JUDGE_KEY (401); check the key"),
        ):
            server.script = [answer]
            assert_refused(workspace, server.base_url, message)

        server.script = [good("Rating: [[8]]"), good("I would rather not say."), bad(500, f"key {KEY} broke")]
        assert_refused(workspace, server.base_url, "it failed (500); try again later: key *** broke")
        server.seen.clear()
        server.script = [good("Rating: [[8]]")]
        status, told = judge(workspace, server.base_url)
        assert status == 0, told[-3000:]
        assert len(server.seen) == QUESTIONS - 2  # the two answers from before were kept
        assert server.keys[-1] == f"Bearer {KEY}"
    logs = [path.read_text(encoding="utf-8") for path in workspace.folder.rglob("*.log")]
    assert any(re.search(r"to write, about [0-9.]+ at most", log) for log in logs), "the cost is said beforehand"
    rows = read_csv(tmp_path / TARGET)
    grades = [row for row in rows if row["metric"] == "mt_bench_score_1_to_10"]
    judged = [int(row["n"]) for row in grades if row["setting"] == "overall"]
    assert sum(judged) == QUESTIONS - 1  # the answer without a grade is counted out
    assert {float(row["value"]) for row in grades} == {8.0}
    assert_secret(workspace)
