"""The program `tinydnn`: its commands and its error messages."""

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from tinydnn.cli.help import Program
from tinydnn.errors import InputError

FAILED = 2  # the exit status after a message
INTERRUPTED = 130  # the usual exit status after Ctrl-C
COMMANDS = (
    "train", "crossval", "augment", "evaluate", "predict", "explain", "explain_maps", "explain_filters",
    "explain_maximise", "explain_nearest", "explain_evaluate", "report", "prepare", "download", "weights", "features",
    "cache", "gradcheck", "worked_example", "info", "check", "bench",
)  # fmt: skip

app = Program()


def _show_version(requested: bool) -> None:
    if requested:
        from tinydnn import __version__

        typer.echo(f"tinydnn {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """A readable neural-network engine, which trains networks on brain-tumour MRI."""


def main() -> NoReturn:
    """Run the command line. A user-correctable error prints one or two lines and exits with status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold any bytes
    try:
        for command in COMMANDS:
            import_module(f"tinydnn.cli.{command}")
        status = typer.main.get_command(app).main(standalone_mode=False)
        if status == INTERRUPTED:  # Typer turns Ctrl-C into this status without a message
            raise KeyboardInterrupt
    except typer.TyperException as error:
        # Only the formatted message of a usage error names the option or argument.
        describe = getattr(error, "format_message", error.__str__)
        fail(describe().replace("Value error, ", ""))  # the name that Pydantic gives to an invalid choice
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
    """Print the message to standard error and exit with status 2."""
    if message:  # empty if the help was shown instead
        complain(message)
    sys.exit(FAILED)


def complain(message: str) -> None:
    """Print the message to standard error, on one line."""
    print(f"tinydnn: {' '.join(message.split())}", file=sys.stderr)
