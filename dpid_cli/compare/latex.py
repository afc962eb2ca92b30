r"""Write sheets as LaTeX: TikZ code with the images in files beside it, a caption, and a bibliography."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dpid_cli.compare.citations import BIBTEX, keys_of
from dpid_cli.compare.sheet import LETTERS
from dpid_cli.compare.variants import summary_of
from dpid_cli.pictures import Picture, write
from dpid_cli.pictures.formats import FALLBACK
from dpid_cli.version import __version__

if TYPE_CHECKING:
    from dpid_cli.compare.comparison import Comparison
    from dpid_cli.compare.sheet import Box, Line, Sheet, Text

_POINTS = {
    "pt": 1.0,
    "mm": 72.27 / 25.4,
    "cm": 722.7 / 25.4,
    "in": 72.27,
}  # of TeX, which has 72.27 in an inch
SPECIAL = {c: rf"\{c}" for c in "#$%&_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''",
    "λ": r"$\lambda$", "α": r"$\alpha$", "ε": r"$\epsilon$", "β": r"$\beta$", "×": r"$\times$",
    "÷": r"$\div$", "∞": r"$\infty$", "−": r"$-$", "±": r"$\pm$",
}  # fmt: skip
_PREAMBLE = r"""\makeatletter
\ifx\@nodocument\relax\else
  \documentclass{article}
  \usepackage{tikz}
  \IfFileExists{lmodern.sty}{\usepackage[T1]{fontenc}\usepackage{lmodern}}{\usepackage{fix-cm}}
  \usepackage[margin=2cm]{geometry}
  \begin{document}
  \def\dpidend{@END@\end{document}}
\fi
\makeatother
"""
_BIBLIOGRAPHY = r"\bibliographystyle{plain}\bibliography{@STEM@}"


def files_of(sheet: Sheet, comparison: Comparison, stem: str, title: str) -> dict[str, bytes]:
    """The files of a sheet, by name: ``STEM.tex`` first, its images and ``STEM.bib``."""
    names = [f"{_plain(stem)}-{i + 1}{FALLBACK.extensions[0]}" for i in range(len(sheet.images))]
    tex = "".join(_document(sheet, comparison, stem, title, names))
    files = {f"{stem}.tex": tex.encode()}
    for name, placed in zip(names, sheet.images, strict=True):
        stream = io.BytesIO()
        write(Picture(np.ascontiguousarray(placed.pixels), False, None), stream, FALLBACK, name)
        files[name] = stream.getvalue()
    files[f"{_plain(stem)}.bib"] = BIBTEX.encode()
    return files


def preamble(end: str = "") -> str:
    """Code that lets a figure be compiled alone, too; `end` comes last in such a document."""
    return _PREAMBLE.replace("@END@", end)


def _plain(stem: str) -> str:
    """A file name that needs no care in LaTeX."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", stem).strip("-.") or "figure"


def escaped(text: str) -> str:
    r"""Text for LaTeX; characters that its usual fonts lack become question marks.

    >>> escaped("50 % of λ_1")
    '50 \\% of $\\lambda$\\_1'
    """
    return "".join(SPECIAL.get(c) or (c if _is_known(c) else "?") for c in text)


def _is_known(character: str) -> bool:
    return " " <= character <= "~" or ("\u00c0" <= character <= "\u017f")


def _document(sheet: Sheet, comparison: Comparison, stem: str, title: str, names: list[str]) -> Iterator[str]:
    yield "% Compile this file, or \\input it into a document that has \\usepackage{tikz}.\n"
    yield "% From another folder: \\usepackage{import} and \\import{folder/}{" + _plain(stem) + ".tex}.\n"
    yield preamble(_BIBLIOGRAPHY.replace("@STEM@", _plain(stem)))
    point = _point(sheet)
    yield "\\begin{figure}\n\\centering\n"
    yield f"\\begin{{tikzpicture}}[x={point:.6f}pt,y=-{point:.6f}pt,inner sep=0pt,outer sep=0pt]\n"
    parts: list[Box | Line | Text] = [*sheet.boxes, *sheet.lines, *sheet.texts]
    colours = dict.fromkeys([sheet.theme.paper, *(part.colour for part in parts)])
    named = {colour: f"dpid{_letters(i)}" for i, colour in enumerate(colours)}
    for colour, name in named.items():
        yield f"\\definecolor{{{name}}}{{HTML}}{{{colour[1:].upper()}}}\n"
    paper = named[sheet.theme.paper]
    yield f"\\fill[{paper}] (0,0) rectangle ({sheet.width},{sheet.height});\n"
    yield f"\\useasboundingbox (0,0) rectangle ({sheet.width},{sheet.height});\n"
    for name, placed in zip(names, sheet.images, strict=True):
        height, width = placed.pixels.shape[:2]
        size = f"width={width * point:.5f}pt,height={height * point:.5f}pt"
        shown = f"\\includegraphics[{size}]{{{name}}}"
        yield f"\\node[anchor=north west] at ({placed.left},{placed.top}) {{{shown}}};\n"
    yield from (_box(box, named[box.colour]) for box in sheet.boxes)
    yield from (_line(line, named[line.colour], point) for line in sheet.lines)
    yield from (_text(text, named[text.colour], point) for text in sheet.texts)
    yield "\\end{tikzpicture}\n"
    yield f"\\caption{{{_caption(sheet, comparison, title)}}}\n"
    yield f"\\label{{fig:{_plain(stem)}}}\n\\end{{figure}}\n"
    yield "\\ifdefined\\dpidend\\expandafter\\dpidend\\fi\n"


def _letters(number: int) -> str:
    """A name of letters: names of colours in LaTeX must not begin like mixtures."""
    return LETTERS[number // len(LETTERS)] + LETTERS[number % len(LETTERS)]


def _point(sheet: Sheet) -> float:
    """Size of a pixel in TeX's points."""
    if sheet.length is not None and sheet.length.unit in _POINTS:
        return sheet.length.value * _POINTS[sheet.length.unit] / sheet.width
    return sheet.point


def _box(box: Box, colour: str) -> str:
    outer = f"({box.left},{box.top}) rectangle ({box.right},{box.bottom})"
    if box.border is None:
        return f"\\fill[{colour}] {outer};\n"
    edge = box.border
    inner = f"({box.left + edge},{box.top + edge}) rectangle ({box.right - edge},{box.bottom - edge})"
    return f"\\fill[{colour},even odd rule] {outer} {inner};\n"


def _line(line: Line, colour: str, point: float) -> str:
    if len(line.points) == 1:
        ((x, y),) = line.points
        return f"\\fill[{colour}] ({x:.2f},{y:.2f}) circle[radius={line.width / 2 * point:.4f}pt];\n"
    path = " -- ".join(f"({x:.2f},{y:.2f})" for x, y in line.points)
    style = f"{colour},line width={line.width * point:.4f}pt,line cap=round,line join=round"
    return f"\\draw[{style}] {path};\n"


def _text(text: Text, colour: str, point: float) -> str:
    size = text.size * point
    font = f"\\fontsize{{{size:.3f}}}{{{1.2 * size:.3f}}}\\selectfont" + (r"\bfseries" if text.bold else "")
    anchor = {"left": "base west", "right": "base east", "center": "base"}[text.align]
    at = f"({text.x:.2f},{text.baseline:.2f})"
    return f"\\node[anchor={anchor},text={colour},font={font}] at {at} {{{escaped(text.text)}}};\n"


def _caption(sheet: Sheet, comparison: Comparison, title: str) -> str:
    (width, height), (small_width, small_height) = comparison.picture.size, comparison.size
    methods = summary_of(result.variant for result in comparison.results)
    keys = keys_of(result.variant.method for result in comparison.results)
    cited = f"~\\cite{{{','.join(keys)}}}" if keys else ""
    sizes = f"{width}×{height} pixels, downscaled to {small_width}×{small_height} by {methods}"
    made = f"Made with dpid-cli~{__version__}."
    return " ".join(filter(None, [f"{escaped(title)}: {escaped(sizes)}{cited}.", escaped(sheet.note), made]))
