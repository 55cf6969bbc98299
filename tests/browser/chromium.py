"""Headless Chromium, by its DevTools protocol over a pipe: JSON messages that end with a zero byte.

It needs nothing but Chromium itself: no driver program, no library, and no port that others could reach.
The protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

DEADLINE_SECONDS = 30

# Chromium reads commands from 3, and writes to 4.
_PLACE_PIPES = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4);"
    " os.execv(sys.argv[3], sys.argv[3:])"
)
_OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    # As root in a container there is no sandbox to be had; it only sees pages of our own.
    "--no-sandbox",
)
_HIGH = 10  # above the two numbers that Chromium wants

Message = dict[str, Any]


class Chromium:
    """One browser process, with pages of its own. Leaving the context ends it."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._unread = b""
        self._last_id = 0
        self._events: list[Message] = []

    def __enter__(self) -> Self:
        commands, self._write = _high_pipe()
        self._read, answers = _high_pipe()
        command = (str(self._program), f"--user-data-dir={self._folder}", *_OPTIONS)
        with (self._folder / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  found by its package, with arguments from here
                [sys.executable, "-c", _PLACE_PIPES, str(commands), str(answers), *command],
                pass_fds=(commands, answers),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        os.close(commands)
        os.close(answers)
        return self

    def __exit__(self, *_: object) -> None:
        # It ends when nobody holds the other end of its pipe any more.
        os.close(self._write)
        try:
            self._process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)

    def command(self, method: str, session: str | None = None, **parameters: Any) -> Message:
        """Have it done, and return what came of it."""
        self._last_id += 1
        message: Message = {"id": self._last_id, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        answer = self._next(lambda received: received.get("id") == message["id"])
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: Message = answer["result"]
        return result

    def forget_events(self) -> None:
        self._events.clear()

    def wait_for(self, event: str, session: str) -> Message:
        """The next event of that name, if it has not come already."""

        def is_it(message: Message) -> bool:
            return message.get("method") == event and message.get("sessionId") == session

        for message in self._events:
            if is_it(message):
                return message
        return self._next(is_it)

    def _next(self, wanted: Callable[[Message], bool]) -> Message:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            message = self._receive(deadline)
            if wanted(message):
                return message
            self._events.append(message)

    def _receive(self, deadline: float) -> Message:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._read], [], [], max(0, deadline - time.monotonic()))
            assert ready, "Chromium does not answer"
            received = os.read(self._read, 1 << 20)
            assert received, f"Chromium has ended: {(self._folder / 'chromium.log').read_text()}"
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\0")
        message: Message = json.loads(line)
        return message


class Page:
    """A tab, as wide as a phone's screen or a desktop's window, with or without scripts."""

    def __init__(self, browser: Chromium, *, scripts: bool = False, width: int = 390) -> None:
        self._browser = browser
        target = browser.command("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.command("Target.attachToTarget", targetId=target, flatten=True)
        self._session: str = attached["sessionId"]
        self.command("Page.enable")
        self.command("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.resize(width)

    def command(self, method: str, **parameters: Any) -> Message:
        return self._browser.command(method, self._session, **parameters)

    def resize(self, width: int, height: int = 844) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2,
            mobile=False,
        )

    def prefer(self, scheme: str) -> None:
        """A `light` or a `dark` look."""
        preferred = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", features=preferred)

    def open(self, url: str) -> None:
        self._loads(lambda: self.command("Page.navigate", url=url))

    def click(self, selector: str) -> None:
        """Press what is there, with the mouse, and wait for the page that follows."""
        x, y = self._middle(selector)
        self._loads(lambda: self._mouse(x, y))

    def write(self, selector: str, text: str) -> None:
        x, y = self._middle(selector)
        self._mouse(x, y)
        self.command("Input.insertText", text=text)

    def press(self, key: str, *, loads: bool = False) -> None:
        """A key, such as `Tab` or `Enter`; wait for the page that follows, if it `loads` one."""
        text = {"Enter": "\r"}.get(key, "")
        code = {"Tab": 9, "Enter": 13}[key]

        def stroke() -> None:
            for kind in ("keyDown", "keyUp"):
                self.command(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    code=key,
                    text=text if kind == "keyDown" else "",
                    windowsVirtualKeyCode=code,
                )

        if loads:
            self._loads(stroke)
        else:
            stroke()

    def evaluate(self, expression: str) -> Any:
        """What the expression gives; ours run also where the page's scripts do not."""
        answer = self.command(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def words(self) -> str:
        """What is to be read, as one line."""
        return " ".join(str(self.evaluate("document.body.innerText")).split())

    def picture(self, file: Path) -> None:
        """The whole page, as a PNG."""
        answer = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(answer["data"]))

    def _loads(self, trigger: Callable[[], object]) -> None:
        self._browser.forget_events()
        trigger()
        self._browser.wait_for("Page.loadEventFired", self._session)

    def _middle(self, selector: str) -> tuple[float, float]:
        root = self.command("DOM.getDocument")["root"]["nodeId"]
        node = self.command("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        assert node, f"there is no {selector} on the page"
        self.command("DOM.scrollIntoViewIfNeeded", nodeId=node)
        (left, top, _, _, right, bottom, *_) = self.command("DOM.getBoxModel", nodeId=node)["model"]["border"]
        return (left + right) / 2, (top + bottom) / 2

    def _mouse(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


def _high_pipe() -> tuple[int, int]:
    """A pipe whose ends have numbers that collide with none of Chromium's."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _HIGH) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]
