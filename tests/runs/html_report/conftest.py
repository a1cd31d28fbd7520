"""A headless Chromium, driven by its DevTools protocol, and the results of a run without training."""

import json
import os
import shutil
import subprocess
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.metrics import classification_report, confusion_matrix
from tinydnn.runs import Options, Run
from tinydnn.runs.files import Predictions
from tinydnn.runs.html_report.results import Results
from tinydnn.training.evaluation import Evaluation
from tinydnn.training.protocol import Step, Validation

HOSTILE = """<script>alert('x')</script>"><img src=http://example.org/x.png onerror=alert(1)>&amp;{{ 7*7 }}"""
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
        self.navigate("about:blank")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        url = Path(path).resolve().as_uri()
        self.navigate(url)
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")
        complaints = [text for event in self.events if (text := complaint(event))]
        requests = [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]
        return complaints, [request for request in requests if request != url and not request.startswith("data:")]

    def navigate(self, url):
        """Open an address and collect the events until it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self.receive())

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


@pytest.fixture
def results():
    """A function that makes the results of a run of N slices, three of each patient, with the given changes."""

    def make(folder="run", *, slices=30, names=("a", "b", "c"), seed=0, files=None, patients=None, **metrics):
        rng = np.random.default_rng(seed)
        labels = np.arange(slices) // 3 % len(names)
        scores = rng.standard_normal((slices, len(names))) + 1.5 * np.eye(len(names))[labels]
        probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        evaluation = Evaluation(float("nan"), labels, probabilities)
        if patients is None:
            patients = [f"P{n // 3}" for n in range(slices)]
        files = [f"{n}.mat" for n in range(slices)] if files is None else files
        matrix = confusion_matrix(labels, evaluation.predictions, len(names))
        report = classification_report(matrix, names)
        config = {
            "command": "train", "options": asdict(Options()), "implementations": ["linear: threads"], "threads": 2,
            "data": {"source": "slices", "content": "that", "slices": 90, "patients": 30, "class_names": list(names),
                     "skipped": []},
            "iterations_per_epoch": 2,
        }  # fmt: skip
        protocol = {
            "split": "patient", "test_fraction": 0.2, "fold": None, "folds": None, "seed": 0, "train_slices": 60,
            "validation_slices": 0, "test_slices": slices, "train_patients": 20, "test_patients": 10,
            "test_slices_with_patient_in_training": 0, "share_with_patient_in_training": 0.0,
        }  # fmt: skip
        described = {
            **report, "interval_over": "patients", "patients": 10, "per_patient": None, "synthetic": False,
            "mask_used_at_test": False, "protocol": protocol, "views": 1, "best_epoch": None, "training_seconds": 1.0,
            "iterations": 2, "versions": {"python": "3"}, **metrics,
        }  # fmt: skip
        records = [Step(1, 1, 0.1, 1.1, 0.3, 0.5), Step(1, 2, 0.1, 0.9, 0.6, 0.5), Validation(1, 2, 1.0, 0.5)]
        predictions = Predictions(np.arange(slices), files, np.array(patients), evaluation)
        return Results(Path(folder), config, described, records, predictions)

    return make


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """The folder of a finished run on slices of a class and in files whose names would break out of a page."""
    images = np.random.default_rng(0).integers(0, 60, (60, 1, 16, 16)).astype(np.uint8)
    labels = np.arange(60) // 3 % 3
    for image, label in zip(images, labels, strict=True):
        image[0, 5 * label : 5 * label + 5] += 150
    dataset = Dataset(
        images, labels, np.array([f"{HOSTILE}{n // 3}" for n in range(60)]), ("a", HOSTILE, "c"),
        masks=images[:, 0] > 150, files=[f"{HOSTILE}{n}.mat" for n in range(60)], content="that", source=HOSTILE,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("runs") / "finished"
    options = Options(model="batchnorm", size=16, batch_size=8, epochs=2, lr=0.01, split="patient", validation=0.2)
    run = Run(folder, options, dataset)
    run.start()
    list(run.records())
    run.finish()
    return folder, dataset
