"""The race: contestants run in processes of their own, one at a time, in turns and in shuffled order."""

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

HERE = Path(__file__).parent


class Contestant:
    """A process of a script beside this one, which works on request and is idle in between."""

    def __init__(
        self, name: str, batch: int, size: int, threads: int, start: Path, *, script: str = "contestants.py"
    ) -> None:
        self.name, self.batch = name, batch
        arguments = [name, str(batch), str(size), str(threads), str(start)]
        # Not a pipe: one that nobody reads blocks a process that warns a lot.
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - `close` closes it
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / script), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
        )  # fmt: skip

    def steps(self, count: int) -> dict[str, Any]:
        """Run `count` training steps: their losses and seconds, and the peak memory so far."""
        return self.ask({"steps": count})

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._process.wait()
            lines = self.messages().splitlines()
            raise RuntimeError(lines[-1] if lines else "it ended without a message")
        result: dict[str, Any] = json.loads(answer)
        return result

    def messages(self) -> str:
        """What the process has written to standard error so far: warnings, or why it ended."""
        self._errors.seek(0)
        return self._errors.read().strip()

    def close(self) -> None:
        """End the process and show its warnings."""
        self._process.kill()
        self._process.communicate()
        if text := self.messages():
            print(f"{self.name}: {text}", file=sys.stderr)
        self._errors.close()


@dataclass
class Score:
    """The results of a contestant: the losses of its first steps, the seconds of the timed ones."""

    name: str
    batch: int
    losses: list[float] = field(default_factory=list)
    first_step: float = 0.0
    seconds: list[float] = field(default_factory=list)
    peak_memory_mb: float = 0.0
    failure: str = ""

    def images_per_s(self, percent: float = 50) -> float:
        """Images per second; `percent` of the steps were slower, so 50 is the median."""
        return self.batch / float(np.percentile(self.seconds, 100 - percent))

    def row(self) -> dict[str, Any]:
        """The row of the results file."""
        if self.failure:
            return {"name": self.name, "batch": self.batch, "failure": self.failure}
        return {
            "name": self.name,
            "batch": self.batch,
            "images_per_s": self.images_per_s(),
            "p20": self.images_per_s(20),
            "p80": self.images_per_s(80),
            "peak_memory_mb": self.peak_memory_mb,
            "first_step_s": self.first_step,
            "steps": len(self.seconds),
            "losses": self.losses,
        }


def compete(
    names: list[str], batch: int, size: int, threads: int, start: Path, *, rounds: int, seconds: float, compared: int,
    save: Callable[[list[Score]], None] = lambda scores: None,
) -> list[Score]:  # fmt: skip
    """Let all contestants run `compared` steps; then, in each round, each about `seconds` of steps, in shuffled order.

    The score of a contestant that cannot run has the reason as its `failure`. save: called with the scores so far.
    """
    scores = {name: Score(name, batch) for name in names}
    contestants = {name: Contestant(name, batch, size, threads, start) for name in names}
    order = random.Random(0)
    try:
        for name, contestant in list(contestants.items()):
            try:
                first = contestant.steps(1)
                rest = contestant.steps(compared - 1)
            except RuntimeError as error:
                scores[name].failure = str(error)
                contestants.pop(name).close()
            else:
                scores[name].losses = first["losses"] + rest["losses"]
                scores[name].first_step = first["seconds"][0]
                scores[name].seconds = rest["seconds"]
            save([score for score in scores.values() if score.seconds or score.failure])
        counts = {name: max(1, round(seconds / median(scores[name].seconds))) for name in contestants}
        for name in contestants:
            scores[name].seconds = []  # discard the warm-up
        for _ in range(rounds):
            for name in order.sample(list(contestants), len(contestants)):
                result = contestants[name].steps(counts[name])
                scores[name].seconds += result["seconds"]
                scores[name].peak_memory_mb = result["peak_memory_mb"]
            save(list(scores.values()))
    finally:
        for contestant in contestants.values():
            contestant.close()
    return list(scores.values())


def disagreement(scores: list[Score]) -> float:
    """The largest relative difference between the losses of any two contestants at the same step."""
    losses = np.array([score.losses for score in scores if not score.failure])
    if not len(losses):
        return 0.0
    return float(np.max((losses.max(axis=0) - losses.min(axis=0)) / losses.min(axis=0)))
