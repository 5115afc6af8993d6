"""Few-shot prompts: the shipped ones in every format's grammar, and clear faults of one's own."""

from __future__ import annotations

import pytest
import yaml

from scripts.common.errors import UserError
from scripts.step_by_step.parsing import parse
from scripts.step_by_step.prompts import BETWEEN, load_prompt

FILES = {"esnli": "nli", "anli1": "nli", "cqa": "cqa", "svamp": "svamp", "asdiv": "svamp", "generic": "generic"}


def shipped(repo_root, name):
    return repo_root / "config/prompts/step_by_step" / f"{FILES[name]}.yaml"


@pytest.mark.parametrize("name", FILES)
def test_shipped_prompts(repo_root, name):
    content = yaml.safe_load(shipped(repo_root, name).read_text(encoding="utf-8"))
    prompt = load_prompt(shipped(repo_root, name), name, None)
    assert len(prompt.shots) == len(content["exemplars"])
    for shot, row in zip(prompt.shots, content["exemplars"]):
        answer = shot[shot.index(row["rationale"]) :]
        for parser in ("strict", "compatible"):
            assert parse(answer, name, parser)[:2] == (row["rationale"], row["label"])
    assert prompt.prefix.count(BETWEEN) == len(prompt.shots)


def test_ten_examples_as_in_the_paper(repo_root):
    assert all(
        len(load_prompt(shipped(repo_root, name), name, None).shots) == 10 for name in FILES if name != "generic"
    )
    assert len(load_prompt(shipped(repo_root, "cqa"), "cqa", 3).shots) == 3


def test_equations_of_the_prompt_are_right(repo_root):
    """What the reasons say last is what the equation gives."""
    import re

    from scripts.step_by_step.equations import evaluate

    for row in yaml.safe_load(shipped(repo_root, "svamp").read_text(encoding="utf-8"))["exemplars"]:
        told = re.findall(r"= (\d+)", row["rationale"])[-1]
        assert evaluate(row["label"]) == int(told), row["input"]


def test_questions_are_worded(repo_root):
    def ask(name, text):
        return load_prompt(shipped(repo_root, name), name, 1).ask(text)

    assert ask("esnli", "A.</s>B.") == "Premise: A.\nHypothesis: B.\nReasonings:"
    assert ask("anli1", "A.</s>B.") == "Premise: A.\nHypothesis: B.\nAnswer:"
    assert ask("cqa", "Q?\nAnswer Choices:\n(a) {x}") == "Q: Q?\nAnswer Choices:\n(a) {x}\nA:"
    assert ask("svamp", "Body.\nQ?") == "Q: Body. Q?\nA:"
    assert ask("generic", "fever?") == "Input: fever?\nReasons:"
    with pytest.raises(UserError, match="lacks '</s>' between premise and hypothesis"):
        ask("esnli", "A. B.")


GOOD = {"input": "x", "rationale": "Because.", "label": "y"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"exemplars": []}, "key 'formats' is missing or no dict"),
        ({"formats": {"cqa": "{input}"}, "exemplars": []}, "formats has no 'generic', only cqa"),
        (
            {"formats": {"generic": "{inptu}"}, "exemplars": []},
            r"formats.generic must hold \{input\} and no other field",
        ),
        ({"formats": {"generic": "{input}"}, "exemplars": [{**GOOD, "label": ""}]}, "exemplar 1: rationale and label"),
        (
            {"formats": {"generic": "{input}"}, "exemplars": [{**GOOD, "rationale": "So the answer is no."}]},
            "exemplar 1: would be read as",
        ),
        (
            {"formats": {"generic": "{input}"}, "exemplars": [{**GOOD, "question": "q", "choices": ["a", "b"]}]},
            r"exemplar 1: label 'y' is not among its choices \(a, b\)",
        ),
        ("a: [", "broken YAML"),
    ],
)
def test_faults(tmp_path, content, told):
    path = tmp_path / "prompt.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(UserError, match=told):
        load_prompt(path, "generic", None)


def test_more_examples_than_there_are(repo_root):
    with pytest.raises(UserError, match=r"n_exemplars: 11 of 10 in .*cqa.yaml; ask for fewer or write more"):
        load_prompt(shipped(repo_root, "cqa"), "cqa", 11)
