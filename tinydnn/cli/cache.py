"""`tinydnn cache`: list and clear the user's cache folder."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from tinydnn.cache import CacheEntry, Kind, cache_entries, remove_entry
from tinydnn.cli.app import app
from tinydnn.cli.display import say
from tinydnn.cli.help import Program
from tinydnn.errors import InputError
from tinydnn.storage import cache_folder

cache = Program(help="List or clear the cache: prepared files, features, weights and others.")
app.add_typer(cache, name="cache")


@cache.command("list", examples=("tinydnn cache list",))
def list_entries() -> None:
    """List what lies in the cache folder, with size and date of the last change."""
    entries = cache_entries()
    _show(entries)
    for kind in [*Kind, None]:
        if of_kind := [entry for entry in entries if entry.kind is kind]:
            say(f"{_label(kind)}  {_size(of_kind)}")
    say(f"{'all':8}  {_size(entries)}, in {cache_folder()}")


@cache.command(examples=("tinydnn cache clear", "tinydnn cache clear features kernels --yes"))
def clear(
    kinds: Annotated[
        list[Kind] | None, typer.Argument(metavar="KIND", help=f"{', '.join(Kind)}; by default all of these.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
) -> None:
    """Delete what tinydnn has stored in the cache folder. What is needed again is made or downloaded again.

    Prepared files and features that another process has open are left, and so is what tinydnn did not write.
    """
    chosen = [entry for entry in cache_entries() if entry.kind in (kinds or list(Kind))]
    if not chosen:
        say(f"Nothing to delete in {cache_folder()}")
        return
    if not yes:
        _show(chosen)
        if not _confirmed(f"Delete {_size(chosen)} from {cache_folder()}?"):
            say("Nothing was deleted.")
            return
    removed = [entry for entry in chosen if remove_entry(entry)]
    for entry in chosen:
        if entry not in removed:
            say(f"Left, because it may be in use: {_name(entry)}")
    say(f"Freed {_size(removed)} in {cache_folder()}")


def _confirmed(question: str) -> bool:
    """Ask on standard input. Raises `InputError` if nobody answers there."""
    try:
        if sys.stdin is not None:
            return typer.confirm(question)
    except typer.Abort:
        if sys.stdin.isatty():
            raise  # Ctrl-C
    raise InputError("cache clear: expected --yes, or an answer on standard input, found neither")


def _show(entries: Sequence[CacheEntry]) -> None:
    """Print a line for each entry."""
    for entry in entries:
        changed = datetime.fromtimestamp(entry.changed).strftime("%Y-%m-%d %H:%M")
        say(f"{_label(entry.kind)}  {entry.size / 1e6:9.1f} MB  {changed}  {_name(entry)}")


def _label(kind: Kind | None) -> str:
    return f"{kind or 'other':8}"


def _name(entry: CacheEntry) -> str:
    return entry.path.relative_to(cache_folder()).as_posix() + ("/" if entry.path.is_dir() else "")


def _size(entries: Sequence[CacheEntry]) -> str:
    count = f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}"
    return f"{sum(entry.size for entry in entries) / 1e6:.1f} MB in {count}"
