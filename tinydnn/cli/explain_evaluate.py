"""`tinydnn explain evaluate`: score explanations of a run's test slices against the masks of the tumours."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli.display import say
from tinydnn.cli.explain import explain, named_methods
from tinydnn.cli.progress import progress_bar
from tinydnn.cli.running import open_dataset
from tinydnn.cli.threads import Threads


@explain.command(
    examples=(
        "tinydnn explain evaluate runs/real",
        "tinydnn explain evaluate runs/real --method grad-cam,saliency --slices 64 --out explained",
    )
)
def evaluate(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    method: Annotated[
        str | None, typer.Option(help="Methods, separated by commas; by default all that can explain the model.")
    ] = None,
    slices: Annotated[int | None, typer.Option(min=1, help="Explain a random subset of the test slices.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for explanations.json and its plots; by default that of the run.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier explanations.")] = False,
    threads: Threads = None,
) -> None:
    """Explain the test slices of a run, and score the explanations.

    Whether they find the tumour is scored with its mask, whether they name the pixels that the network uses by deletion
    and insertion, and whether they depend on the network at all by randomising its weights. Baselines that know nothing
    of the network are scored like the methods.
    """
    from tinydnn.checkpoint import load_model
    from tinydnn.cli.explanation_tables import print_explanations
    from tinydnn.explain import methods_for
    from tinydnn.explain.baselines import BASELINES
    from tinydnn.runs.explaining import explain_slices, slices_to_explain, work
    from tinydnn.runs.explanation_files import require_no_explanations, write_explanations
    from tinydnn.runs.explanation_report import explanation_report
    from tinydnn.runs.files import MODEL
    from tinydnn.runs.finished import finished_options, open_finished

    options = finished_options(run)
    folder = out or run
    require_no_explanations(folder, overwrite=overwrite)
    saved = load_model(run / MODEL)  # a method that cannot explain it is refused before the data is read
    chosen = methods_for(saved.model) if method is None else named_methods(saved.model, method)
    compared = [*chosen, *BASELINES.values()]
    finished = open_finished(run, options, saved, open_dataset(options))
    explained, tests = [], slices_to_explain(finished, slices)
    with progress_bar("Explaining slices") as progress:
        done, total = 0, work(tests, compared)

        def advance() -> None:
            nonlocal done
            done += 1
            progress(done, total)

        for one in compared:
            explained.append(explain_slices(tests, one, advance))
    report = explanation_report(tests, explained)
    write_explanations(folder, report, overwrite=overwrite)
    print_explanations(report)
    say(f"Report and plots are in {folder}")
