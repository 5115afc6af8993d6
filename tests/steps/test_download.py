"""Step download against servers on this machine: whole and checked, or one clear line and nothing left behind."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow
import pytest
import tenacity
from pyarrow import parquet

from scripts.common.errors import UserError
from scripts.data import download, fetching, prepare_examples
from tests.hub import COMMIT, run_step, running, sha1


def as_parquet(**columns):
    """Return the bytes of a parquet file with these columns."""
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


BODY = "first row\nsecond rów\n".encode() * 200
SHA256 = hashlib.sha256(BODY).hexdigest()
GIT_BLOB = sha1(b"blob %d\0" % len(BODY) + BODY)
PARTS = {
    "default/train/0001.parquet": as_parquet(text=["c"]),
    "default/train/0000.parquet": as_parquet(text=["a", "b"]),
    "default/test/0000.parquet": as_parquet(text=["d"]),
    "other/mixed/0000.parquet": as_parquet(text=["e"]),
    "other/mixed/0001.parquet": as_parquet(number=[1]),
}


@pytest.fixture
def server():
    with running(BODY, {"org/data": {"x.json": BODY}, "org/parts": PARTS}) as made:
        yield made


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(fetching, "WAIT", tenacity.wait_none())


def settings(server, path, **values):
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return json.dumps({"name": "set/train", "url": url, "hub": None, "sha256": None, "git_blob": None, **values})


def fetch(tmp_path, text, name="raw/x.txt"):
    target = tmp_path / name
    download.main(
        ["file", "--settings", text, "--file-out", str(target), "--checksums", str(tmp_path / "checksums.json")]
    )
    return target


def visible(folder):
    return sorted(path.name for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("path", ["/good", "/busy-once", "/cut-once"])
def test_file_arrives_whole(server, tmp_path, path):
    target = fetch(tmp_path, settings(server, path, sha256=SHA256, git_blob=GIT_BLOB))
    assert target.read_bytes() == BODY
    assert server.asked[path] == (1 if path == "/good" else 2)
    entry = json.loads((tmp_path / "checksums.json").read_text())["set/train"]
    assert entry == {"from": json.loads(settings(server, path))["url"], "sha256": SHA256}
    assert visible(tmp_path / "raw") == ["x.txt", "x.txt.sha256"]


@pytest.mark.parametrize(
    ("path", "values", "told", "times"),
    [
        ("/missing", {}, "not found (HTTP 404); mend the url in the registry", 1),
        ("/private", {}, "access refused (HTTP 403)", 1),
        ("/busy", {}, "the server answers HTTP 503, 4 times in a row; try later", 4),
        ("/cut", {}, "the transfer broke off after", 4),
        ("/good", {"sha256": "0" * 64}, f"sha256 is {SHA256} but the registry says {'0' * 64}", 1),
        ("/good", {"git_blob": "0" * 40}, f"git blob is {GIT_BLOB} but the registry says {'0' * 40}", 1),
    ],
)
def test_faults_leave_nothing_behind(server, tmp_path, path, values, told, times):
    with pytest.raises(UserError) as error:
        fetch(tmp_path, settings(server, path, **values))
    assert told in str(error.value)
    assert path in str(error.value)
    assert "\n" not in str(error.value)
    assert server.asked[path] == times
    refused = "HTTP 40" in told  # for good, which the next plan reads from a note
    assert visible(tmp_path) == (["x.txt.refused"] if refused else [])


def test_the_note_of_a_refusal_says_why_and_goes_with_the_next_fetch(server, tmp_path):
    with pytest.raises(UserError):
        fetch(tmp_path, settings(server, "/private"))
    note = tmp_path / "raw/x.txt.refused"
    assert note.read_text().endswith(
        "access refused (HTTP 403); mend the url in the registry; remove x.txt.refused to try again\n"
    )
    fetch(tmp_path, settings(server, "/good"))
    assert not note.exists()


def test_an_older_file_survives_a_failed_fetch(server, tmp_path):
    (tmp_path / "x.txt").write_text("older")
    with pytest.raises(UserError):
        fetch(tmp_path, settings(server, "/missing"), name="x.txt")
    assert (tmp_path / "x.txt").read_text() == "older"


def test_first_fetch_is_recorded_and_holds_the_later_ones(server, tmp_path):
    text = settings(server, "/good")
    fetch(tmp_path, text)
    server.body = BODY + b"changed upstream\n"
    with pytest.raises(UserError, match=f"the first download says {SHA256}"):
        fetch(tmp_path, text)
    assert (tmp_path / "raw/x.txt").read_bytes() == BODY


def test_a_file_damaged_after_its_fetch_is_refused_and_can_be_fetched_again(server, tmp_path):
    target = fetch(tmp_path, settings(server, "/good"))
    reading = {"reader": "csv", "schema": "classification", "columns": {"input": "text", "output": "text"}}
    reading.update(labels=None, header=["text"], task="rows", limit=None, seed=0)
    arguments = ["--raw", str(target), "--settings", json.dumps(reading), "--examples-out", str(tmp_path / "out.jsonl")]
    target.write_bytes(BODY.replace(b"first", b"fIrst", 1))
    with pytest.raises(UserError, match=r"x\.txt: damaged, its sum is not the one in x\.txt\.sha256; delete both"):
        prepare_examples.main(arguments)
    assert not (tmp_path / "out.jsonl").exists()
    for path in (target, target.with_name("x.txt.sha256")):
        path.unlink()
    fetch(tmp_path, settings(server, "/good"))
    prepare_examples.main(arguments)
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])["input"] == "first row"


def test_no_network(server, tmp_path):
    text = settings(server, "/good")
    server.shutdown()
    server.server_close()
    with pytest.raises(UserError, match="cannot reach the server, 4 times in a row; try later, connect this machine"):
        fetch(tmp_path, text)
    assert visible(tmp_path) == []


def test_full_disk(server, tmp_path, monkeypatch):
    def full(settings, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_fetch_url", full)
    with pytest.raises(UserError, match=r"x\.txt: no space left on the disk; free some and run again"):
        fetch(tmp_path, settings(server, "/good"))
    assert visible(tmp_path) == []


def test_wrong_address_and_no_address(server, tmp_path):
    with pytest.raises(UserError, match="mend the url"):
        fetch(tmp_path, settings(server, "/good", url="nowhere"))
    with pytest.raises(UserError, match="neither 'url' nor 'hub'"):
        fetch(tmp_path, settings(server, "/good", url=None))


def test_downloads_side_by_side_all_record_themselves(tmp_path):
    path = tmp_path / "checksums.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: download.record(path, f"set/{n}", "here", "sha256", str(n)), range(40)))
    assert len(json.loads(path.read_text())) == 40


def test_mirror_files_are_checked_packed_or_not(tmp_path):
    text = json.dumps({"name": "set/train", "url": "https://x/y", "hub": None, "sha256": SHA256, "git_blob": GIT_BLOB})
    arguments = ["check", "--settings", text, "--file", str(tmp_path / "x.txt")]
    with pytest.raises(
        UserError, match=r"not in the mirror \(nor x\.txt\.gz\), wanted as set/train; get it from https"
    ):
        download.main(arguments)
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(BODY))
    download.main(arguments)
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(BODY)[:-5])
    with pytest.raises(UserError, match="damaged or incomplete gzip"):
        download.main(arguments)
    (tmp_path / "x.txt").write_bytes(BODY[:-5])
    with pytest.raises(UserError, match="sha256 is"):
        download.main(arguments)


def from_hub(server, tmp_path, *arguments):
    return run_step(server, tmp_path / "home", "scripts.data.download", *arguments)


def test_data_file_from_the_hub(server, tmp_path):
    hub = {"repo": "org/data", "revision": COMMIT, "path": "x.json"}
    text = json.dumps({"name": "d/train", "url": None, "hub": hub, "sha256": SHA256, "git_blob": None})
    arguments = ["file", "--settings", text, "--file-out", tmp_path / "x", "--checksums", tmp_path / "checksums.json"]
    code, last = from_hub(server, tmp_path, *arguments)
    assert code == 0, last
    assert (tmp_path / "x").read_bytes() == BODY
    code, last = from_hub(server, tmp_path, *[str(word).replace("x.json", "y.json") for word in arguments])
    assert (code, "no such file in that repository" in last) == (1, True)


def fetch_parts(server, tmp_path, pattern):
    hub = {"repo": "org/parts", "revision": COMMIT, "path": pattern}
    text = json.dumps({"name": "d/train", "url": None, "hub": hub, "sha256": None, "git_blob": None})
    flags = ["--file-out", tmp_path / "out/train.parquet", "--checksums", tmp_path / "checksums.json"]
    return from_hub(server, tmp_path, "file", "--settings", text, *flags)


def test_parquet_parts_from_the_hub_become_one_file(server, tmp_path):
    code, last = fetch_parts(server, tmp_path, "default/train/*.parquet")
    assert code == 0, last
    assert parquet.read_table(tmp_path / "out/train.parquet").to_pydict() == {"text": ["a", "b", "c"]}
    in_a_row = b"".join(PARTS[name] for name in sorted(PARTS) if "train" in name)
    known = json.loads((tmp_path / "checksums.json").read_text())
    assert known["d/train"]["sha256"] == hashlib.sha256(in_a_row).hexdigest()
    assert [path.name for path in (tmp_path / "out").iterdir() if "sha256" not in path.name] == ["train.parquet"]


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("default/dev/*.parquet", "matches none of that repository's 5 files (default/test/0000.parquet, "),
        ("other/mixed/*.parquet", "its parquet parts cannot become one file"),
    ],
)
def test_faults_of_parts(server, tmp_path, pattern, told):
    code, last = fetch_parts(server, tmp_path, pattern)
    assert code == 1
    assert last.startswith("error: d/train: org/parts@")
    assert told in last
    assert not any((tmp_path / "out").iterdir())


def test_changed_parts_are_noticed(server, tmp_path):
    assert fetch_parts(server, tmp_path, "default/train/*.parquet")[0] == 0
    server.repos["org/parts"] = {**PARTS, "default/train/0001.parquet": as_parquet(text=["z"])}
    code, last = fetch_parts(server, tmp_path, "default/train/*.parquet")
    assert (code, "the first download says" in last) == (1, True), last
