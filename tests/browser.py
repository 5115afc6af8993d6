"""A headless Chromium for tests of HTML pages, driven through its debugging pipe: no driver, no package, no port."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
TIMEOUT_S = 120  # of one answer; a busy machine is slow, not broken


class Page:
    """One open page. `faults` collects console errors, uncaught exceptions and requests that left the file."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._ids = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        self.faults: list[str] = []

    def open(self, url: str, width: int, height: int, scheme: str, scripts: bool) -> None:
        """Open a page and wait until it is loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.show_as(scheme)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Page.navigate", url=url)
        self._until(lambda event: event.get("method") == "Page.loadEventFired")

    def show_as(self, scheme: str, media: str = "") -> None:
        """Show the page in a colour scheme ("light", "dark") and, with media "print", as it would be printed."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression, a promise's once it is kept. Raises on an exception."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def choose(self, element: str, value: str) -> None:
        """Choose an option of a <select>, or set a range, as a user would."""
        self.run(
            f"(() => {{ const e = document.getElementById({json.dumps(element)}); e.value = {json.dumps(value)};"
            " for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true})); })()"
        )

    def click(self, x: float, y: float) -> None:
        """Move the mouse to a place of the window and click."""
        for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            more = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1, "buttons": buttons}
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)
            self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def screenshot(self, path: Path) -> None:
        """Save what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol and return its result."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        answer = self._until(lambda event: event.get("id") == number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def _until(self, wanted: Any) -> dict[str, Any]:
        """Return the next message that is wanted, or one that came meanwhile; note faults on the way."""
        for place, event in enumerate(self._events):
            if wanted(event):
                return self._events.pop(place)
        end = time.monotonic() + TIMEOUT_S
        while True:
            while b"\0" not in self._rest:
                ready, _, _ = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))
                received = os.read(self._answers, 1 << 20) if ready else b""
                if not received:
                    raise AssertionError("Chromium closed the pipe" if ready else "Chromium does not answer")
                self._rest += received
            text, _, self._rest = self._rest.partition(b"\0")
            event = json.loads(text)
            self._note(event)
            if wanted(event):
                return event
            if event.get("method", "").startswith("Page."):
                self._events.append(event)

    def _note(self, event: dict[str, Any]) -> None:
        method, details = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(details["exceptionDetails"])[:400])
        elif method == "Runtime.consoleAPICalled" and details["type"] in ("error", "warning"):
            self.faults.append(f"console: {json.dumps(details['args'])[:400]}")
        elif method == "Log.entryAdded" and details["entry"]["level"] in ("error", "warning"):
            self.faults.append(f"log: {details['entry']['text']}")
        elif method == "Network.requestWillBeSent":
            url = details["request"]["url"]
            if not url.startswith(("file:", "data:", "blob:")):
                self.faults.append(f"request: {url}")


def find_chromium() -> str:
    """Return the browser's path; skips the test with the reason where there is none."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip(f"needs Chromium: none of {', '.join(NAMES)} is installed")
    return found


def _high(descriptor: int) -> int:
    """Return the same file under a number from 10 on."""
    number = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return number


@contextlib.contextmanager
def open_page(
    path: Path, *, place: str = "", width: int = 1500, height: int = 1250, scheme: str = "light", scripts: bool = True
) -> Iterator[Page]:
    """Open an HTML file in a fresh headless browser, which ends with the block.

    place: what follows the address, e.g. "#top"; width, height: of the window in pixels, below 600 a phone's; scheme:
    light or dark; scripts: whether the page's scripts run.
    """
    browser = find_chromium()
    # Numbers from 10 on, out of the way of 3 and 4.
    read_commands, write_commands, read_answers, write_answers = map(_high, (*os.pipe(), *os.pipe()))
    flags = "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-extensions"
    # The browser's own processes may still write while it is removed.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The protocol's pipes are file descriptors 3 and 4: a shell puts them there, then becomes the browser.
        script = f'exec 3<&{read_commands} 4>&{write_answers}; exec "$0" "$@"'
        process = subprocess.Popen(
            ["bash", "-c", script, browser, *flags.split(), f"--user-data-dir={profile}", "--remote-debugging-pipe"],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        try:
            page = Page(write_commands, read_answers)
            page.open(path.resolve().as_uri() + place, width, height, scheme, scripts)
            yield page
        finally:
            process.terminate()
            process.wait(timeout=TIMEOUT_S)
            os.close(write_commands)
            os.close(read_answers)
