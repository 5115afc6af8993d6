"""Step rebuild_task, run in the preprocessing environment: made-up and real upstream rows become k-shot files."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from scripts.common.errors import UserError
from scripts.data import rebuild_task
from scripts.data.schemas import read_examples
from tests.steps.test_prepare_tasks import contents, old_python  # noqa: F401  the fixture

TASKS = yaml.safe_load(Path("config/metaicl.yaml").read_text(encoding="utf-8"))["tasks"]
DRAWS = {"meta_train": {"k": 16384, "seeds": [100]}, "meta_test": {"k": 4, "seeds": [13, 21]}}
# The real files differ from the hub's rows in their columns only, so the entries say which those are.
REAL = {
    "glue-sst2": {**TASKS["glue-sst2"], "header": ["sentence", "label"]},
    "glue-cola": {**TASKS["glue-cola"], "header": ["source", "label", "mark", "sentence"]},
    "ag_news": {
        **TASKS["ag_news"],
        "header": ["class", "title", "description"],
        "input": "{title} {description}",
        "label": "class",
        "names": {"1": "World", "2": "Sports", "3": "Business", "4": "Sci/Tech"},
        "splits": {"train": "test", "test": "test"},
        "cut": {"kind": "split", "train": 0.8, "test": 0.2},
    },
    "banking77": {
        "type": "classification",
        "splits": {"train": "train", "test": "test"},
        "input": "{text}",
        "output": "{category}",
    },
    "t0_cosmos_qa": {
        "type": "free_form",
        "splits": {"train": "train", "test": "train"},
        "cut": {"kind": "split", "train": 0.8, "test": 0.2},
        "input": "{prompt}",
        "output": "{completion}",
    },
}
FILES = {
    "glue-sst2": {"train.tsv": "sst2/train.tsv", "validation.tsv": "sst2/dev.tsv"},
    "glue-cola": {"train.tsv": "cola/in_domain_train.tsv", "validation.tsv": "cola/in_domain_dev.tsv"},
    "ag_news": {"test.csv.gz": "ag_news/test.csv.gz"},
    "banking77": {"train.csv": "banking77/train.csv", "test.csv": "banking77/test.csv"},
    "t0_cosmos_qa": {"train.jsonl": "t0_templates/cosmos_qa_no_prompt_id.jsonl"},
}


def arguments(task, spec, raw, out, draws=None, sampling="total"):
    given = ["--task", task, "--row", json.dumps(spec), "--draws", json.dumps(draws or DRAWS)]
    return [*given, "--sampling", sampling, *(["--raw", str(raw)] if raw else []), "--task-out", str(out)]


@pytest.fixture
def sick(tmp_path):
    """Rows of one task as JSON lines."""
    folder = tmp_path / "raw/sick"
    folder.mkdir(parents=True)
    for split, n_rows in {"train": 30, "validation": 10}.items():
        rows = ({"sentence_A": f"a {n}", "sentence_B": f"b {n}", "label": n % 3} for n in range(n_rows))
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "raw"


def test_made_up_rows(sick, tmp_path):
    rebuild_task.main(arguments("sick", TASKS["sick"], sick, tmp_path / "sick"))
    names = {"sick_16384_100_train", "test", *(f"sick_4_{seed}_{s}" for seed in (13, 21) for s in ("train", "dev"))}
    assert {path.stem for path in (tmp_path / "sick").iterdir()} == names
    whole = read_examples(tmp_path / "sick/sick_16384_100_train.jsonl", "classification")
    assert len(whole) == 30
    order = np.arange(30)
    np.random.RandomState(13).shuffle(order)
    for split, part in (("train", order[:4]), ("dev", order[4:8])):
        rows = read_examples(tmp_path / f"sick/sick_4_13_{split}.jsonl", "classification")
        assert [row["input"] for row in rows] == [f"sentence 1: a {n} [SEP] sentence 2: b {n}" for n in part]
    assert len(read_examples(tmp_path / "sick/test.jsonl", "classification")) == 10


def test_k_of_each_label(sick, tmp_path):
    rebuild_task.main(arguments("sick", TASKS["sick"], sick, tmp_path / "sick", sampling="per_label"))
    outputs = [row["output"] for row in read_examples(tmp_path / "sick/sick_4_13_train.jsonl", "classification")]
    assert {label: outputs.count(label) for label in set(outputs)} == dict.fromkeys(TASKS["sick"]["options"], 4)


@pytest.mark.parametrize("task", sorted(REAL))
def test_real_rows_in_the_old_environment(old_python, shared, tmp_path, task):  # noqa: F811
    """Every example has its options, the labels of the real file come through, SST-2 gives the same bytes twice."""
    for name, source in FILES[task].items():
        path = tmp_path / "raw" / task / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shared / "data" / source, path)
    outs = []
    for number in range(2 if task == "glue-sst2" else 1):
        outs.append(tmp_path / f"out{number}")
        command = [str(old_python), "-m", "scripts.data.rebuild_task"]
        done = subprocess.run(
            [*command, *arguments(task, REAL[task], tmp_path / "raw", outs[-1])],
            capture_output=True,
            text=True,
            env={**os.environ, "HOME": str(tmp_path)},
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert contents(outs[0]) == contents(outs[-1])
    train = read_examples(outs[0] / f"{task}_16384_100_train.jsonl", "classification")
    test = read_examples(outs[0] / "test.jsonl", "classification")
    sizes = {"glue-sst2": (6920, 872), "glue-cola": (8551, 527), "ag_news": (6080, 1520), "banking77": (10003, 3080)}
    assert (len(train), len(test)) == sizes.get(task, (160, 40))
    n_options = {"glue-sst2": 2, "glue-cola": 2, "ag_news": 4, "banking77": 77, "t0_cosmos_qa": 0}[task]
    assert {len(row["options"]) for row in (*train, *test)} == {n_options}
    if n_options:
        assert len({row["output"] for row in train}) == n_options
    for seed in (13, 21):
        assert len(read_examples(outs[0] / f"{task}_4_{seed}_train.jsonl", "classification")) == 4


def test_without_a_network_datasets_says_so(old_python, tmp_path):  # noqa: F811
    command = [str(old_python), "-m", "scripts.data.rebuild_task"]
    dead = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [*command, *arguments("sick", TASKS["sick"], None, tmp_path / "sick")],
        capture_output=True,
        text=True,
        env={**os.environ, **dead, "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 1
    assert "sick:train: datasets 1.4.0 cannot load it" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "sick").exists()


def test_another_environment_is_refused(tmp_path):
    command = [sys.executable, "-m", "scripts.data.rebuild_task"]
    given = arguments("sick", TASKS["sick"], None, tmp_path / "sick")
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "run this step in the environment of envs/preprocess.yaml" in done.stderr.splitlines()[-1]


def test_a_unifiedqa_task(tmp_path):
    folder = tmp_path / "raw/unifiedqa:mctest"
    folder.mkdir(parents=True)
    for split in ("train", "dev"):
        lines = (f"q{n} ? \\n (A) x{n} (B) y{n} \\n tale\ty{n}\n" for n in range(20))
        (folder / f"{split}.tsv").write_text("".join(lines))
    task = "unifiedqa:mctest"
    rebuild_task.main(arguments(task, TASKS[task], tmp_path / "raw", tmp_path / "out"))
    rows = read_examples(tmp_path / f"out/{task}_4_13_train.jsonl", "classification")
    assert [row["options"] for row in rows] == [[f"x{row['output'][1:]}", row["output"]] for row in rows]


@pytest.mark.parametrize(
    ("task", "change", "told"),
    [
        ("sick", {"splits": {"train": "training", "test": "validation"}}, r"sick: no training\.jsonl"),
        ("sick", {"label": "entailment_label"}, r"train\.jsonl: row 1: column 'entailment_label'"),
        ("sick", {"names": ["entailment"]}, r"row 2: column 'label': label 1 is none of 0"),
        ("sick", {"options": ["yes", "no"]}, "no train rows are left"),
        ("sick", {"synthetic": True}, "set mend.tasks.source to synthetic"),
        ("sick", {"dataset": "banking77"}, "set mend.tasks.source to registry"),
        ("unifiedqa:mctest", {}, r"no train\.jsonl"),
    ],
)
def test_faults_are_named(sick, tmp_path, task, change, told):
    with pytest.raises(UserError, match=told):
        rebuild_task.main(arguments(task, {**TASKS[task], **change}, sick, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_too_few_rows_for_the_demonstrations(sick, tmp_path):
    draws = {"meta_test": {"k": 31, "seeds": [13]}}
    with pytest.raises(UserError, match="task 'sick': has 30 rows for 31 shots"):
        rebuild_task.main(arguments("sick", TASKS["sick"], sick, tmp_path / "out", draws))


def test_packed_files_and_missing_archives(sick, tmp_path):
    plain = sick / "sick/train.jsonl"
    with gzip.open(sick / "sick/train.jsonl.gz", "wt") as stream:
        stream.write(plain.read_text())
    plain.unlink()
    rebuild_task.main(arguments("sick", TASKS["sick"], sick, tmp_path / "out"))
    assert (tmp_path / "out/test.jsonl").is_file()
    with pytest.raises(UserError, match="needs UnifiedQA's archive"):
        rebuild_task.main(arguments("unifiedqa:drop", TASKS["unifiedqa:drop"], None, tmp_path / "out"))
    with pytest.raises(UserError, match="datasets 1.4.0 does not have it"):
        rebuild_task.main(arguments("proto_qa", TASKS["proto_qa"], None, tmp_path / "out"))
