"""HTML for notebooks: how a model, a dataset or a report looks as the value of a cell.

There are no colours, so that it is legible on a light and on a dark page. All text is escaped: class and file names
come from files.
"""

from base64 import b64encode
from collections.abc import Sequence
from html import escape

LONGEST = 60  # characters of a text in a table


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, columns: str, last_is_total: bool = False) -> str:
    """A table. columns: for each of them "l" if it is aligned left, as text, or "r", as numbers."""
    lines = [_row("th", header, columns)]
    lines += [_row("td", row, columns) for row in rows]
    if last_is_total:
        lines[-1] = _row("th", rows[-1], columns)
    return f"<table>{''.join(lines)}</table>"


def paragraph(text: str) -> str:
    """A line of text."""
    return f"<p>{_text(text)}</p>"


def picture(png: bytes, *, caption: str, width: int) -> str:
    """A PNG image `width` pixels wide with a caption below it, in line with others."""
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    return (
        f'<figure style="display: inline-block; margin: 0 8px 8px 0; width: {width}px">'
        f'<img src="{source}" alt="{escape(caption)}" width="{width}">'
        f'<figcaption style="font-size: 85%">{_label(caption)}</figcaption></figure>'
    )


def _text(text: str) -> str:
    """Escaped text, whose dollar signs do not begin a formula."""
    return escape(text).replace("$", "<span>$</span>")


def _label(text: str) -> str:
    """The same, shortened."""
    return _text(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")


def _row(tag: str, cells: Sequence[str], columns: str) -> str:
    sides = {"l": "left", "r": "right"}
    return "<tr>{}</tr>".format(
        "".join(
            f'<{tag} style="text-align: {sides[column]}">{_label(cell)}</{tag}>'
            for column, cell in zip(columns, cells, strict=True)
        )
    )
