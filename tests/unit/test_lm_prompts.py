"""Prompt templates: what they say to the letter, blanks included, and the released wordings of the config."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from scripts.common.errors import UserError
from scripts.lm.prompts import Prompt, fill

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))["prompts"]
DELIFT = yaml.safe_load((ROOT / "config" / "papers" / "delift.yaml").read_text(encoding="utf-8"))["delift"]
ROWS = [
    {"instruction": " Add.\n", "input": "2 and 3 ", "output": " 5\n"},
    {"instruction": "Say hello.", "input": "", "output": "Hello {input}"},
    {"instruction": "", "input": "{output}", "output": ""},
    {"instruction": "Say.", "input": " ", "output": "x"},
]


def released(row):
    """Return DELIFT's (prompt, response): its one text of an example, cut before and behind the word Output:."""
    text = f"Instruction: {row['instruction']}\nInput: {row['input']}\nOutput: {row['output']}"
    before, _, after = text.partition("Output:")
    return before, after


@pytest.mark.parametrize("row", ROWS)
def test_delift_s_prompt_and_response_to_the_letter(row):
    prompt = Prompt.from_config(PROMPTS["delift"])
    assert (prompt.query(row), prompt.response(row)) == released(row)
    assert prompt.full(row) == "".join(released(row))


@pytest.mark.parametrize("row", ROWS)
def test_delift_s_other_texts_to_the_letter(row):
    prompt = Prompt.from_config(PROMPTS["delift"])
    query, response = released(row)
    whole = f"{query}Output:{response}"
    parts = {"prompt": prompt.query(row), "response": prompt.response(row)}
    assert fill(DELIFT["shots"]["example"], number="1", **parts) == f"Example 1:\n{whole}\n"
    assert fill(DELIFT["shots"]["query"], **parts) == f"{query}\n### Output:\n"
    templates = DELIFT["utility"]["templates"]
    asked = templates["alone"].partition("\n")[0].removeprefix("Instruction: ")
    shown = templates["example"].split("\n")[1]
    assert fill(templates["alone"], **parts) == f"Instruction: {asked}\n\n\nQuery: {query}\n"
    joined = fill(templates["example"], **parts) + fill(templates["query"], **parts)
    example = f"Instruction:\n{shown}\n\n\nExample:\n{query}\n{response}"
    assert joined == f"{example}\n\n\nQuery:\n{query}\n"
    rated = fill(DELIFT["baselines"]["selectit"]["template"], rating_prompt="Rate.", **parts)
    assert rated == f"Rate.\nInstruction:{query}\nResponse:{response}\nThe answer is: \n"
    assert prompt.query(row) + DELIFT["embed"]["output"].replace("{output}", row["output"]) == whole.replace(
        "Output:" + response, "Output: " + row["output"]
    )
    tuned = Prompt.from_config(PROMPTS[DELIFT["finetune"]["prompt"]])
    assert tuned.full(row).endswith(f"request.\n\n{query}\n\n### Response:\n{response}")


def test_nuggets_strips_its_fields():
    prompt = Prompt.from_config(PROMPTS["nuggets"])
    assert prompt.full(ROWS[0]) == "Instruction:\nAdd.\nInput:\n2 and 3\nResponse:\n5"
    assert prompt.full(ROWS[3]) == "Instruction:\nSay.\nResponse:\nx"


def test_alpaca_does_not():
    prompt = Prompt.from_config(PROMPTS["alpaca"])
    assert prompt.full(ROWS[0]).endswith("### Instruction:\n Add.\n\n\n### Input:\n2 and 3 \n\n### Response: 5\n")
    assert "### Input:\n \n" in prompt.query(ROWS[3])  # only the empty text is no input
    assert "### Input" not in prompt.query(ROWS[1])


def test_what_the_templates_hold_is_never_stripped():
    prompt = Prompt(" {instruction}|{input} ", " {instruction} \n", answer="\t{output} ", strip=True)
    assert prompt.full({"instruction": " a ", "input": "", "output": " b "}) == " a \n\tb "


@pytest.mark.parametrize(
    "templates, message",
    [
        ({"with_input": "{instruction}{input}"}, "prompt: key 'without_input' is missing"),
        ({"with_input": "{instruction}", "without_input": "{instruction}"}, "'with_input' has no place {input}"),
        ({**PROMPTS["nuggets"], "answer": "x"}, "'answer' has no place {output}"),
        ({**PROMPTS["nuggets"], "answr": "x"}, r"unknown key 'answr' \(did you mean 'answer'\?\)"),
    ],
)
def test_broken_templates(templates, message):
    with pytest.raises(UserError, match=message):
        Prompt.from_config(templates)
