"""How far work is: a bar on a terminal, lines in a log, and how long the rest may take."""

from __future__ import annotations

import sys

import pytest

from scripts.common import progress
from scripts.common.durations import in_words
from scripts.common.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock whose only entry the test moves."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_log_gets_a_line_every_half_minute_with_the_rest_by_the_speed_so_far(clock, caplog):
    caplog.set_level("INFO")
    with Progress(100, "rows", done=40) as shown:
        for _ in range(60):
            clock[0] += 10.0
            shown.advance()
    assert lines(caplog)[0] == "44 of 100 rows; about 9 min left"  # 56 rows, 10 s each
    assert lines(caplog)[-1] == "100 of 100 rows"
    assert len(lines(caplog)) == 15  # one of four rows: the first that is more than half a minute later


def test_a_log_gets_a_line_at_each_part_and_where_asked(clock, caplog):
    caplog.set_level("INFO")
    shown = Progress(7, "steps", parts=2)
    for step in range(7):
        clock[0] += 1.0
        shown.advance(1, {"loss": 1 / (step + 1)}, line=step == 0)
    assert lines(caplog) == [
        "1 of 7 steps: loss 1; about 6 s left",
        "4 of 7 steps: loss 0.25; about 3 s left",
        "7 of 7 steps: loss 0.1429",
    ]


def test_several_at_a_time(clock, caplog):
    caplog.set_level("INFO")
    shown = Progress(10, "answers", parts=5)
    for count in (4, 4, 2):
        clock[0] += 1.0
        shown.advance(count)
    assert [line.partition(";")[0] for line in lines(caplog)] == [
        "4 of 10 answers", "8 of 10 answers", "10 of 10 answers",
    ]  # fmt: skip


def test_a_terminal_gets_a_bar_and_no_lines(monkeypatch, capsys, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress(4, "rows", done=1, parts=4) as shown:
        for _ in range(3):
            shown.advance(1, {"loss": 0.5})
    told = capsys.readouterr().err
    assert "4/4" in told
    assert "loss 0.5" in told
    assert not lines(caplog)


def test_of_several_processes_only_the_first_shows_it(monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setenv("RANK", "1")
    Progress(1, "rows", parts=1).advance()
    monkeypatch.setenv("RANK", "0")
    Progress(1, "rows", parts=1).advance()
    assert lines(caplog) == ["1 of 1 rows"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5000, "83 min"), (9000, "2.5 h")]
)
def test_durations(seconds, words):
    assert in_words(seconds) == words
