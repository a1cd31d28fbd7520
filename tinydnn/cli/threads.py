"""The option `--threads`, which every command that computes has."""

from typing import Annotated

import typer

from tinydnn.errors import InputError
from tinydnn.kernels.cpu.threads import set_thread_count


def _set(count: int | None) -> int | None:
    """Let so many threads work from now on; without the option, as many as TINYDNN_THREADS or the cores say."""
    if count is not None and count < 1:
        raise InputError(f"--threads: expected at least 1, found {count}")
    set_thread_count(count)
    return count


Threads = Annotated[
    int | None,
    typer.Option("--threads", callback=_set, help="Threads; TINYDNN_THREADS or all cores where not given."),
]
