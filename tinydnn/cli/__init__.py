"""The command line: one file a command."""

from tinydnn.cli.app import main

__all__ = ["main"]
