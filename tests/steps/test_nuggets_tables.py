"""The table steps: files in all three formats from the collected metrics, whole or with reasons."""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.common.files import read_csv, write_jsonl
from scripts.common.metrics import reason_row, write_metrics
from scripts.common.tables import read_markdown_table
from scripts.nuggets import tabulate_artifact, tabulate_cases
from scripts.nuggets.benchmarks import UNSCORED
from tests.unit.nuggets_eval import flags, plan, value, write_published

WIN = "alpaca_eval_win_rate_percent"


def outputs(folder, name):
    return {f"{kind}-out": folder / f"{name}.{kind}" for kind in ("csv", "md", "tex")}


@pytest.fixture
def folder(tmp_path, repo_root):
    rows = [reason_row("nuggets", "alpaca_eval/kmeans_4", "no example scores above 0.9", model="tiny", method="gt_0.9")]
    for seed in (0, 1):
        rows.append(value(f"alpaca_eval/{UNSCORED}", "all", "full", seed, WIN, 25.0 + seed))
        rows.append(value("alpaca_eval/kmeans_4", "all", "gt_0.5", seed, WIN, 35.0 + seed))
    write_metrics(tmp_path / "measured.csv", rows)
    return tmp_path


def run(folder, repo_root, artifact, **changes):
    given = {
        "artifact": artifact,
        "measured": folder / "measured.csv",
        "published": repo_root / "config" / "published" / "nuggets.csv",
        "settings": plan().settings(artifact),
        "tier": "mini",
        **outputs(folder, artifact),
    }
    tabulate_artifact.main(flags({**given, **changes}))


@pytest.mark.parametrize("artifact", sorted(tabulate_artifact.BUILDERS))
def test_every_table_is_written_even_where_much_is_missing(folder, repo_root, artifact):
    run(folder, repo_root, artifact)
    table = read_markdown_table(folder / f"{artifact}.md")
    assert table.rows
    assert "Mini tier" in table.notes[-1]
    assert len(read_csv(folder / f"{artifact}.csv")) == len(table.rows)
    assert r"\toprule" in (folder / f"{artifact}.tex").read_text()


def test_table_1_reads_as_it_should(folder, repo_root):
    run(folder, repo_root, "table_1")
    table = read_markdown_table(folder / "table_1.md")
    rows = {row[0]: dict(zip(table.header, row)) for row in table.rows}
    assert rows["full data"]["all"] == "25.50 ± 0.71"
    assert rows["full data"]["all, published"] == "25.43"
    assert rows["score > 0.9"]["all"].startswith("—")
    assert any(note.endswith("No example scores above 0.9.") for note in table.notes)
    record = {row["subset"]: row for row in read_csv(folder / "table_1.csv")}
    assert record["score > 0.5"]["all_mean"] == "35.5"
    assert record["score > 0.5"]["all_n"] == "2"
    assert record["score > 0.5"]["all_published"] == "26.06"
    assert "No example scores above 0.9." in record["score > 0.9"]["note"]


def test_other_tiers_are_not_stamped_and_bytes_repeat(folder, repo_root):
    run(folder, repo_root, "table_3", tier="paper")
    first = [(folder / f"table_3.{kind}").read_bytes() for kind in ("csv", "md", "tex")]
    assert b"Mini tier" not in first[1]
    run(folder, repo_root, "table_3", tier="paper")
    assert first == [(folder / f"table_3.{kind}").read_bytes() for kind in ("csv", "md", "tex")]


def test_unknown_settings_are_named(folder, repo_root):
    with pytest.raises(UserError, match="unknown key 'table_l'"):
        run(folder, repo_root, "table_1", settings={**plan().settings("table_1"), "table_l": {}})


def pool(n=6):
    return [
        {
            "id": f"p{i}",
            "instruction": f"do {i} | *it*",
            "input": "",
            "output": "$x_1$\nline" if i else "",
            "score": 1 - i / 5,
        }
        for i in range(n)
    ]


def cases(folder, n=2, **changes):
    given = {
        "artifact": "table_cases",
        "sorted-pool": folder / "sorted.jsonl",
        "published": write_published(folder / "published.csv"),
        "settings": plan(table_cases={"n": n}).settings("table_cases"),
        "tier": "mini",
        **outputs(folder, "cases"),
    }
    tabulate_cases.main(flags({**given, **changes}))
    return read_csv(folder / "cases.csv")


def test_cases(tmp_path):
    write_jsonl(tmp_path / "sorted.jsonl", pool())
    rows = cases(tmp_path)
    assert [(row["side"], row["rank"], row["id"]) for row in rows] == [
        ("highest", "1", "p0"),
        ("highest", "2", "p1"),
        ("lowest", "5", "p4"),
        ("lowest", "6", "p5"),
    ]
    assert "quality" not in rows[0]
    assert rows[1]["output"] == "$x_1$\nline"
    assert read_markdown_table(tmp_path / "cases.md").rows[1][-1] == "$x_1$\nline"


def test_cases_name_the_known_quality(tmp_path):
    write_jsonl(tmp_path / "sorted.jsonl", pool())
    truth = [{"id": f"p{i}", "good": i < 3, "family": "copy", "fault": "" if i < 3 else "off_topic"} for i in range(6)]
    write_jsonl(tmp_path / "truth.jsonl", truth)
    assert [row["quality"] for row in cases(tmp_path, truth=tmp_path / "truth.jsonl")] == [
        "good",
        "good",
        "off topic",
        "off topic",
    ]


def test_no_cases_is_an_error(tmp_path):
    write_jsonl(tmp_path / "sorted.jsonl", pool())
    with pytest.raises(UserError, match="nuggets.table_cases.n: 0 is below 1"):
        cases(tmp_path, n=0)
