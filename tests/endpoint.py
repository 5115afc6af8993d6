"""A judge endpoint for tests that plays a script: sound answers, faults, silence."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Iterator

Answer = tuple[int, dict[str, str], "bytes | None"]
SILENCE: Answer = (200, {}, None)


class Faulty(ThreadingHTTPServer):
    """Answers with the next (status, headers, body) of a list, with the last one for ever; body None = never."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), FaultyHandler)
        self.script: list[tuple[int, dict[str, str], bytes | None]] = []
        self.seen: list[dict] = []
        self.keys: list[str | None] = []
        self.release = threading.Event()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class FaultyHandler(BaseHTTPRequestHandler):
    """Plays the script of its server."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(body)
        self.server.keys.append(self.headers.get("Authorization"))
        script = self.server.script
        status, headers, answer = script.pop(0) if len(script) > 1 else script[0]
        if answer is None:
            self.server.release.wait(30)
            return
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args) -> None:
        """Say nothing."""


@contextlib.contextmanager
def running() -> Iterator[Faulty]:
    """A running endpoint, with an empty script."""
    server = Faulty()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        server.shutdown()
        server.server_close()


def good(text: object = "[[7]]", finish: str = "stop"):
    """A well-formed chat completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": finish, "message": message}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "tiny", "choices": [choice]}
    return 200, {}, json.dumps(body).encode()


def bad(status: int, message: str = "no", *, code: str | None = None, param: str | None = None, **headers: str):
    """An error as OpenAI's own endpoint words it."""
    error = {"message": message, "type": "x", "code": code, **({"param": param} if param else {})}
    return status, headers, json.dumps({"error": error}).encode()
