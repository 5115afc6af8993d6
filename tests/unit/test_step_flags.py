"""Steps name the flag whose JSON or pair is broken, and end in a line, not in a traceback."""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.common.step_parser import read_settings
from scripts.data import rebuild_task, split_prepared_tasks
from scripts.ddg.train_learners import read_pairs
from scripts.head_to_head.comparison import Comparison
from scripts.mend.demonstrations import parse_format, parse_formats
from scripts.mend.evaluate_methods import parse_arms
from scripts.mend.settings_train import DistillSettings, Finetune
from scripts.mend.train_distiller import parse_variants
from scripts.report.plot_overview import parse_claims
from scripts.step_by_step.train_models import read_students

SHARED = read_settings(DistillSettings, Finetune.of, None)
REBUILD = ["--task", "x", "--sampling", "total", "--task-out", "x"]
FAULTS = [
    (lambda: read_students("[3]"), "--students[0]: expected keys and values, found int"),
    (lambda: read_students('[{"x": 1}]'), "--students[0]: unknown key 'x'"),
    (lambda: parse_format("["), "--format: broken JSON"),
    (lambda: parse_formats('{"default": {"metod": 1}}'), "--formats: default: unknown key 'metod'"),
    (lambda: parse_formats("[1]"), "--formats: expected a JSON object, found list"),
    (lambda: parse_arms('[{"metod": 1}]', {}), "--arms[0]: unknown key 'metod'"),
    (lambda: parse_variants(SHARED, '{"a": 3}'), "--variants: variant 'a' has no key 'start'"),
    (lambda: parse_variants(SHARED, '{"a": {"start": "b", "lambda": 1}}'), "--variants.a.lambda: unknown key"),
    (lambda: parse_claims("{"), "--claims: broken JSON"),
    (lambda: parse_claims('{"mend": {"modle": 1}}'), "--claims: mend: unknown key 'modle'"),
    (lambda: read_pairs(["a=x", "a=y"]), "--sets a=y: expected METHOD=FOLDER, each name once"),
    (lambda: read_pairs(["full=x"]), "--sets full=x: 'full' means all rows"),
    (lambda: rebuild_task.main([*REBUILD, "--row", "{", "--draws", "{}"]), "--row: broken JSON"),
    (lambda: rebuild_task.main([*REBUILD, "--row", "{}", "--draws", "[]"]), "--draws: expected a JSON object"),
    (
        lambda: split_prepared_tasks.main(["--rows", "x.jsonl", "--draws", "{", "--tasks-out", "x"]),
        "--draws: broken JSON",
    ),
    (lambda: Comparison({"modle": 1}, {}).choices, "--settings: selection: unknown key 'modle'"),
    (lambda: Comparison({}, {"modle": 1}).shown, "--settings: demonstrations: unknown key 'modle'"),
]


@pytest.mark.parametrize("call, line", FAULTS, ids=[line for _, line in FAULTS])
def test_a_fault_names_its_flag(call, line):
    with pytest.raises(UserError) as error:
        call()
    assert str(error.value).startswith(line)
