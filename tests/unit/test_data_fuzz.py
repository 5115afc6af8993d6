"""No input of any reader ends in a traceback: changed files of its kind, and any bytes or text at all."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.common.errors import UserError
from scripts.data.json_forms import rows_of_object
from scripts.data.readers import READERS, read_raw
from scripts.data.rows import read_rows
from tests.fuzz_readers import fuzz

COUNT = 40  # files a reader; `python -m tests.fuzz_readers` reads on for minutes


@pytest.mark.parametrize("name", READERS)
def test_changed_files(name, caplog):
    caplog.set_level(logging.CRITICAL)
    assert fuzz(name, count=COUNT)[0] == COUNT


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.one_of(st.binary(max_size=80), st.text(alphabet='ab"\n\r\t,;|[]{}:0\\', max_size=60).map(str.encode)))
def test_any_bytes(tmp_path_factory, name, content):
    path = tmp_path_factory.mktemp("any") / "x"
    path.write_bytes(content)
    for read in (lambda: read_rows(path), lambda: read_raw(path, name, next(iter(READERS[name].columns), "text"))):
        try:
            assert isinstance(read(), list)
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "0", "columns", "a"]), inner),
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["data", "rows", "columns", "0", "a"]), JSON))
def test_any_object_is_a_row_or_holds_rows(value):
    try:
        found = rows_of_object(value, "x")
    except UserError:
        return
    assert found is None or len(found[1]) > 0 or value.get("data") == []
