"""The command line: one file per command."""

from tinydnn.cli.app import main

__all__ = ["main"]
