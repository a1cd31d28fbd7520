"""`tinydnn info`: what computes here, and how fast it can be."""

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


@app.command()
def info(
    threads: Threads = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="A file for all of it.")] = None,
) -> None:
    """Show what computes here, and measure how fast matrix products and copies can be."""
    found, rates = machine(), {dtype: peaks(dtype) for dtype in DTYPES}
    origin = "--threads" if threads else "TINYDNN_THREADS" if "TINYDNN_THREADS" in os.environ else "as many as cores"
    rows = {
        "CPU": found.cpu,
        "instruction sets": ", ".join(found.instruction_sets) or "none known",
        "cores, threads": f"{found.cores}, {found.threads} ({origin})",
        "BLAS": f"{found.blas or 'unknown'}{f', core type {found.core_type}' if found.core_type else ''}",
        "Python, NumPy": f"{found.python}, {found.numpy}",
        "Numba": found.numba or "not installed; the extra tinydnn[numba] brings faster kernels",
        "CuPy": next(
            (f for name in ("cupy-cuda13x", "cupy-cuda12x", "cupy") if (f := installed(name))), "not installed"
        ),
        "load": f"{found.load:.0%} of the cores in the last minute",
    }
    for dtype, rate in rates.items():
        rows[f"{dtype} products"] = f"{rate.gflops:.0f} GFLOP/s"
    rows["copies"] = f"{max(rate.gbytes for rate in rates.values()):.0f} GB/s, read and written"
    for name, value in rows.items():
        say(f"{name:16}  {value}")
    if note := blas_note():
        say(note)
    if found.busy:
        say("Other programs are running: what was measured is less than this machine can do.")
    if json_file is not None:
        text = json.dumps({"machine": asdict(found), "peaks": {dtype: asdict(rate) for dtype, rate in rates.items()}})
        with atomic_write(json_file) as path:
            path.write_text(text + "\n")
