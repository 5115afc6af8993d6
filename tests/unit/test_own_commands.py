"""The commands that need no run: check, reproduce, what names a model, what is told of a run that fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from scripts.common.errors import UserError
from scripts.own import check
from scripts.own.checking import Facts
from scripts.own.cli import COMMANDS, main
from scripts.own.models import find_model
from scripts.own.reproducing import command, menu
from scripts.own.reproducing import parser as reproduce_parser
from scripts.own.run_folder import RunFolder
from tests.unit.own_rows import rows, write_pool, write_sharegpt
from tests.workspace import REPO_ROOT, rule_names

CAUSAL = REPO_ROOT / "resources/mini/causal"


def test_facts_of_a_file(tmp_path: Path) -> None:
    once = {"instruction": "Say a.", "input": "", "output": "aa"}
    told = [once, once, {**once, "output": "b"}, {**once, "output": " "}, {**once, "instruction": "Say more."}]
    (tmp_path / "pool.json").write_text(json.dumps(told), encoding="utf-8")
    assert check(tmp_path / "pool.json") == Facts("Alpaca", 5, 1, 1, 1, 6, 9, 2, 2)


def test_what_is_cut_and_what_is_shared_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = [{"instruction": "copy the words", "output": "one " * 3000}]
    (tmp_path / "pool.json").write_text(json.dumps([*rows(3), *long]), encoding="utf-8")
    goal = write_pool(tmp_path, 2, "goal.json")
    main(["check", str(tmp_path / "pool.json"), "--goal", str(goal), "--model", str(CAUSAL)])
    said = capsys.readouterr().out
    assert "1 rows are longer than its window of 2,048 and would be cut" in said
    assert "2 of its questions stand in the pool too" in said
    assert "  nuggets       --model reads 2 + 1 texts a row" in said


def test_the_last_answer_of_a_conversation_may_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talks = write_sharegpt(tmp_path)
    main(["check", str(talks), "--turns", "last"])
    assert "  answers: 8 characters in the median, 8 the longest" in capsys.readouterr().out  # Welcome.


def test_the_menu_has_every_table_and_figure_with_minutes() -> None:
    known = menu()
    assert set(known) == {name for name in rule_names() if "_table_" in name or "_figure_" in name} & set(known)
    assert len(known) > 60
    assert all(minutes.replace(".", "").isdigit() for _, minutes in known.values())


def test_reproduce_is_snakemake_with_that_tier() -> None:
    words = command(["mend_table_2"], reproduce_parser().parse(["mend_table_2", "--tier", "sample", "--cores", "3"]))
    assert words[1:] == [
        "-m",
        "snakemake",
        "--cores",
        "3",
        "--configfile",
        "config/tiers/sample.yaml",
        "--",
        "mend_table_2",
    ]


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    said = capsys.readouterr().out
    assert [name for name in COMMANDS if f"thrift {name}" not in said] == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "distill"])
def test_each_help_fits_a_screen(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 48
    assert max(map(len, lines)) <= 105


def test_models_by_folder_name_and_hub_id() -> None:
    folder = find_model(str(CAUSAL), "--model", REPO_ROOT, "own_model")
    assert (folder.name, folder.width, folder.window) == ("own_model", 128, 2048)
    assert "M parameters" in folder.row["title"]
    known = find_model("HuggingFaceTB/SmolLM2-135M", "--model", REPO_ROOT, "own_model")
    assert (known.name, known.row) == ("smollm2_135m", None)
    other = find_model("somebody/Some-Model", "--model", REPO_ROOT, "own_model")
    assert other.name.startswith("some_model_")
    assert other.name != find_model("another/Some-Model", "--model", REPO_ROOT, "own_model").name


def test_a_model_that_is_converted_has_a_name_of_its_own(tmp_path: Path) -> None:
    """All run folders share what is downloaded or converted: two files must not answer to one name."""
    names = set()
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
        names.add(find_model(str(tmp_path / name), "--model", REPO_ROOT, "own_model").name)
    pickled = shutil.copytree(CAUSAL, tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    (pickled / "pytorch_model.bin").write_bytes(b"")
    names.add(find_model(str(pickled), "--model", REPO_ROOT, "own_model").name)
    assert len(names) == 3
    assert "own_model" not in names


def test_the_catalogue_of_workflows_is_told_how_to_run_this_one() -> None:
    told = yaml.safe_load((REPO_ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
    assert told["software-stack-deployment"] == {"conda": True, "apptainer": True, "apptainer+conda": True}
    assert told["report"] is True
    assert told["mandatory-flags"]["flags"] == ""


def settings() -> dict[str, object]:
    return {"tier": "own", "papers": ["nuggets"], "registries": {"datasets": ["own_datasets.yaml"], "models": []}}


def test_a_run_folder_is_links_rows_and_yaml(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.prepare(settings(), {"own_pool": [{"id": "0", "instruction": "a", "input": "", "output": "b"}]}, {})
    assert (tmp_path / "run/rules").resolve() == REPO_ROOT / "rules"
    assert sorted(path.stem for path in (tmp_path / "run/config/papers").iterdir()) == ["mend", "nuggets"]
    assert yaml.safe_load((tmp_path / "run/own.yaml").read_text(encoding="utf-8"))["tier"] == "own"
    before = (tmp_path / "run/own_pool.jsonl").stat().st_mtime_ns
    folder.prepare(settings(), {"own_pool": [{"id": "0", "instruction": "a", "input": "", "output": "b"}]}, {})
    assert (tmp_path / "run/own_pool.jsonl").stat().st_mtime_ns == before, "equal rows are no reason to run again"


def test_nothing_is_written_through_a_link_into_the_repository(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config").symlink_to(REPO_ROOT / "config")
    with pytest.raises(UserError, match="--out: .*config is a link"):
        RunFolder(tmp_path / "run").prepare(settings(), {}, {})
    assert (REPO_ROOT / "config/papers/ddg.yaml").is_file()


def test_a_fault_of_the_workflow_is_told_in_its_last_words(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.prepare({**settings(), "tier": ["no tier"]}, {}, {})
    with pytest.raises(UserError, match="the workflow stopped: tier: ") as fault:
        folder.run(["all"], 1, None)
    assert "\n" not in str(fault.value)
