"""Conversations become instruction rows, first question or last answer, and are written back as they came."""

from __future__ import annotations

import csv
import json

import pytest

from scripts.common.errors import UserError
from scripts.common.files import write_jsonl
from scripts.data import original_rows, prepare_examples
from scripts.data.readers import read_raw

SAID = [("system", "Be brief."), ("user", "Hi?"), ("assistant", "Yes."), ("user", "Who?"), ("assistant", "Me.")]
SHAREGPT = {"system": "system", "user": "human", "assistant": "gpt"}
MESSAGES = {"messages": [{"role": role, "content": text} for role, text in SAID]}
PARTS = {"messages": [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in SAID]}
CONVERSATIONS = {"conversations": [{"from": SHAREGPT[role], "value": text} for role, text in SAID]}
BESIDE = {"system": "Be brief.", "conversations": CONVERSATIONS["conversations"][1:]}
TRL = {"prompt": MESSAGES["messages"][:-1], "completion": MESSAGES["messages"][-1:]}
FORMS = {"messages": MESSAGES, "parts": PARTS, "conversations": CONVERSATIONS, "beside": BESIDE, "trl": TRL}


def read(tmp_path, *rows, **options):
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_raw(path, "json", "instruction", **options)


@pytest.mark.parametrize("form", FORMS)
def test_first_question_or_last_answer(tmp_path, form, caplog):
    (first,) = read(tmp_path, FORMS[form])
    assert first == {"id": "0", "instruction": "Be brief.\n\nHi?", "input": "", "output": "Yes."}
    assert "1 of 1 conversations have further answers, which are left out; turns: last reads" in caplog.text
    (last,) = read(tmp_path, FORMS[form], turns="last")
    assert last["instruction"] == "Be brief.\n\nuser: Hi?\nassistant: Yes.\nuser: Who?"
    assert last["output"] == "Me."


def test_one_round_is_the_question_itself(tmp_path):
    row = {"id": "m", "messages": MESSAGES["messages"][1:3]}
    for turns in ("first", "last"):
        assert read(tmp_path, row, turns=turns) == [{"id": "m", "instruction": "Hi?", "input": "", "output": "Yes."}]


def test_greetings_tools_and_named_columns(tmp_path):
    greeting = [{"from": "gpt", "value": "Hello"}, *CONVERSATIONS["conversations"][1:3]]
    assert read(tmp_path, {"conversations": greeting})[0]["instruction"] == "Hi?"
    tool = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": None, "tool_calls": [{}]},
            {"role": "tool", "content": "4"}, {"role": "assistant", "content": "Four."}]  # fmt: skip
    (row,) = read(tmp_path, {"messages": tool})
    assert (row["instruction"], row["output"]) == ("user: 2+2?\ntool: 4", "Four.")
    assert read(tmp_path, {"chat": greeting}, columns={"instruction": "chat"})[0]["output"] == "Yes."
    paths = {"instruction": "conversations.1.value", "output": "conversations.2.value"}
    assert read(tmp_path, {"conversations": greeting}, columns=paths)[0]["output"] == "Yes."


def test_a_table_keeps_turns_as_text_and_parquet_fills_them_up(tmp_path):
    import pyarrow
    from pyarrow import parquet

    with open(tmp_path / "x.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([["messages"], [json.dumps(MESSAGES["messages"])]])
    assert read_raw(tmp_path / "x.csv", "csv", "instruction")[0]["output"] == "Yes."
    mixed = [*MESSAGES["messages"][1:2], *CONVERSATIONS["conversations"][2:3]]
    parquet.write_table(pyarrow.Table.from_pylist([{"id": None, "messages": mixed}]), tmp_path / "x.parquet")
    assert read_raw(tmp_path / "x.parquet", "parquet", "instruction") == [
        {"id": "0", "instruction": "Hi?", "input": "", "output": "Yes."}
    ]
    with pytest.raises(UserError, match="the conversation has no user's turn"):
        read(tmp_path, {"messages": []})


def test_what_cannot_be_read_is_counted(tmp_path):
    rows = [
        {"messages": [{"role": "user", "content": "a"}]},
        {"messages": [{"role": "assistant", "content": "a"}]},
        {"messages": [{"role": "usr", "content": "a"}]},
        MESSAGES,
    ]
    with pytest.raises(UserError) as error:
        read(tmp_path, *rows)
    told = str(error.value)
    assert "x.jsonl:1: the conversation has no answer to the user's turn; mend or remove the row (3 of 4 rows" in told
    assert "line 2: the conversation has no user's turn" in told
    assert "line 3: turn 1 is of 'usr' (did you mean 'user'?)" in told
    picture = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}
    with pytest.raises(UserError, match="turn 1 has parts that are no text; only text can be read"):
        read(tmp_path, picture)


def settings(**changes):
    usual = {"reader": "any", "schema": "instruction", "columns": {}, "labels": None, "header": None, "task": None}
    return json.dumps({**usual, "limit": None, "seed": 0, **changes})


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "tsv", "parquet"])
def test_chosen_rows_are_written_back_as_they_came(tmp_path, form):
    import pyarrow
    from pyarrow import parquet

    rows = [{"id": f"m{n}", "more": n, **MESSAGES} for n in range(3)]
    plain = [{"instruction": f'a "{n}"', "output": "b", "more": str(n)} for n in range(3)]
    raw, out = tmp_path / f"raw.{form}", tmp_path / f"out.{form}"
    if form == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), raw)
    elif form in ("csv", "tsv"):
        with open(raw, "w", newline="") as stream:
            writer = csv.DictWriter(
                stream, list(plain[0]), delimiter="\t" if form == "tsv" else ",", lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(plain)
    else:
        raw.write_text(
            json.dumps(rows, indent=2) + "\n" if form == "json" else "".join(json.dumps(r) + "\n" for r in rows)
        )
    prepare_examples.main(["--raw", str(raw), "--settings", settings(), "--examples-out", str(tmp_path / "all.jsonl")])
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    (tmp_path / "chosen.jsonl").write_text(lines[2] + "\n" + lines[0] + "\n")
    asked = ["--raw", str(raw), "--settings", settings(), "--chosen", str(tmp_path / "chosen.jsonl")]
    original_rows.main([*asked, "--rows-out", str(out)])
    if form == "parquet":
        table, given = parquet.read_table(out), parquet.read_table(raw)
        assert table.schema == given.schema
        assert table.to_pylist() == [rows[2], rows[0]]
    elif form in ("csv", "tsv"):
        written, given = out.read_text().splitlines(), raw.read_text().splitlines()
        assert written == [given[0], given[3], given[1]]
    else:
        assert out.read_text() == (
            json.dumps([rows[2], rows[0]], indent=2) + "\n"
            if form == "json"
            else json.dumps(rows[2]) + "\n" + json.dumps(rows[0]) + "\n"
        )
    write_jsonl(tmp_path / "chosen.jsonl", [{"id": "x", "instruction": "a", "input": "", "output": "b"}])
    with pytest.raises(UserError, match=r"chosen.jsonl: row 'x' is not in the raw file; give the raw file"):
        original_rows.main([*asked, "--rows-out", str(out)])
