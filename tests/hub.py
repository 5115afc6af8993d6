"""A server on this machine that plays a site with files and the model hub, and the step as a process that asks it."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Iterator, Mapping

COMMIT = "a" * 40


def sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def files_below(folder: Path) -> dict[str, bytes]:
    """Return a folder as a repository of the hub: its files by their paths in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Handler(http.server.BaseHTTPRequestHandler):
    """Serve the server's `body` in sound and unsound ways, and its `repos` as far as a download needs the hub."""

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer(send_body=False)

    def do_GET(self):
        self.answer(send_body=True)

    def answer(self, send_body):
        path = self.path.partition("?")[0]
        self.server.asked[path] += 1
        status, headers, body = self.hub(path) if "org" in path else self.plain(path)
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if send_body:
            self.wfile.write(body)
        self.close_connection = True

    def plain(self, path):
        times, body = self.server.asked[path], self.server.body
        if path == "/good" or (path in ("/busy-once", "/cut-once") and times > 1):
            return 200, {}, body
        if path in ("/cut", "/cut-once"):
            return 200, {"Content-Length": len(body)}, body[:100]
        return {"/busy-once": 500, "/busy": 503, "/private": 403}.get(path, 404), {}, b"<html>error</html>"

    def hub(self, path):
        """Answer like the model hub: /api/models/<repo>..., /<repo>/resolve/<commit>/<file>."""
        known = [name for name in self.server.repos if f"{name}/" in f"{path}/"]
        if not known:
            if "gated" in path:
                return 403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "ask"}, b""
            return 404, {"X-Error-Code": "RepoNotFound"}, b""
        files = self.server.repos[known[0]]
        if "/tree/" in path:
            rows = [
                {"type": "file", "path": name, "size": len(body), "oid": sha1(body)} for name, body in files.items()
            ]
            return 200, {"Content-Type": "application/json"}, json.dumps(rows).encode()
        if path.startswith("/api/"):
            if "/revision/" in path and not path.endswith(COMMIT):
                return 404, {"X-Error-Code": "RevisionNotFound"}, b""
            info = {"id": known[0], "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
            return 200, {"Content-Type": "application/json"}, json.dumps(info).encode()
        body = files.get(path.partition("/resolve/")[2].partition("/")[2])
        if body is None:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        return 200, {"ETag": f'"{sha1(body)}"', "X-Repo-Commit": COMMIT}, body


@contextlib.contextmanager
def running(body: bytes, repos: Mapping[str, Mapping[str, bytes]]) -> Iterator[http.server.ThreadingHTTPServer]:
    """A running server with one plain file and repositories of the hub; `asked` counts what was asked."""
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked, made.body, made.repos = Counter(), body, dict(repos)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


def run_step(server, home: Path, module: str, *arguments: object, **variables: str) -> tuple[int, str]:
    """Run a step in its own process, where the hub's address can be set; return its exit code and its last line."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(home),
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stderr.splitlines()[-1] if done.stderr else ""
