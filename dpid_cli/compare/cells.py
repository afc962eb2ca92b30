"""Text in cells of CSV files, such as names of files, that spreadsheets must not take for formulas."""

from __future__ import annotations

import re

# What begins a formula, in the wide forms of East Asian keyboards, too; OWASP lists them under CSV injection.
_FORMULA = re.compile(r"'*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")


def text_cell(text: str) -> str:
    """A text with ``'`` before it where it would begin a formula; `text_of` removes it again.

    >>> text_cell("=1+2.png")
    "'=1+2.png"
    """
    return f"'{text}" if _FORMULA.match(text) else text


def text_of(cell: str) -> str:
    """The text of a cell that `text_cell` made."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
