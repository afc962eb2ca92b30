"""Compare files: find the images, run the comparison of each, and write sheets, pages and tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dpid_cli.compare import documents, drawing
from dpid_cli.compare.command import command_of
from dpid_cli.compare.comparison import Comparison, ComparisonSpec
from dpid_cli.compare.fitting import sheet_of
from dpid_cli.compare.index import IndexEntry, entry_of, index_of, navigation
from dpid_cli.compare.intensities import looks_like_srgb
from dpid_cli.compare.latex import files_of
from dpid_cli.compare.page import page_of
from dpid_cli.compare.page_data import data_of, is_plain
from dpid_cli.compare.panels import content_of
from dpid_cli.compare.plot import plot_of
from dpid_cli.compare.sheet import LETTERS, Sheet, Style
from dpid_cli.compare.table import as_json, csv_of, rows_of
from dpid_cli.convert.job import images_of
from dpid_cli.convert.recipe import labelled
from dpid_cli.downscaling.choices import Fit
from dpid_cli.errors import ArgumentError, warn
from dpid_cli.files.folders import make_folder
from dpid_cli.files.output import atomic, check_folder, check_target
from dpid_cli.files.storage import check_local
from dpid_cli.files.streams import STANDARD_STREAM, called, check_paths
from dpid_cli.pictures import icc

SHEETS = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".pdf": "pdf",
    ".svg": "svg",
    ".tex": "tex",
}
_LARGE = 20_000_000  # bytes of a file from which mail and browsers may refuse it


@dataclass
class ComparisonRunner:
    """Runs a comparison for every input, and writes its outputs."""

    inputs: tuple[str, ...]  # files, folders of images, or - for standard input
    spec: ComparisonSpec
    style: Style
    output: str | None = None  # a sheet or a page; None for numbers only
    csv: str | None = None  # path of the table of numbers
    theme: str = "auto"  # of pages: auto, light or dark
    overwrite: bool = False
    paths: tuple[str, ...] = field(init=False, default=())  # the images, once `check` has found them
    _pages: dict[str, Path] = field(init=False, default_factory=dict)
    _rows: list[list[str]] = field(init=False, default_factory=list)
    _entries: list[IndexEntry] = field(init=False, default_factory=list)
    _written: dict[str, int] = field(init=False, default_factory=dict)  # bytes of each output

    @property
    def many(self) -> bool:
        """Whether the inputs may be more than one image."""
        return len(self.inputs) > 1 or Path(self.inputs[0]).is_dir()

    @property
    def is_page(self) -> bool:
        """Whether the output is a page."""
        return self.output is not None and Path(self.output).suffix.lower() in documents.SUFFIXES

    @property
    def is_index(self) -> bool:
        """Whether the output is an index with a page for each image."""
        return self.is_page and self.many

    def check(self) -> None:
        """Find the images; raise a `DpidError` for arguments that fit no image, or outputs in the way."""
        check_paths("INPUT", *self.inputs)
        check_paths("--output", self.output)
        check_paths("--csv", self.csv)
        check_local("INPUT", *self.inputs)
        check_local("--output", self.output)
        check_local("--csv", self.csv)
        self.spec.check()
        if max(len(self.spec.crops), self.spec.count) > len(LETTERS):
            raise ArgumentError(f"--closeup: more than {len(LETTERS)} regions: give fewer")
        if self.output is not None:
            self._check_output(Path(self.output))
        if self.style.style == "inset" and any(len(variant.swept) == 2 for variant in self.spec.variants):
            raise ArgumentError("--style inset: shows no grid of two sweeps: leave one --sweep out")
        if self.csv and not self.spec.measured:
            raise ArgumentError("--csv: there are no numbers to write: add --metrics")
        self.paths = tuple(dict.fromkeys(images_of(self.inputs)))
        self._place_pages()
        inputs = [Path(path) for path in self.paths if path != STANDARD_STREAM]
        outputs = [Path(path) for path in (self.output, self.csv) if path is not None]
        for i, target in enumerate([*outputs, *self._pages.values()]):
            check_target(target, inputs, outputs[: min(i, len(outputs))], self.overwrite)
        for target in outputs:
            check_folder(target)

    def _check_output(self, path: Path) -> None:
        extension = path.suffix.lower()
        if extension not in (*SHEETS, *documents.SUFFIXES):
            known = " ".join([*SHEETS, documents.SUFFIXES[0]])
            raise ArgumentError(f"--output: {path}: unknown extension: use one of {known}")
        if extension in SHEETS and self.many:
            raise ArgumentError(
                f"--output: {path}: a sheet shows one image: give one image, or use -o NAME.html"
            )
        if self.style.font is not None:
            if extension == ".tex":
                raise ArgumentError("--font: a .tex figure has the font of its document: leave it out")
            drawing.check_font(self.style.font)

    def _place_pages(self) -> None:
        """Name the page of each image after it, in a folder named after the index: ``report/photo.html``."""
        if self.output is None or not self.is_index:
            return
        folder, taken = Path(self.output).with_suffix(""), set()
        self._check_folder(folder)
        for path in self.paths:
            stem = "stdin" if path == STANDARD_STREAM else Path(path).stem
            name, count = stem, 1
            while name.lower() in taken:
                count += 1
                name = f"{stem}-{count}"
            taken.add(name.lower())
            self._pages[path] = folder / f"{name}.html"

    def _check_folder(self, folder: Path) -> None:
        """Keep pages out of folders with inputs, where they could replace the user's own pages."""
        for name in self.inputs:
            if name == STANDARD_STREAM:
                continue
            path = Path(name)
            home = path if path.is_dir() else path.parent
            if _is_within(home, folder):
                home_name = Path(os.path.realpath(home)).name
                other = os.path.normpath(home / os.pardir / f"{home_name}-pages.html")
                raise ArgumentError(
                    f"--output: {self.output}: its pages would go into {folder}, which contains inputs: "
                    f"use another name, such as -o {other}"
                )

    def run(self, source: str) -> Comparison:
        """Compare one image, and write its sheet or page; raise a `DpidError` if one of them fails."""
        comparison = self.spec.run(source)
        if self.spec.measured:  # keep no pixels: there may be many images
            self._rows += rows_of(comparison)
        if self.is_page:
            self._write_page(comparison)
        elif self.output is not None:
            self._write_sheet(comparison)
        return comparison

    def output_of(self, source: str) -> str | None:
        """Path of the sheet or page of an image."""
        page = self._pages.get(source)
        return self.output if page is None else str(page)

    def bytes_of(self, output: str | None) -> int | None:
        """Size of an output that was written."""
        return self._written.get(str(output))

    def _title(self, comparison: Comparison) -> str:
        return self.style.title or Path(called(comparison.source)).name

    def _command(self, comparison: Comparison) -> dict[str, str]:
        """The command of an image's outputs, without folders, for pages that others read."""
        source, recipe = comparison.source, self.spec.recipe
        if recipe.fills:
            recipe = replace(recipe, crop=comparison.crop, size=replace(recipe.size, fit=Fit.EXACT))
        return command_of(recipe, source if source == STANDARD_STREAM else documents.name_of(source))

    def _write_page(self, comparison: Comparison) -> None:
        if comparison.box.only_by_code:
            _warn_of_profile(comparison, self.output_of(comparison.source))
        index, recipe = Path(str(self.output)), self.spec.recipe
        data = data_of(comparison, is_plain(recipe), self._command(comparison))
        if not self.is_index:
            self._write(index, page_of(data, self._title(comparison), self.theme))
            return
        path = self._pages[comparison.source]
        make_folder(path.parent)
        number = self.paths.index(comparison.source) + 1
        before = self._entries[-1] if self._entries else None
        following = list(self._pages.values())[number : number + 1]
        links = self._navigation(number, before, _address(following[0]) if following else None)
        self._write(path, page_of(data, documents.name_of(comparison.source), self.theme, links))
        self._entries.append(entry_of(comparison, number, f"{_address(path.parent)}/{_address(path)}"))

    def _navigation(self, number: int, before: IndexEntry | None, after: str | None) -> str:
        """The links of the page of an image, to those before and after it that have a page."""
        index = f"../{_address(Path(str(self.output)))}"
        previous = _page_of(before)
        return navigation(index, number, len(self.paths), previous, after)

    def _mend_links(self) -> None:
        """Lead past images that failed, once all are known."""
        pages = list(self._pages.values())
        befores, afters = [None, *self._entries], [*self._entries[1:], None]
        for before, entry, after in zip(befores, self._entries, afters, strict=False):
            planned = _address(pages[entry.number]) if entry.number < len(pages) else None
            actual = _page_of(after)
            if planned != actual:
                path = pages[entry.number - 1]
                old, new = (self._navigation(entry.number, before, address) for address in (planned, actual))
                text = path.read_text(encoding="utf-8").replace(old, new, 1)
                with atomic(path, True) as stream:
                    stream.write(text.encode())

    def _write_sheet(self, comparison: Comparison) -> None:
        target = Path(str(self.output))
        kind, title = SHEETS[target.suffix.lower()], self._title(comparison)
        measure = drawing.measure_with(self.style.font)
        if self.style.plot:
            sheet = plot_of(comparison, self.style, measure)
        else:
            sheet = sheet_of(partial(content_of, comparison, self.style), self.style, measure)
        own = comparison.box.icc_profile if kind in drawing.RASTERS else None
        profile = icc.fitting(own, "RGB") if own else None
        if profile is None and not self.style.plot:
            _warn_of_profile(comparison, target)
        if kind == "tex":
            self._write_latex(sheet, comparison, target, title)
            return
        with atomic(target, self.overwrite) as stream:
            drawing.save(sheet, stream, kind, title, profile, self.style.font)
        self._written[str(target)] = target.stat().st_size

    def _write_latex(self, sheet: Sheet, comparison: Comparison, target: Path, title: str) -> None:
        """Write a LaTeX file, after all files that it needs."""
        named = files_of(sheet, comparison, target.stem, title)
        files = {target.with_name(name): content for name, content in named.items()}
        inputs = [Path(path) for path in self.paths if path != STANDARD_STREAM]
        for path in files:
            check_target(path, inputs, [Path(self.csv)] if self.csv else [], self.overwrite)
        for path, content in reversed(files.items()):
            with atomic(path, self.overwrite) as stream:
                stream.write(content)
        self._written[str(target)] = sum(map(len, files.values()))

    def _write(self, path: Path, text: str) -> None:
        content = text.encode("utf-8", "replace")  # file names may be invalid Unicode
        with atomic(path, self.overwrite) as stream:
            stream.write(content)
        self._written[str(path)] = len(content)

    def size_note(self, output: str) -> str:
        """How large an output is, an index with its pages, and what to do if it is very large."""
        pages = len(self._entries)
        size = sum(size for path, size in self._written.items() if path != self.csv)
        note = f"{output}{f' and {pages} pages' if pages else ''}: {_counted_bytes(size)}"
        largest = max(self._written.values())
        if largest <= _LARGE:
            return note
        one = f", one page {_counted_bytes(largest)}" if pages else ""
        return f"{note}{one}, much for mail and browsers: compare fewer variants or smaller outputs"

    def _without_folders(self, lines: Sequence[str]) -> list[str]:
        """Errors that name inputs without their folders, for pages that others read."""
        for path in sorted(map(called, self.paths), key=len, reverse=True):
            lines = [line.replace(path, Path(path).name) for line in lines]
        return list(lines)

    def finish(self, failed: Sequence[str]) -> None:
        """Write the index, with the errors in `failed`, and the table of numbers."""
        if self.is_index and self._entries:
            self._mend_links()
            title = self.style.title or ", ".join(Path(called(name)).name or name for name in self.inputs)
            errors = self._without_folders(failed)
            index = index_of(self._entries, self.spec.variants, errors, title, self.theme)
            self._write(Path(str(self.output)), index)
        if self.csv is not None and self._rows:
            self._write(Path(self.csv), csv_of(self._rows))


def _warn_of_profile(comparison: Comparison, target: object) -> None:
    cicp = comparison.box.cicp
    if cicp and comparison.box.only_by_code:
        warn(f"{target}: cannot store colours in {cicp.title}, so they look wrong")
    elif not looks_like_srgb(comparison.box, called(comparison.source)):
        warn(f"{target}: cannot store the input's colour profile, so colours look wrong: add --to-srgb")


def _page_of(entry: IndexEntry | None) -> str | None:
    """The address of a page for its neighbours in the same folder."""
    return entry.address.partition("/")[2] if entry else None


def _counted_bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 999_500 else f"{max(1, round(size / 1e3))} kB"


def _is_within(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or lies below it, through links and whatever the case of names."""
    real = Path(os.path.realpath(path))
    for above in (real, *real.parents):
        with suppress(OSError):  # the folder may not exist yet
            if above.samefile(folder):
                return True
    return False


def _address(path: Path) -> str:
    """The last part of a path, as a link needs it."""
    return quote(os.fsencode(path.name))


def as_dict(comparison: Comparison, output: str | None, size: int | None = None) -> dict[str, Any]:
    """A comparison as `--json` prints it; `size` is that of the output in bytes."""
    return {
        "input": comparison.source,
        "output": output,
        "output_bytes": size,
        "input_size": comparison.picture.size,
        "output_size": comparison.size,
        "regions": [vars(region) for region in comparison.regions],
        "results": [
            {
                "variant": result.variant.word,
                "method": result.variant.method,
                "parameters": labelled(result.parameters),
                "numbers": as_json(result.numbers) if result.numbers else None,
                "places": [as_json(numbers) for numbers in result.places],
            }
            for result in comparison.results
        ],
        "error": None,
    }


def failure_as_dict(source: str, error: Exception) -> dict[str, Any]:
    """An image that could not be compared, with the keys of `as_dict`."""
    nothing = dict.fromkeys(("output", "output_bytes", "input_size", "output_size"))
    return {"input": source, **nothing, "regions": [], "results": [], "error": str(error)}
