"""The report of one run: its sections in order, written to report.html."""

from pathlib import Path
from typing import Any

from tinydnn.checkpoint import load_model
from tinydnn.data.dataset import Dataset
from tinydnn.runs import files
from tinydnn.runs.html_report.classes import classes
from tinydnn.runs.html_report.confidence import confidence
from tinydnn.runs.html_report.curves import curves
from tinydnn.runs.html_report.embedding import embedding
from tinydnn.runs.html_report.gallery import Images, gallery
from tinydnn.runs.html_report.page import render
from tinydnn.runs.html_report.patients import patients
from tinydnn.runs.html_report.protocol import machine, protocol
from tinydnn.runs.html_report.ranking import ranking
from tinydnn.runs.html_report.results import Results, read_results
from tinydnn.runs.html_report.summary import summary
from tinydnn.storage import atomic_write

NO_DATA = "The slices were not at hand when this report was made, so it has no pictures and no features."


def write_report(
    folder: Path,
    dataset: Dataset | None,
    *,
    path: Path | None = None,
    metrics: dict[str, Any] | None = None,
    device: str = "cpu",
) -> None:
    """Write report.html, or `path`, from the other files in the folder of a run, atomically.

    The same files and the same dataset give the same bytes. dataset: that of the run; None gives a report without
    pictures. metrics: for a run whose metrics.json is not written yet. device: computes pictures and features.
    Raises `InputError` for a folder without a finished run.
    """
    results = read_results(folder, metrics)
    page = report_page(results, None if dataset is None else _images(folder, dataset, device))
    with atomic_write(folder / files.REPORT if path is None else path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")


def report_page(results: Results, images: Images | None) -> str:
    """The report as HTML."""
    sections = [
        summary(results), protocol(results), curves(results), classes(results), ranking(results), confidence(results),
        patients(results), gallery(results, images, NO_DATA),
    ]  # fmt: skip
    if images is not None:
        sections.append(embedding(results, images))
    sections.append(machine(results))
    options = results.options
    network = f"recipe {Path(options['recipe']).name}" if options["recipe"] else options["model"]
    return render(f"Report of the run {results.name}", f"{network}, {results.config['data']['source']}", sections)


def _images(folder: Path, dataset: Dataset, device: str) -> Images:
    saved = load_model(folder / files.MODEL)
    saved.model.to(device)
    return Images(saved, dataset, device)
