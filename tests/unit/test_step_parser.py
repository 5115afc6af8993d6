"""A step's settings come as text, file or single flags; what is not given is the value in config/."""

from __future__ import annotations

import json
import sys
from typing import Any, Iterator

import pytest
import yaml

from scripts.common import step_parser
from scripts.common.errors import UserError
from scripts.common.fields import Settings, optional, setting
from scripts.common.step_parser import StepParser, checked, read_settings, shipped_config
from scripts.ddg import settings_steps as ddg
from scripts.delift import settings_choose, settings_learn
from scripts.delift.settings_artifacts import MapSettings
from scripts.delift.settings_choose import BaselineSettings, UtilitySettings
from scripts.delift.settings_learn import EvaluateSettings
from scripts.mend import settings_steps as mend
from scripts.mend.settings_format import Format
from scripts.mend.settings_train import Finetune, Pretrain, Tune
from scripts.nuggets.settings_embed import EmbedSettings
from scripts.nuggets.settings_finetune import TrainSettings
from scripts.nuggets.settings_generate import AnswerSettings
from scripts.nuggets.settings_judge import JudgeSettings
from scripts.nuggets.settings_score import ScoreSettings
from scripts.step_by_step.settings_rows import ExtractSettings, PrepareSettings
from scripts.step_by_step.settings_train import JobSettings


class Adapters(Settings):
    """Low-rank adapters."""

    rank: int = setting("rank", ge=1)
    note: str | None = optional("what to know")


class Whole(Settings):
    """All of it."""

    def misfits(self) -> Iterator[str]:
        if self.text == "none" and self.words:
            yield f"text: '{self.text}' goes with no words ({len(self.words)})"

    rate: float = setting("peak rate", source="MEND: 0.5", unit="1/s", gt=0)
    steps: int | None = setting("steps; null: all", ge=1)
    words: list[str] = setting("words that end it", unique=True)
    text: str = setting("between them")
    lora: Adapters


KNOWN = {"rate": 0.5, "steps": None, "words": ["a"], "text": "", "lora": {"rank": 8, "note": "from the paper"}}


def parsed(*arguments: str) -> Any:
    parser = StepParser()
    parser.add_argument("--pool", required=True)
    parser.add_settings(Whole, of=lambda config: KNOWN)
    return parser.parse_args(["--pool", "p", *arguments])


def test_nothing_given_is_the_config():
    assert parsed().settings.given() == KNOWN


def test_single_flags_change_single_values_by_their_types():
    given = ["--settings.rate", "2", "--settings.steps=3", "--settings.words", '["b", "c"]', "--settings.text", "1"]
    args = parsed(*given, "--settings.lora.rank", "4")
    assert args.pool == "p"
    assert args.settings.given() == {
        "rate": 2.0, "steps": 3, "words": ["b", "c"], "text": "1", "lora": {"rank": 4, "note": "from the paper"},
    }  # fmt: skip
    assert parsed("--settings.steps", "3", "--settings.steps", "null").settings.steps is None


@pytest.mark.parametrize("form", [json.dumps, yaml.safe_dump])
def test_a_text_or_a_file_gives_many_and_flags_go_over_it(form, tmp_path):
    text = form({"rate": 2.5, "lora": {"rank": 2}})
    (tmp_path / "some settings").write_text(text, encoding="utf-8")
    for given in (text, str(tmp_path / "some settings")):
        settings = parsed("--settings", given, "--settings.steps", "7").settings
        assert settings.given() == {**KNOWN, "rate": 2.5, "steps": 7, "lora": {"rank": 2}}  # no note: left out


def test_a_whole_text_reads_neither_config_nor_library(monkeypatch):
    monkeypatch.setattr(step_parser, "shipped_config", lambda: pytest.fail("the config was read"))
    monkeypatch.setitem(sys.modules, "jsonargparse", None)
    whole = {**KNOWN, "lora": {"rank": 1}}
    assert parsed("--settings", json.dumps(whole)).settings.given() == whole


@pytest.mark.parametrize(
    "given, line",
    [
        (["--settings.rat", "1"], "--settings.rat: unknown key (did you mean 'rate'?)"),
        (["--settings.zzz", "1"],
         "--settings.zzz: unknown key; the keys are rate, steps, words, text, lora.rank, lora.note"),
        (["--settings.lora.rank", "x"], "--settings.lora.rank: expected a whole number, found 'x'; correct it (rank)"),
        (["--settings.rate", "0"],
         "--settings.rate: 0.0 is not above 0; give a value above 0 (peak rate (MEND: 0.5))"),
        (["--settings.rate"], "--settings.rate: expected a value; give one"),
        (["--settings", '{"rate": 1, "lora": {"rnk": 1}}'],
         "--settings.lora.rnk: unknown key (did you mean 'rank'?)"),
        (["--settings", '{"rate": -1, "text": 3}'],
         "--settings.rate: -1 is not above 0; give a value above 0 (peak rate (MEND: 0.5)) (and 1 more fault)"),
        (["--settings.words", '["a", "a"]'], "--settings.words: 'a' stands there twice; remove one"),
        (["--settings.text", "none"], "--settings.text: 'none' goes with no words (1)"),
        (["--settings", "lora: 3", "--settings.lora.rank", "1"], "--settings.lora: expected keys and values, found 3"),
        (["--settings", '{"rate": 1'], "--settings: broken JSON ("),
        (["--settings", "[1]"], "--settings: expected keys and values, found list"),
        (["--settings", "none.yaml"], "none.yaml: no such file; check the path"),
        (["--settings", "rate: [1\nx"], "--settings: broken YAML ("),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_that_names_the_flag(given, line):
    with pytest.raises(UserError) as error:
        parsed(*given)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


def test_help_says_meaning_source_bounds_unit_and_value():
    parser = StepParser(prog="step")
    parser.add_settings(Whole, of=lambda config: KNOWN)
    shown = " ".join(parser.format_help().split())
    assert "--settings TEXT|FILE, --settings.KEY VALUE" in shown
    assert "--settings.rate RATE peak rate (MEND: 0.5); > 0; unit: 1/s; in config/: 0.5 (type: float)" in shown
    assert "--settings.lora.note NOTE what to know; optional; in config/: from the paper" in shown


def test_two_flags_of_settings_do_not_mix():
    parser = StepParser()
    parser.add_settings(Adapters, of=lambda config: {"rank": 1})
    parser.add_settings(Adapters, of=lambda config: {"rank": 2}, flag="--other-settings")
    args = parser.parse_args(["--other-settings.rank", "5"])
    assert (args.settings.rank, args.other_settings.rank) == (1, 5)


def test_settings_may_depend_on_another_flag():
    parser = StepParser()
    parser.add_argument("--learning", required=True)
    parser.add_settings(EvaluateSettings, by="learning")
    config = shipped_config()
    for learning in ("icl", "peft", "fft"):
        settings = parser.parse_args(["--learning", learning, "--settings.generate.temperature", "0"]).settings
        assert settings.generate.temperature == 0
        assert settings.finetune.given() == config["delift"]["finetune"]["fft" if learning == "fft" else "peft"]
        prompt = config["delift"]["prompt" if learning == "icl" else "finetune"]
        assert settings.prompt.given() == config["prompts"][prompt if learning == "icl" else prompt["prompt"]]


def test_settings_that_another_flag_wants_are_not_read_without_it(monkeypatch):
    parser = StepParser()
    parser.add_argument("--write", nargs="*", default=[])
    parser.add_settings(Adapters, of=lambda config: {}, flag="--writing", only_with="--write")
    assert parser.parse_args(["--write", "x", "--writing.rank", "2"]).writing.rank == 2
    with pytest.raises(UserError, match="--writing.rank: is missing; add it"):
        parser.parse_args(["--write", "x"])
    monkeypatch.setattr(step_parser, "shipped_config", lambda: pytest.fail("the config was read"))
    assert parser.parse_args([]).writing is None


OWN = [  # what a task, a data set or a method says, beside what the config says
    (ddg.PretrainSettings, {"text_columns": ["text"], "max_tokens": 64}),
    (ddg.MatchSettings, {"text_columns": ["text"], "max_tokens": 64, "sampling.max_new_tokens": 63}),
    (ddg.SetSettings, {"text_columns": ["text"], "selection": "none", "sampling.max_new_tokens": 63}),
    (ddg.CoresetSettings, {"text_columns": ["a", "b"], "method": "random"}),
    (ddg.LearnerSettings, {"text_columns": ["text"]}),
    (ddg.InContextSettings, {"text_columns": ["text"], "turns": 25}),
    (ddg.WritingSettings, {"max_tokens": 64}),
    (PrepareSettings, {"dataset": "mine", "format": "generic", "teacher": "none", "split": "train"}),
    (ExtractSettings, {"format": "cqa", "backend": "local", "max_new_tokens": 9, "model": "m"}),
    (ExtractSettings, {"format": "cqa", "backend": "openai", "max_new_tokens": 9, "endpoint.base_url": "u",
                       "endpoint.model": "m"}),
    (JobSettings, {"train.method": "standard", "train.form": "cqa", "train.metric": "text"}),
    (Pretrain, {}),
    (Finetune, {}),
    (Tune, {}),
    (Format, {}),
    (mend.PromptTuningSettings, {"task_names": ["a"]}),
    (mend.EvaluateSettings, {"task_names": ["a", "b"]}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "own"), OWN, ids=[kind.__name__ for kind, _ in OWN])
def test_what_is_not_given_by_hand_is_the_config(kind, own):
    flags = [text for key, value in own.items() for text in (f"--settings.{key}", json.dumps(value).strip('"'))]
    wanted = json.loads(json.dumps(kind.of(shipped_config())))
    for key, value in own.items():
        group, _, last = key.rpartition(".")
        (wanted.setdefault(group, {}) if group else wanted)[last] = value
    assert read_settings(kind, kind.of, None, flags).given() == wanted
    assert checked(kind, wanted) == read_settings(kind, kind.of, json.dumps(wanted))
    for key in own:  # nothing of it has a value in config/
        few = [text for other, value in own.items() if other != key for text in (f"--settings.{other}", str(value))]
        with pytest.raises(UserError):
            read_settings(kind, kind.of, None, few)


@pytest.mark.parametrize(
    "kind",
    [
        *(EmbedSettings, ScoreSettings, TrainSettings, AnswerSettings, JudgeSettings),
        *(UtilitySettings, settings_choose.EmbedSettings, MapSettings, BaselineSettings, EvaluateSettings),
        settings_learn.ScoreSettings,
    ],
)
def test_the_steps_settings_are_those_of_the_config(kind):
    config = shipped_config()
    assert read_settings(kind, kind.of, None).given() == kind.of(config)
    assert checked(kind, kind.of(config)) == read_settings(kind, kind.of, json.dumps(kind.of(config)))
