"""The benchmarks are scripts beside the package; tests import them from where they are."""

import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    yield
    for name in (
        "accuracy",
        "arena",
        "contestants",
        "contestants_cuda",
        "readme",
        "report",
        "time_to_accuracy",
        "train_step",
        "transfer",
    ):
        sys.modules.pop(name, None)
