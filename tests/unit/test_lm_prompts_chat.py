"""`prompt: chat`: texts in the chat template of a model's tokenizer, for scoring, training and answers."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.common.errors import UserError
from scripts.common.yaml_files import read_yaml
from scripts.lm.prompts import Prompt, default_ids, split_answer
from scripts.nuggets.golden import GoldenScorer
from scripts.nuggets.prompting import encode_demonstration
from tests.unit.nuggets_tiny import instruction_rows, score_settings, tiny, tokenizer

CHATML = (
    "{% if messages[0].role != 'system' %}<|sys|> be kind <|end|>{% endif %}"
    "{% for message in messages %}<|{{ message.role }}|> {{ message.content }} <|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|> {% endif %}"
)
ROW = {"id": "a", "instruction": "w1", "input": "w2", "output": " w3 w4 "}


def chatting(template: str = CHATML, *, bos: bool = False) -> Any:
    made = tokenizer(bos=bos)
    made.chat_template = template
    made.add_tokens([f"<|{word}|>" for word in ("sys", "user", "assistant", "end")], special_tokens=True)
    return made


@pytest.fixture
def templates(repo_root: Any) -> dict[str, Any]:
    return read_yaml(repo_root / "config/config.yaml")["prompts"]["chat"]


def test_the_shipped_row_renders_the_tokenizers_own_template(templates: dict[str, Any]) -> None:
    prompt = Prompt.from_config(templates).of(chatting())
    start = "<|sys|> be kind <|end|><|user|> w1\n\nw2 <|end|><|assistant|> "
    assert prompt.query(ROW) == start
    assert prompt.full(ROW) == start + "w3 w4"
    assert prompt.shown(ROW) == start + "w3 w4 <|end|>"
    assert prompt.query({**ROW, "input": ""}) == start.replace("\n\nw2", "")
    assert prompt.continued({**ROW, "input": ""}) == "<|user|> w1 <|end|><|assistant|> "
    assert prompt.closing("\n\n") == " <|end|>"
    assert Prompt.from_config(templates).query(ROW) == "w1\n\nw2"  # the user's turn alone


def test_special_tokens_of_the_template_are_single_tokens(templates: dict[str, Any]) -> None:
    made = chatting()
    prompt = Prompt.from_config(templates).of(made)
    query, answer, n_full = split_answer(made, prompt.query(ROW), prompt.full(ROW))
    assert made.convert_ids_to_tokens(answer) == ["w3", "w4"]
    assert n_full == 2
    assert query[-1] == made.convert_tokens_to_ids("<|assistant|>")
    shown = encode_demonstration(made, prompt, ROW, separator="", max_tokens=99, too_long="error").ids
    assert shown[-1] == made.convert_tokens_to_ids("<|end|>")


def test_a_beginning_of_sequence_token_stands_there_once(templates: dict[str, Any]) -> None:
    for bos in (True, False):
        made = chatting("<s>" + CHATML, bos=bos)
        prompt = Prompt.from_config(templates).of(made)
        ids = default_ids(made, prompt.full(ROW))
        assert ids.count(made.bos_token_id) == 1
        assert ids[0] == made.bos_token_id


def test_golden_scores_with_a_chat_template(templates: dict[str, Any]) -> None:
    loaded = tiny()
    plain = GoldenScorer(loaded, instruction_rows(4, seed=1), score_settings())
    made = tokenizer()
    made.chat_template = CHATML
    import dataclasses

    chat = GoldenScorer(
        dataclasses.replace(loaded, tokenizer=made), instruction_rows(4, seed=1), score_settings(prompt=templates)
    )
    assert [anchor.answer_ids for anchor in chat.anchors] == [anchor.answer_ids for anchor in plain.anchors]
    assert [anchor.query_ids for anchor in chat.anchors] != [anchor.query_ids for anchor in plain.anchors]
    with pytest.raises(UserError, match="the model's tokenizer has no chat template; choose another prompt"):
        GoldenScorer(loaded, instruction_rows(4, seed=1), score_settings(prompt=templates))


def test_faults_are_one_line(templates: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="prompt: chat is 'yes'; give true or false"):
        Prompt.from_config({**templates, "chat": "yes"})
    with pytest.raises(UserError, match="prompt: strip is 0; give true or false"):
        Prompt.from_config({**templates, "strip": 0})
    with pytest.raises(UserError, match="prompt: template 'answer' is None; give a text"):
        Prompt.from_config({**templates, "answer": None})
    with pytest.raises(UserError, match="unknown key 'chta'"):
        Prompt.from_config({**templates, "chta": True})
    broken = Prompt.from_config(templates).of(chatting("{{ raise_exception('no system here') }}"))
    with pytest.raises(UserError, match=r"the model's chat template fails \(no system here\)"):
        broken.query(ROW)
