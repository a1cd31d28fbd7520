"""`tinydnn info`: this machine, with its libraries and measured peaks; or a model file."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tinydnn.bench.machine import installed, machine
from tinydnn.bench.peaks import peaks
from tinydnn.cli.app import app
from tinydnn.cli.display import say
from tinydnn.cli.start import blas_note
from tinydnn.cli.threads import Threads
from tinydnn.storage import atomic_write
from tinydnn.words import count

DTYPES = ("float32", "float64")
CUPY = ("cupy-cuda13x", "cupy-cuda12x", "cupy")


@app.command(examples=("tinydnn info", "tinydnn info runs/real/model.h5"))
def info(
    model: Annotated[Path | None, typer.Argument(help="A model.h5 or checkpoint.h5 to describe.")] = None,
    threads: Threads = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="JSON file for the same information.")] = None,
) -> None:
    """Show the hardware and libraries, and measure the peak rates of matrix products and copies.

    With MODEL, describe that file instead: its network, and how it treats an image.
    """
    document = _show_machine(bool(threads)) if model is None else _show_model(model)
    if json_file is not None:
        with atomic_write(json_file) as path:
            path.write_text(json.dumps(document) + "\n")


def _show_machine(explicit_threads: bool) -> dict[str, Any]:
    """Print the properties and the peak rates of this machine, and return them for JSON."""
    here, rates = machine(), {dtype: peaks(dtype) for dtype in DTYPES}
    by_variable = "TINYDNN_THREADS" in os.environ
    origin = "--threads" if explicit_threads else "TINYDNN_THREADS" if by_variable else "as many as cores"
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
    _show_rows(rows)
    if note := blas_note():
        say(note)
    if here.busy:
        say("Other programs are running: the measured rates are below the peaks of this machine.")
    return {"machine": asdict(here), "peaks": {dtype: asdict(rate) for dtype, rate in rates.items()}}


def _show_model(path: Path) -> dict[str, Any]:
    """Print what a model file contains, and return it for JSON."""
    from tinydnn.checkpoint.model import read_model
    from tinydnn.checkpoint.sealed import open_sealed
    from tinydnn.data.normalise import normalisation_config

    with open_sealed(path) as file:
        saved, version = read_model(file), int(file.attrs["version"])
        iteration = int(file["training"].attrs["iteration"]) if "training" in file else None
    assert saved.model.input_shape is not None  # `read_model` sets it
    channels, height, width = saved.model.input_shape
    patients = None if saved.training_patients is None else len(saved.training_patients)
    kind = "model" if iteration is None else f"checkpoint after iteration {iteration}"
    _show_rows({
        "file": f"{kind}, {path.stat().st_size / 1e6:.1f} MB, format version {version}",
        "classes": ", ".join(saved.class_names),
        "input": f"{height} x {width} pixels, {count(channels, 'channel')}",
        "crop": str(saved.crop),
        "normalisation": str(saved.normalise),
        "views": f"{saved.views} per image",
        "trained on": "unknown patients" if patients is None else f"{count(patients, 'patient')}, recorded as hashes",
    })  # fmt: skip
    say(str(saved.model.summary()))
    return {
        "model": {
            "bytes": path.stat().st_size,
            "format_version": version,
            "iteration": iteration,
            "class_names": saved.class_names,
            "input_shape": saved.model.input_shape,
            "crop": str(saved.crop),
            "normalisation": normalisation_config(saved.normalise),
            "views": saved.views,
            "training_patients": patients,
            "parameters": sum(parameter.value.size for parameter in saved.model.parameters().values()),
        }
    }


def _show_rows(rows: dict[str, str]) -> None:
    for name, value in rows.items():
        say(f"{name:16}  {value}")
