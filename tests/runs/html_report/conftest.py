"""A headless Chromium, driven by its DevTools protocol, and the results of a run without training."""

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

SECONDS = 60  # until a silent browser is killed
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe",
    "--disable-background-networking", "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND",
]  # fmt: skip


class Chromium:
    """Commands and events of the DevTools protocol, JSON that ends with a zero byte, over two pipes."""

    def __init__(self, program, profile):
        from_us, self.writer = os.pipe()
        self.reader, from_browser = os.pipe()
        # The browser reads from file descriptor 3 and writes to 4.
        wrapper = ["bash", "-c", f'exec "$@" 3<&{from_us} 4>&{from_browser}', "bash"]
        self.process = subprocess.Popen(
            [*wrapper, program, *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(from_us, from_browser), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(from_us)
        os.close(from_browser)
        self.number, self.buffer, self.events = 0, b"", []
        target = self.call("Target.createTarget", url="about:blank", session=None)["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True, session=None)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, session="this", **parameters):
        """Send a command and return its result; collect the events until then."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = self.session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def receive(self):
        watchdog = threading.Timer(SECONDS, self.process.kill)
        watchdog.start()
        while b"\0" not in self.buffer:
            received = os.read(self.reader, 1 << 16)
            assert received, "the browser ended"
            self.buffer += received
        watchdog.cancel()
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def open(self, path, *, width=1400, dark=False):
        """Open a file; return the complaints of the browser and the requests other than the file and data."""
        self.call("Page.navigate", url="about:blank")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.evaluate("1")
        self.events.clear()
        url = Path(path).resolve().as_uri()
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive())
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")
        complaints = [text for event in self.events if (text := complaint(event))]
        requests = [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]
        return complaints, [request for request in requests if request != url and not request.startswith("data:")]

    def evaluate(self, expression):
        """The value of an expression in the page, once it is there."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def close(self):
        os.close(self.writer)
        self.process.kill()
        self.process.wait()
        os.close(self.reader)


def complaint(event):
    """The text of an event that is an error or a warning of the page, else an empty one."""
    found = event["params"]
    if event["method"] == "Log.entryAdded" and found["entry"]["level"] in ("warning", "error"):
        return found["entry"]["text"]
    if event["method"] == "Runtime.consoleAPICalled" and found["type"] in ("warning", "error", "assert"):
        return str(found["args"])
    if event["method"] == "Runtime.exceptionThrown":
        return found["exceptionDetails"].get("exception", {}).get("description", found["exceptionDetails"]["text"])
    return ""


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A browser; without one, the test is skipped."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine (Debian's package is chromium)")
    browser = Chromium(program, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()
