"""The endpoint judge: against `transformers serve` with a tiny model, and against a server that misbehaves."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading

import pytest

from scripts.common.errors import UserError
from scripts.judging.endpoint import EndpointSettings, EndpointWriter
from scripts.judging.judge import Item, Pair, Prompt, Template, WritingJudge, judge_items, judge_pairs
from scripts.judging.local import LocalWriter
from tests.endpoint import Faulty, bad, good, running
from tests.long import LONG
from tests.unit.lm_tiny import save, tiny

KEY = "sk-very-secret-0123456789"
PLAIN_CHAT = "{% for m in messages %}{{ m['content'] }} {% endfor %}"


def settings(base_url: str, **changes) -> EndpointSettings:
    """Settings for a local endpoint."""
    values = {
        "base_url": base_url,
        "model": "tiny",
        "key_variable": "",
        "temperature": 0.0,
        "max_tokens": 5,
        "timeout_s": 30.0,
        "attempts": 3,
        "parallel": 1,
    }
    return EndpointSettings(**{**values, **changes})


# ---- a real server ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Address and model name of a `transformers serve` process with a tiny model."""
    pytest.importorskip("fastapi", reason="needs fastapi for `transformers serve`: see envs/dev.yaml")
    pytest.importorskip("uvicorn", reason="needs uvicorn for `transformers serve`: see envs/dev.yaml")
    loaded = tiny()
    loaded.tokenizer.chat_template = PLAIN_CHAT
    folder = save(loaded, tmp_path_factory.mktemp("served") / "tiny")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    process = subprocess.Popen(
        [*command, "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Uvicorn running" in line:
                break
        else:
            pytest.fail("the server did not start:\n" + "".join(lines))
        drain = threading.Thread(target=lambda: process.stdout.read(), daemon=True)  # a full pipe would stop it
        drain.start()
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@LONG
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_a_real_server_answers_like_the_local_model(served, tmp_path, api):
    base_url, model = served
    prompts = [Prompt("w1 w2 w3"), Prompt("w4"), Prompt("w5 w6 w7 w8"), Prompt("w1 w2 w3")]
    writer = EndpointWriter(settings(base_url, model=model, api=api, parallel=2), tmp_path)
    assert writer.write(prompts) == LocalWriter(tiny(), name="x", max_new_tokens=5, batch_size=1).write(prompts)
    assert len(list(tmp_path.rglob("*.json"))) == 3


@LONG
def test_a_real_server_judges(served, tmp_path):
    base_url, model = served
    template = Template(
        user="{instruction} {output_1} {output_2}", pattern=r"(w\d+)", values={f"w{i}": 1 + i % 2 for i in range(60)}
    )
    grades = Template(user="{question} {answer}", pattern=r"w(\d+)", lowest=0, highest=59)
    judge = WritingJudge(
        EndpointWriter(settings(base_url, model=model), tmp_path), pair_template=template, grade_template=grades
    )
    local = WritingJudge(
        LocalWriter(tiny(), name="x", max_new_tokens=5, batch_size=1), pair_template=template, grade_template=grades
    )
    pairs = [Pair("w1", "w2 w3", "w4"), Pair("w5", "w6", "w7")]
    assert judge_pairs(judge, pairs) == judge_pairs(local, pairs)
    items = [Item("w8", "w9"), Item("w10 w11", "w12")]
    verdicts = judge_items(judge, items)
    assert verdicts == judge_items(local, items)
    assert any(verdict.value is not None for verdict in verdicts)


@LONG
def test_a_real_server_refuses_an_unknown_model(served, tmp_path):
    base_url, _ = served
    with pytest.raises(UserError, match=r"it refused the request \(400\); check model and parameters: .*pinned"):
        EndpointWriter(settings(base_url, model="other"), tmp_path).write([Prompt("w1")])


# ---- a server that misbehaves ----------------------------------------------------------------------------------------


@pytest.fixture
def faulty():
    """A running misbehaving server."""
    with running() as server:
        yield server


def writer(server: Faulty, cache, pauses: list | None = None, **changes) -> EndpointWriter:
    """A writer to the misbehaving server that notes its pauses instead of sleeping."""
    return EndpointWriter(
        settings(server.base_url, **changes), cache, sleep=(pauses if pauses is not None else []).append
    )


def test_answers_are_cached_and_asked_once(faulty, tmp_path):
    faulty.script = [good("one")]
    prompts = [Prompt("a"), Prompt("b", system="s"), Prompt("a")]
    assert writer(faulty, tmp_path).write(prompts) == ["one"] * 3
    assert [body["messages"][-1]["content"] for body in faulty.seen] == ["a", "b"]
    assert faulty.seen[1]["messages"][0] == {"role": "system", "content": "s"}
    assert faulty.seen[0]["temperature"] == 0.0
    assert faulty.seen[0]["max_tokens"] == 5
    faulty.script = [bad(500)]
    assert writer(faulty, tmp_path).write(prompts) == ["one"] * 3
    assert len(faulty.seen) == 2
    faulty.script = [good("other")]
    for change in ({"temperature": 0.5}, {"max_tokens": 6}, {"model": "big"}, {"parameters": {"top_p": 0.5}}):
        assert writer(faulty, tmp_path, **change).write(prompts[:1]) == ["other"]
    assert faulty.seen[-1]["top_p"] == 0.5
    assert len(faulty.seen) == 6


def test_what_was_answered_before_a_fault_is_kept(faulty, tmp_path):
    faulty.script = [good("one"), bad(401)]
    with pytest.raises(UserError, match="401"):
        writer(faulty, tmp_path).write([Prompt("a"), Prompt("b")])
    faulty.script = [good("two")]
    assert writer(faulty, tmp_path).write([Prompt("a"), Prompt("b")]) == ["one", "two"]
    assert [body["messages"][-1]["content"] for body in faulty.seen] == ["a", "b", "b"]


@pytest.mark.parametrize("damage", ["[]", '"text"', "{", "", '{"answer": "two", "request": {}}'])
def test_a_damaged_cached_answer_is_asked_for_again(faulty, tmp_path, caplog, damage):
    faulty.script = [good("one")]
    writer(faulty, tmp_path).write([Prompt("a")])
    (file,) = tmp_path.rglob("*.json")
    file.write_text(damage)
    assert writer(faulty, tmp_path).write([Prompt("a")]) == ["one"]
    assert f"{file}: damaged answer in the cache; asking again" in caplog.text
    assert len(faulty.seen) == 2


@LONG
def test_no_byte_of_a_cached_answer_can_change_unnoticed(faulty, tmp_path):
    faulty.script = [good("one")]
    asked = writer(faulty, tmp_path)
    asked.write([Prompt("a")])
    (file,) = tmp_path.rglob("*.json")
    whole = file.read_bytes()
    faulty.script = [good("asked again")]
    answers = set()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        answers.update(asked.write([Prompt("a")]))
    assert answers <= {"one", "asked again"}  # "one" where the byte means nothing, as in white space
    assert len(faulty.seen) > 0.8 * len(whole)


def test_the_key_comes_from_the_environment_and_never_shows(faulty, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(UserError, match="key_variable: the environment has no MY_JUDGE_KEY"):
        writer(faulty, tmp_path, key_variable="MY_JUDGE_KEY")
    monkeypatch.setenv("MY_JUDGE_KEY", KEY)
    faulty.script = [bad(500, f"key {KEY} broke"), good()]
    assert writer(faulty, tmp_path, key_variable="MY_JUDGE_KEY").write([Prompt("a")]) == ["[[7]]"]
    assert faulty.keys == [f"Bearer {KEY}"] * 2
    faulty.script = [bad(403, f"key {KEY} may not")]
    with pytest.raises(UserError, match=r"may not use model 'tiny' \(403\).*key \*\*\* may not") as caught:
        writer(faulty, tmp_path, key_variable="MY_JUDGE_KEY").write([Prompt("b")])
    assert KEY not in str(caught.value)
    assert "it failed (500)" in caplog.text
    assert KEY not in caplog.text
    assert all(KEY not in file.read_text() for file in tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    "answer, message",
    [
        (bad(401, "bad key"), r"refused the key \(none was sent: set key_variable\) \(401\); check the key"),
        (bad(404), r"knows no model 'tiny', or base_url lacks /v1 \(404\)"),
        (bad(400, "max_tokens too big"), r"refused the request \(400\); .* max_tokens too big"),
        (bad(429, "pay", code="insufficient_quota"), r"no quota left \(429\)"),
    ],
)
def test_faults_that_stay_end_at_once(faulty, tmp_path, answer, message):
    faulty.script = [answer]
    pauses: list[float] = []
    with pytest.raises(UserError, match=f"judge endpoint {faulty.base_url}: .*{message}"):
        writer(faulty, tmp_path, pauses).write([Prompt("a")])
    assert len(faulty.seen) == 1
    assert pauses == []


def test_rate_limit_waits_as_long_as_asked(faulty, tmp_path):
    faulty.script = [bad(429, **{"Retry-After": "7"}), bad(503), bad(429, **{"Retry-After": "900"}), good("fine")]
    pauses: list[float] = []
    assert writer(faulty, tmp_path, pauses, attempts=5, max_wait_s=20.0).write([Prompt("a")]) == ["fine"]
    assert pauses[0] == 7
    assert 1 <= pauses[1] <= 5
    assert pauses[2] == 20
    assert len(faulty.seen) == 4


@pytest.mark.parametrize(
    "answer, message",
    [
        (bad(429), r"too many requests or no quota left \(429\)"),
        (bad(502), r"it failed \(502\); try again later"),
        ((200, {"Content-Type": "text/html"}, b"<html>hello</html>"), "not that of an OpenAI-compatible server"),
        ((200, {}, b"{broken"), "not that of an OpenAI-compatible server"),
        ((200, {}, b'{"choices": []}'), "not that of an OpenAI-compatible server"),
        ((200, {}, b"[]"), "not that of an OpenAI-compatible server"),
        (good(5), "not that of an OpenAI-compatible server"),
    ],
)
def test_faults_that_may_pass_are_tried_again_then_named(faulty, tmp_path, answer, message):
    faulty.script = [answer]
    pauses: list[float] = []
    with pytest.raises(UserError, match=message):
        writer(faulty, tmp_path, pauses).write([Prompt("a")])
    assert len(faulty.seen) == 3
    assert len(pauses) == 2
    faulty.script = [answer, good("fine")]
    assert writer(faulty, tmp_path).write([Prompt("a")]) == ["fine"]


@pytest.mark.parametrize("nothing", [None, "", "  ", []])
def test_an_answer_without_text_is_counted_kept_and_not_asked_again(faulty, tmp_path, caplog, nothing):
    """A reasoning model that used up its tokens: the other questions, which were paid for, keep their answers."""
    faulty.script = [good("[[8]]"), good(nothing, "length"), good("[[9]]")]
    prompts = [Prompt("a"), Prompt("b"), Prompt("c"), Prompt("b")]
    for _ in range(2):
        caplog.clear()
        answers = writer(faulty, tmp_path).write(prompts)
        assert [text.strip() for text in answers] == ["[[8]]", "", "[[9]]", ""]
        assert (
            "1 of 3 answers of tiny hold no text and count as unreadable, 1 of them used up their tokens" in caplog.text
        )
        assert "raise max_new_tokens (now 5)" in caplog.text
    assert len(faulty.seen) == 3
    faulty.script = [good("[[7]]")]
    assert (
        writer(faulty, tmp_path, max_tokens=50).write(prompts[:2]) == ["[[7]]"] * 2
    )  # asked anew with the other limit


def test_a_refusal_without_text_is_not_blamed_on_the_limit(faulty, tmp_path, caplog):
    faulty.script = [good(None, "content_filter")]
    assert writer(faulty, tmp_path).write([Prompt("a")]) == [""]
    assert "1 of 1 answers of tiny hold no text and count as unreadable, 0 of them used up" in caplog.text
    assert "raise" not in caplog.text


def test_an_answer_cut_at_the_limit_is_counted(faulty, tmp_path, caplog):
    faulty.script = [good("I think that", "length")]
    given = {"max_completion_tokens": 30}
    assert writer(faulty, tmp_path, parameters=given).write([Prompt("a")]) == ["I think that"]
    assert "1 of 1 answers of tiny are cut at the limit: raise max_completion_tokens (now 30)" in caplog.text
    assert "max_tokens" not in faulty.seen[0]


def test_an_answer_in_parts_is_its_text(faulty, tmp_path):
    parts = [{"type": "thinking", "thinking": "..."}, {"type": "text", "text": "[["}, {"type": "text", "text": "7]]"}]
    faulty.script = [good(parts)]
    assert writer(faulty, tmp_path).write([Prompt("a")]) == ["[[7]]"]


REFUSED = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."


@pytest.mark.parametrize("attempts", [1, 3])
def test_the_limit_gets_its_other_name_where_the_endpoint_asks_for_it(faulty, tmp_path, attempts):
    faulty.script = [bad(400, REFUSED, code="unsupported_parameter", param="max_tokens"), good("one"), good("two")]
    pauses: list[float] = []
    asked = writer(faulty, tmp_path, pauses, attempts=attempts)
    assert asked.write([Prompt("a"), Prompt("b")]) == ["one", "two"]
    assert [("max_tokens" in body, body.get("max_completion_tokens")) for body in faulty.seen] == [
        (True, None),
        (False, 5),
        (False, 5),
    ]
    assert pauses == []
    assert writer(faulty, tmp_path).write([Prompt("a"), Prompt("b")]) == ["one", "two"]
    assert len(faulty.seen) == 3
    faulty.script = [bad(400, REFUSED, code="unsupported_parameter", param="max_tokens")]
    with pytest.raises(UserError, match=r"it refused parameter 'max_tokens' \(400\)"):
        writer(faulty, tmp_path / "other").write([Prompt("a")])


@pytest.mark.parametrize(
    ("parameter", "message", "code"),
    [
        ("temperature", "Unsupported value: 'temperature' does not support 0 with this model.", "unsupported_value"),
        ("stop", "Unsupported parameter: 'stop' is not supported with this model.", None),
    ],
)
def test_a_refused_parameter_is_named_and_null_leaves_it_out(faulty, tmp_path, parameter, message, code):
    faulty.script = [bad(400, message, code=code, param=parameter if code else None)]
    usual = {"stop": ["\n"]}
    with pytest.raises(
        UserError, match=rf"refused parameter '{parameter}' \(400\); {{\"{parameter}\": null}} in param"
    ):
        writer(faulty, tmp_path, parameters=usual).write([Prompt("a")])
    assert parameter in faulty.seen[0]
    faulty.script = [good("fine")]
    assert writer(faulty, tmp_path, parameters={**usual, parameter: None}).write([Prompt("a")]) == ["fine"]
    assert parameter not in faulty.seen[-1]


def test_silence_is_a_timeout(faulty, tmp_path):
    faulty.script = [(200, {}, None)]
    with pytest.raises(UserError, match=r"no answer within 0.2 s; raise timeout_s"):
        writer(faulty, tmp_path, timeout_s=0.2, attempts=2).write([Prompt("a")])


def test_refused_connection(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(UserError, match=f"judge endpoint {dead}: no connection; check base_url"):
        EndpointWriter(settings(dead), tmp_path, sleep=lambda seconds: None).write([Prompt("a")])


def test_unreadable_verdicts_count_as_unparsed(faulty, tmp_path):
    faulty.script = [good("I cannot say"), good("[[8]]")]
    judge = WritingJudge(
        writer(faulty, tmp_path), grade_template=Template(user="{question} {answer}", pattern=r"\[\[(\d+)\]\]")
    )
    verdicts = judge_items(judge, [Item("q1", "a"), Item("q2", "a")])
    assert [verdict.value for verdict in verdicts] == [None, 8.0]


def test_cost_is_logged_before_asking(faulty, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    faulty.script = [good("one")]
    chosen = {"price_in": 2.5, "price_out": 10.0, "max_tokens": 1000}
    writer(faulty, tmp_path, **chosen).write([Prompt("x" * 4000), Prompt("y")])
    writer(faulty, tmp_path, **chosen).write([Prompt("x" * 4000), Prompt("y"), Prompt("z")])
    first, second = (record.getMessage() for record in caplog.records if "asking tiny" in record.getMessage())
    assert "2 calls (0 of 2 are cached), about 1016 tokens to read, at most 2000 to write, about 0.02 at most" in first
    assert "1 calls (2 of 3 are cached)" in second


@pytest.mark.parametrize(
    "change, message",
    [
        ({"base_url": "localhost:8000"}, "base_url: 'localhost:8000' is not an http"),
        ({"api": "responses"}, "api: 'responses' is not one of chat, completions"),
        ({"attempts": 0}, "attempts: 0 is below 1"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"model": ""}, "model: no name given"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(UserError, match=message):
        settings(**{"base_url": "http://x/v1", **change})
