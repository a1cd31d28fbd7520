"""The program `tinydnn`: its commands, and how it says that something is wrong."""

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from tinydnn.errors import InputError

INTERRUPTED = 130  # the exit status of programs that Ctrl-C has ended
COMMANDS = (
    "train",
    "crossval",
    "augment",
    "finetune",
    "evaluate",
    "predict",
    "prepare",
    "download",
    "weights",
    "features",
    "gradcheck",
    "worked_example",
    "info",
    "check",
    "bench",
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A neural-network engine that a person can read; trains a CNN on brain-tumour MRI.",
)


def _show_version(asked: bool) -> None:
    if asked:
        from tinydnn import __version__

        typer.echo(f"tinydnn {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """A neural-network engine that a person can read; trains a CNN on brain-tumour MRI."""


def main() -> NoReturn:
    """Run the command line; what a person can mend is told in one or two lines, with exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold any bytes
    try:
        for command in COMMANDS:
            import_module(f"tinydnn.cli.{command}")
        status = typer.main.get_command(app).main(standalone_mode=False)
        if status == INTERRUPTED:  # Typer's answer to Ctrl-C, which says nothing
            raise KeyboardInterrupt
    except typer.TyperException as error:
        # Usage errors say more than their text: which option or argument it was.
        describe = getattr(error, "format_message", error.__str__)
        fail(describe())
    except InputError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or 'the system'}: {error.strerror or error}")
    except MemoryError as error:
        fail(f"not enough memory ({error}); a smaller --size or --batch-size needs less")
    except (KeyboardInterrupt, typer.Abort):
        print("tinydnn: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


def fail(message: str) -> NoReturn:
    """Say what is wrong on standard error and end with status 2."""
    if message:  # none where the help was shown instead
        print(f"tinydnn: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)
