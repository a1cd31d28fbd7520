"""Run the GPU tests and all GPU benchmarks, each part with its own time limit; `gpu_report.sh` sets the environment.

The archive is written anew every few seconds, so whatever ends a part, or the whole, what was written before is kept. A
part that fails or runs out of time is listed at the end; the others still run. All limits together are less than
`TOTAL`.
"""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tinydnn.backend import check_device
from tinydnn.errors import InputError
from tinydnn.storage import atomic_write

ROOT = Path(__file__).parents[1]
TOTAL = 540  # seconds
GRACE = 2  # seconds between the request to end and the kill
EVERY = 4.0  # seconds between two versions of the archive
SHOWN = 12  # lines of each part


@dataclass(frozen=True)
class Part:
    """A command, and the seconds that it may take."""

    name: str
    limit: int
    command: Sequence[str]


def parts(folder: Path) -> list[Part]:
    """All parts, what matters most first. They write their results to the folder."""
    python = sys.executable
    pytest = [
        python,
        "-m",
        "pytest",
        "-v",
        "-m",
        "gpu",
        "-p",
        "no:cacheprovider",
    ]  # -v: a line for each test as it ends
    own = "tinydnn tf32 graph,tinydnn fp32 graph"
    eager = "torch eager nchw tf32,torch eager channels-last tf32,torch eager nchw fp32,torch eager channels-last fp32"

    def race(name: str, limit: int, batch: str, only: str) -> Part:
        options = ["--device", "cuda", "--rounds", "3", "--seconds", "0.3", "--batch", batch, "--only", only]
        output = ["--json", str(folder / f"{name}.json")]
        return Part(name, limit, [python, str(ROOT / "benchmarks/train_step.py"), *options, *output])

    def bench(case: str) -> Part:
        operation, shape = case.split(":")
        name = f"bench-{case}".replace(":", "-").replace(",", "-")
        command = [python, "-m", "tinydnn", "bench", operation, "--shape", shape, "--device", "cuda"]
        return Part(name, 20, [*command, "--json", str(folder / f"{name}.json")])

    sanitizer = ["compute-sanitizer", "--tool", "racecheck", "--error-exitcode", "1"]
    step = [python, str(ROOT / "benchmarks/gpu_profile.py"), "--batch", "2", "--size", "32"]
    accuracy = [python, str(ROOT / "benchmarks/time_to_accuracy.py"), "--json", str(folder / "time-to-accuracy.json")]
    cases = (
        "linear:128x32768,128x32768",
        "conv2d_relu_maxpool2d:32x16x128x128,32x16x3x3",
        "conv2d_relu_maxpool2d:32x1x256x256,16x1x3x3",
        "conv2d_relu_maxpool2d:32x64x32x32,128x64x3x3",
    )
    return [
        Part("nvidia-smi", 5, ["nvidia-smi"]),
        Part("tests-of-the-step", 50, [*pytest, str(ROOT / "tests/training/test_gpu_step.py")]),
        Part("tests-of-the-kernels", 90, [*pytest, str(ROOT / "tests/kernels/cuda")]),
        Part("racecheck", 30, [*sanitizer, *step]),
        race("own-128", 35, "128", f"{own},tinydnn tf32,tinydnn fp32"),
        race("eager-128", 50, "128", f"tinydnn tf32 graph,{eager}"),
        race("compiled-128", 75, "128", "tinydnn tf32 graph,torch compile tf32,torch compile fp32"),
        race("own-32-512", 30, "32,512", own),
        Part("time-to-accuracy", 45, accuracy),
        *map(bench, cases),
    ]


def run(part: Part, folder: Path, archive: Path) -> str:
    """Run a part, its output in a file of its name. Return why it failed, or nothing."""
    begin, output = perf_counter(), folder / f"{part.name}.txt"
    with output.open("w") as file:
        try:
            process = subprocess.Popen(
                part.command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, cwd=ROOT
            )
        except FileNotFoundError as error:
            return f"{error.filename} is not installed"
        status = None
        try:
            while status is None and (left := part.limit - (perf_counter() - begin)) > 0:
                with suppress(subprocess.TimeoutExpired):
                    status = process.wait(min(EVERY, left))
                pack(folder, archive)
        finally:
            if status is None:
                _end(process)
                pack(folder, archive)
    print("\n".join(output.read_text(errors="replace").splitlines()[-SHOWN:]))
    return f"more than {part.limit} s" if status is None else f"exit status {status}" if status else ""


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a part and all processes that it has started, which form a group."""
    os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def pack(folder: Path, archive: Path) -> None:
    """Write the archive anew, with all files of the folder as they are now."""
    with atomic_write(archive) as path, tarfile.open(path, "w:gz") as tar:
        for file in sorted(folder.iterdir()):
            if not file.name.startswith("."):  # one that a part is writing
                tar.add(file, file.name)


def report(all_parts: Sequence[Part], folder: Path, archive: Path) -> list[str]:
    """Run the parts one after the other; return which failed, and why."""
    failed, begin = [], perf_counter()
    for part in all_parts:
        print(f"\n== {part.name} ({perf_counter() - begin:.0f} s so far)", flush=True)
        if reason := run(part, folder, archive):
            failed.append(f"{part.name}: {reason}")
        (folder / "failed.txt").write_text("".join(f"{line}\n" for line in failed))
    pack(folder, archive)
    print(f"\nEverything took {perf_counter() - begin:.0f} s; the results are in {archive}")
    return failed


def main() -> int:
    """Run all parts; return 1 if any failed."""
    archive = Path(sys.argv[1] if len(sys.argv) > 1 else "gpu-report.tar.gz").resolve()
    check_device("cuda")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # ends the part that runs, and keeps its results
    folder = Path(tempfile.mkdtemp())
    try:
        failed = report(parts(folder), folder, archive)
    finally:
        shutil.rmtree(folder)
    for line in failed:
        print(f"Failed: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"{Path(__file__).name}: {error}")
