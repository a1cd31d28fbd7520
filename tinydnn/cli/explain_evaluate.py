"""`tinydnn explain evaluate`: score explanations of a run's test slices against the masks of the tumours."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinydnn.cli.display import say
from tinydnn.cli.explain import explain
from tinydnn.cli.progress import progress_bar
from tinydnn.cli.running import open_dataset
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError

if TYPE_CHECKING:
    from tinydnn.explain import Method
    from tinydnn.layers import Sequential


@explain.command(
    examples=(
        "tinydnn explain evaluate runs/real",
        "tinydnn explain evaluate runs/real --methods grad-cam,saliency --slices 64 --out explained",
    )
)
def evaluate(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    methods: Annotated[
        str | None, typer.Option(help="Names, separated by commas; by default every method that can explain the model.")
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
    from tinydnn.cli.explanation_tables import print_explanations
    from tinydnn.explain.baselines import BASELINES
    from tinydnn.runs.explaining import explain_slices, slices_to_explain, work
    from tinydnn.runs.explanation_files import require_no_explanations, write_explanations
    from tinydnn.runs.explanation_report import explanation_report
    from tinydnn.runs.finished import finished_options, open_finished

    options = finished_options(run)
    folder = out or run
    require_no_explanations(folder, overwrite=overwrite)
    finished = open_finished(run, options, open_dataset(options))
    chosen = [*_methods(finished.saved.model, methods), *BASELINES.values()]
    explained, tests = [], slices_to_explain(finished, slices)
    with progress_bar("Explaining slices") as progress:
        done, total = 0, work(tests, chosen)

        def advance() -> None:
            nonlocal done
            done += 1
            progress(done, total)

        for method in chosen:
            explained.append(explain_slices(tests, method, advance))
    report = explanation_report(tests, explained)
    write_explanations(folder, report, overwrite=overwrite)
    print_explanations(report)
    say(f"Report and plots are in {folder}")


def _methods(model: "Sequential", names: str | None) -> "list[Method]":
    """The methods of these names, by default all that can explain the model."""
    from tinydnn.explain import find_method, methods_for

    if names is None:
        return methods_for(model)
    chosen = [find_method(name.strip()) for name in dict.fromkeys(names.split(","))]
    for method in chosen:
        if not method.supports(model):
            known = ", ".join(method.name for method in methods_for(model))
            raise InputError(f"--methods: expected some of {known}, which can explain this model, found {method.name}")
    return chosen
