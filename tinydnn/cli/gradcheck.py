"""`tinydnn gradcheck`: check every gradient against numeric derivatives."""

from typing import Annotated

import typer

from tinydnn.cli.app import app


@app.command(examples=("tinydnn gradcheck", "tinydnn gradcheck conv2d maxpool2d"))
def gradcheck(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OP]...", help="Operations, layers or models, such as conv2d; all by default."),
    ] = None,
) -> None:
    """Prove the gradients of operations, layers and models; the exit status is 1 if any is not proven."""
    from rich.table import Table

    from tinydnn.cli.display import console, say
    from tinydnn.gradcheck.survey import survey

    with console.status("Checking gradients"):
        rows = list(survey(names or ()))
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("operation", no_wrap=True)
    table.add_column("implementation", overflow="fold")
    table.add_column("dtype")
    table.add_column("cases", justify="right")
    table.add_column("worst relative error", justify="right", max_width=8)
    table.add_column("verdict", no_wrap=True)
    for row in rows:
        colour = "red" if row.failed else "green"
        table.add_row(
            row.subject, row.implementation, row.dtype, str(len(row.reports)), f"{row.error:.1e}",
            f"[{colour}]{row.verdict}[/]",
        )  # fmt: skip
    console.print(table)
    failed = [report for row in rows for report in row.failed]
    for report in failed:
        say(f"\n{report}")
    if failed:
        say(f"\n{len(failed)} of {sum(len(row.reports) for row in rows)} checks failed")
        raise typer.Exit(1)
