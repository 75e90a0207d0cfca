"""A real browser, driven over a pipe by the DevTools protocol: Chromium or Chrome, if one is installed."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

__all__ = ["Browser", "Tab", "find_browser"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Seconds to wait for an answer.
_PATIENCE = 60.0


def find_browser() -> str | None:
    """The program, if there is one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Browser:
    """A browser without a window; used as a context."""

    def __init__(self, program: str, profile: Path) -> None:
        flags = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--disable-gpu"]
        flags += [
            "--no-first-run",
            "--disable-background-networking",
            "--disable-extensions",
            "--disable-dev-shm-usage",
        ]
        flags += ["--force-device-scale-factor=1", "--hide-scrollbars", "--no-sandbox"]
        (theirs, ours), (self._read, other) = os.pipe(), os.pipe()
        ends = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in (theirs, other)]
        null = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)]
        actions += [(os.POSIX_SPAWN_DUP2, end, number) for end, number in zip(ends, (3, 4), strict=True)]
        self._process = os.posix_spawn(program, [program, *flags], os.environ, file_actions=actions, setpgroup=0)
        for one in (theirs, other, null, *ends):
            os.close(one)
        self._write = ours
        self._number = 0
        self._buffer = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, TimeoutError):
            self.call("Browser.close")
        os.close(self._write)
        os.close(self._read)
        until = time.monotonic() + 10
        while os.waitpid(self._process, os.WNOHANG) == (0, 0):
            if time.monotonic() > until:
                os.killpg(self._process, signal.SIGKILL)
                os.waitpid(self._process, 0)
                break
            time.sleep(0.01)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Call a method; returns its result. Events are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def wait_for(self, event: str, session: str) -> None:
        """Wait for an event."""
        while not any(one["method"] == event and one.get("sessionId") == session for one in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], _PATIENCE)[0]:
                raise TimeoutError
            more = os.read(self._read, 1 << 20)
            if not more:
                raise BrokenPipeError
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def open(self, url: str, *, width: int = 1440, height: int = 900, dark: bool = False) -> Tab:
        """Open a page and wait until it is complete."""
        return Tab(self, url, width, height, dark=dark)


class Tab:
    """A page that is open; used as a context."""

    def __init__(self, browser: Browser, url: str, width: int, height: int, *, dark: bool) -> None:
        self._browser = browser
        self._target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        browser.events.clear()
        self._call("Page.navigate", url=url)
        browser.wait_for("Page.loadEventFired", self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    def __call__(self, expression: str) -> Any:
        """The value of an expression of JavaScript; the page's own policy does not restrain it."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    @property
    def requests(self) -> list[str]:
        """The URLs that were requested."""
        return [one["params"]["request"]["url"] for one in self._events("Network.requestWillBeSent")]

    @property
    def complaints(self) -> list[str]:
        """What the browser's console has: errors, violations of the policy, warnings."""
        entries = [one["params"]["entry"]["text"] for one in self._events("Log.entryAdded")]
        thrown = [str(one["params"]) for one in self._events("Runtime.exceptionThrown", "Runtime.consoleAPICalled")]
        return entries + thrown

    def _events(self, *names: str) -> list[dict[str, Any]]:
        self("0")  # what was sent before the answer has come
        return [one for one in self._browser.events if one["method"] in names and one["sessionId"] == self._session]

    def type_into(self, selector: str, text: str) -> None:
        """Type into a field."""
        self(f"document.querySelector({json.dumps(selector)}).focus()")
        self._call("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        find = f"document.querySelector({json.dumps(selector)})"
        self(f"{find}.scrollIntoView({{block: 'center'}})")
        x, y = self(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({find}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def without_scripts(self) -> None:
        """Load the page again as a browser that runs no script."""
        self._call("Emulation.setScriptExecutionDisabled", value=True)
        self._browser.events.clear()
        self._call("Page.reload")
        self._browser.wait_for("Page.loadEventFired", self._session)

    def picture(self, *, whole: bool = False) -> bytes:
        """What is seen, or the whole page, as PNG."""
        answer = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])
