"""`tinydnn info`: the hardware, the libraries and the measured peaks of this machine."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tinydnn.bench.machine import installed, machine
from tinydnn.bench.peaks import peaks
from tinydnn.cli.app import app
from tinydnn.cli.display import say
from tinydnn.cli.start import blas_note
from tinydnn.cli.threads import Threads
from tinydnn.storage import atomic_write

DTYPES = ("float32", "float64")
CUPY = ("cupy-cuda13x", "cupy-cuda12x", "cupy")


@app.command(examples=("tinydnn info --json machine.json",))
def info(
    threads: Threads = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="JSON file for the same information.")] = None,
) -> None:
    """Show the hardware and libraries, and measure the peak rates of matrix products and copies."""
    here, rates = machine(), {dtype: peaks(dtype) for dtype in DTYPES}
    origin = "--threads" if threads else "TINYDNN_THREADS" if "TINYDNN_THREADS" in os.environ else "as many as cores"
    rows = {
        "CPU": here.cpu,
        "instruction sets": ", ".join(here.instruction_sets) or "none known",
        "cores, threads": f"{here.cores}, {here.threads} ({origin})",
        "BLAS": f"{here.blas or 'unknown'}{f', core type {here.core_type}' if here.core_type else ''}",
        "Python, NumPy": f"{here.python}, {here.numpy}",
        "Numba": here.numba or "not installed; the extra tinydnn[numba] brings faster kernels",
        "CuPy": next((version for name in CUPY if (version := installed(name))), "not installed"),
        "load": f"{here.load:.0%} of the cores in the last minute",
    }
    for dtype, rate in rates.items():
        rows[f"{dtype} products"] = f"{rate.gflops:.0f} GFLOP/s"
    rows["copies"] = f"{max(rate.gbytes for rate in rates.values()):.0f} GB/s, read and written"
    for name, value in rows.items():
        say(f"{name:16}  {value}")
    if note := blas_note():
        say(note)
    if here.busy:
        say("Other programs are running: the measured rates are below the peaks of this machine.")
    if json_file is not None:
        text = json.dumps({"machine": asdict(here), "peaks": {dtype: asdict(rate) for dtype, rate in rates.items()}})
        with atomic_write(json_file) as path:
            path.write_text(text + "\n")
