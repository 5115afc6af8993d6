"""Wrong usages of `thrift`: each is one line that names the flag (or the argument) and says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.own.cli import main
from tests.unit.own_rows import write_pool, write_questions

MODEL = "resources/mini/causal"
ROOT = Path(__file__).resolve().parents[2]

WRONG = {
    "no such command": ("chose pool.json", r"thrift chose: unknown command \(did you mean 'choose'\?\)"),
    "no pool": ("choose", r"POOL.*thrift choose --help"),
    "no such pool": ("choose pol.json --by random", r"POOL: pol.json: no such file; check the path"),
    "a folder as pool": ("choose folder --by random", r"POOL: folder is a folder; name one file"),
    "broken pool": ("choose broken.json --by random", r"POOL: broken.json.*broken JSON"),
    "empty pool": ("choose empty.json --by random", r"POOL: empty.json"),
    "a flag mistyped": ("choose pool.json --golal good.json", r"--golal: unknown flag \(did you mean '--goal'\?\)"),
    "no such goal": ("choose pool.json --goal god.json --model MODEL", r"--goal: god.json: no such file"),
    "no such way": (
        "choose pool.json --by nugets --model MODEL",
        r"--by: unknown way 'nugets' \(did you mean 'nuggets'",
    ),
    "truth is nobody's": ("choose pool.json --by only_good", r"--by: unknown way 'only_good'"),
    "no model": ("choose pool.json --by ifd", r"--by ifd: asks a language model; give --model"),
    "no goal for LESS": ("choose pool.json --by less --model MODEL", r"--by less: chooses for something; give --goal"),
    "too much is kept": (
        "choose pool.json --by random --keep 99",
        r"--keep: 99 rows of 20 cannot be kept; give 1 to 20",
    ),
    "a share without sign": (
        "choose pool.json --by random --keep 0.1",
        r"--keep: '0.1' is neither .* write 10% or 500",
    ),
    "no such model": (
        "choose pool.json --by ifd --model mini_casual",
        r"--model: 'mini_casual' .* \(did you mean 'mini_causal'",
    ),
    "an encoder as model": (
        "choose pool.json --by ifd --model mini_encoder",
        r"--model: mini_encoder is of the family encoder",
    ),
    "a folder without model": ("choose pool.json --by ifd --model folder", r"--model: .*folder holds no config.json"),
    "a brace in the model's name": ("choose pool.json --by ifd --model {model}", r"--model: .* holds a brace"),
    "an embedder for nothing": (
        "choose pool.json --by random --embedder mini_encoder",
        r"--embedder: no way of --by compares",
    ),
    "no such wording": (
        "choose pool.json --by ifd --model MODEL --prompt alpca",
        r"--prompt: unknown wording .*'alpaca'",
    ),
    "no such column": (
        "choose questions.csv --by random --columns question,anser",
        r"--columns: .* no column 'anser' \(did",
    ),
    "columns that say nothing": (
        "choose pool.json --by random --columns question",
        r"--columns: .* write QUESTION,ANSWER",
    ),
    "no field of that name": (
        "choose pool.json --by random --columns instruktion=a,output=b",
        r"--columns: 'instruktion' is no field",
    ),
    "columns not found": ("check odd.json", r"--columns: question and answer are not found among a, b"),
    "no cores": ("choose pool.json --by random --cores 0", r"--cores: 0 is too few"),
    "cores in words": ("choose pool.json --by random --cores two", r"--cores: invalid int value: 'two'"),
    "no such profile": ("choose pool.json --by random --profile slurm", r"--profile: slurm has no config.yaml"),
    "a file as folder": ("choose pool.json --by random --out pool.json", r"--out: pool.json is a file"),
    "no such trainer": ("choose pool.json --by random --export unsloth", r"--export: invalid choice: 'unsloth'"),
    "a comparison without model": ("compare pool.json --by ifd", r"--model: a comparison fine-tunes a model"),
    "too few trainings": (
        "compare pool.json --model MODEL --seeds 1",
        r"--seeds: 1 trainings say nothing .* 3 or more",
    ),
    "nothing to compare": ("compare pool.json --model MODEL --keep 100%", r"--keep 100%: is the whole pool"),
    "no rate of learning": (
        "compare pool.json --model MODEL --learning-rate 5",
        r"--learning-rate: 5 teaches nothing; .* e.g. 2e-5",
    ),
    "no training": ("compare pool.json --model MODEL --epochs 0", r"--epochs: 0 is no training"),
    "no such class column": ("write questions.csv --text question --label stars", r"--label: .* no column 'stars'"),
    "texts of one class": ("write odd.json --text a --label b", r"--label: column 'b' holds 1 class"),
    "no texts": ("write questions.csv --per-class 0", r"--per-class: 0 is too few"),
    "no vectors": ("answer pool.json --with v.safetensors --model MODEL", r"--with: v.safetensors: no such file"),
    "no distiller": ("compress pool.json --model MODEL --distiller nowhere", r"--distiller: nowhere is no folder"),
    "no such table": ("reproduce nugets_table_1", r"TARGET: unknown 'nugets_table_1' \(did you mean 'nuggets_table_1'"),
    "no such tier": ("reproduce nuggets_table_1 --tier smal", r"--tier: unknown tier 'smal'"),
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a pool, a table and what is none."""
    write_pool(tmp_path)
    write_questions(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "{model}").mkdir()
    (tmp_path / "broken.json").write_text('[{"instruction": "a", "output": }]', encoding="utf-8")
    (tmp_path / "empty.json").write_text("[]", encoding="utf-8")
    (tmp_path / "odd.json").write_text(json.dumps([{"a": "x", "b": "y"}] * 3), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words,told", WRONG.values(), ids=[name.replace(" ", "_") for name in WRONG])
def test_one_line_names_the_flag_and_the_remedy(here: Path, words: str, told: str) -> None:
    before = sorted(here.rglob("*"))
    with pytest.raises(UserError, match=told) as fault:
        main([str(ROOT / MODEL) if word == "MODEL" else word for word in words.split()])
    message = str(fault.value)
    assert "\n" not in message
    assert not any(key in message for key in ("registry", "nuggets.", "delift.", "head_to_head.", "own.yaml"))
    assert sorted(here.rglob("*")) == before, "a wrong usage leaves nothing behind"
