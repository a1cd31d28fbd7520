"""The option `--threads` of the commands that compute."""

from typing import Annotated, Any

import typer

from tinydnn.errors import InputError
from tinydnn.kernels.cpu.threads import set_thread_count


def _set(count: int | None) -> int | None:
    """Set the thread count; by default it is TINYDNN_THREADS or the number of cores."""
    if count is not None and count < 1:
        raise InputError(f"--threads: expected at least 1, found {count}")
    set_thread_count(count)
    return count


def threads_option(panel: str | None = None) -> Any:
    """The Typer option `--threads`, in a panel of the help."""
    return typer.Option(
        "--threads", callback=_set, help="Threads; by default TINYDNN_THREADS or all cores.", rich_help_panel=panel
    )


Threads = Annotated[int | None, threads_option()]
