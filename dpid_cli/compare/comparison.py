"""Comparisons from files to files: which pictures, what is written of them, and where."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dpid_cli.compare.intensities import looks_like_srgb
from dpid_cli.compare.layout import LETTERS, Style, sheet_of
from dpid_cli.compare.page import index_of, page_of, thumbnail
from dpid_cli.compare.study import Inquiry, Study
from dpid_cli.compare.table import Measured, as_json, csv_of, measured
from dpid_cli.convert.folders import images_of
from dpid_cli.convert.recipe import labelled
from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError, warn
from dpid_cli.files.atomic import atomic
from dpid_cli.files.streams import STANDARD_STREAM, called, check_paths
from dpid_cli.files.targets import check_target, make_folder
from dpid_cli.pictures import icc

PAGES = (".html", ".htm")
SHEETS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".pdf": "pdf", ".svg": "svg"}


@dataclass
class Comparison:
    """How pictures are compared, and what becomes of it.

    Attributes
    ----------
    inputs : tuple of str
        Paths, directories whose images are taken, or ``-`` for standard input.
    inquiry : Inquiry
    style : Style
    output : str or None
        A sheet (``.png``, ``.jpg``, ``.pdf``, ``.svg``) or a page (``.html``); None for numbers alone.
    csv : str or None
        Where the numbers go, as a table.
    theme : {'auto', 'light', 'dark'}
        Of pages.
    overwrite : bool
    """

    inputs: tuple[str, ...]
    inquiry: Inquiry
    style: Style
    output: str | None = None
    csv: str | None = None
    theme: str = "auto"
    overwrite: bool = False
    paths: tuple[str, ...] = field(init=False, default=())
    pages: dict[str, Path] = field(init=False, default_factory=dict)
    _measured: list[Measured] = field(init=False, default_factory=list)
    _entries: list[tuple[str, str, str, Size]] = field(init=False, default_factory=list)

    @property
    def is_page(self) -> bool:
        """Whether a page is written."""
        return self.output is not None and Path(self.output).suffix.lower() in PAGES

    @property
    def is_index(self) -> bool:
        """Whether there is a page for each of many images, and an index."""
        return self.is_page and (len(self.inputs) > 1 or Path(self.inputs[0]).is_dir())

    def check(self) -> None:
        """Find the images; raise a `DpidError` if this cannot work whatever they hold."""
        check_paths("INPUT", *self.inputs)
        check_paths("--output", self.output)
        check_paths("--csv", self.csv)
        self.inquiry.check()
        self._check_style()
        if self.output is not None:
            self._check_output(Path(self.output))
        if self.csv and not self.inquiry.measured:
            raise ArgumentError("--csv: there are no numbers: give --metrics")
        self.paths = tuple(dict.fromkeys(images_of(self.inputs)))
        self._place_pages()
        self._check_targets()

    def _check_style(self) -> None:
        if max(len(self.inquiry.crops), self.inquiry.count) > len(LETTERS):
            raise ArgumentError(f"--crop: more than {len(LETTERS)} places have no letters: give fewer")

    def _check_output(self, path: Path) -> None:
        kind = path.suffix.lower()
        if kind not in (*SHEETS, *PAGES):
            known = " ".join([*SHEETS, PAGES[0]])
            raise ArgumentError(f"--output: {path}: no figure is known by this extension: use one of {known}")
        if kind in SHEETS:
            if len(self.inputs) > 1 or Path(self.inputs[0]).is_dir():
                raise ArgumentError(
                    f"--output: {path}: a sheet shows one image: give one, or -o NAME.html for many"
                )
            from dpid_cli.compare import drawing

            drawing.check()

    def _place_pages(self) -> None:
        """A page for each image, by its name, beside the index: ``report/photo.html``."""
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
            self.pages[path] = folder / f"{name}.html"

    def _check_folder(self, folder: Path) -> None:
        """Keep pages away from the inputs, where they could replace pages of the user's own."""
        for name in self.inputs:
            if name == STANDARD_STREAM:
                continue
            path = Path(name)
            home = path if path.is_dir() else path.parent
            if _lies_in(home, folder):
                home_name = Path(os.path.realpath(home)).name
                other = os.path.normpath(home / os.pardir / f"{home_name}-pages.html")
                raise ArgumentError(
                    f"--output: {self.output}: its pages would go into {folder}, among the inputs: "
                    f"use another name, such as -o {other}"
                )

    def _check_targets(self) -> None:
        inputs = [Path(path) for path in self.paths if path != STANDARD_STREAM]
        targets = [Path(path) for path in (self.output, self.csv) if path is not None]
        for i, target in enumerate([*targets, *self.pages.values()]):
            check_target(target, inputs, targets[: min(i, len(targets))], self.overwrite)

    def run(self, source: str) -> Study:
        """Compare one image, and write its sheet or page.

        Raises
        ------
        DpidError
            If it cannot be read, is too small, or what is written of it cannot be.
        """
        study = self.inquiry.run(source)
        if self.inquiry.measured:
            self._measured.append(measured(study))  # and not the pictures, of which there may be many
        if self.is_page:
            self._write_page(study)
        elif self.output is not None:
            self._write_sheet(study)
        return study

    def target(self, source: str) -> str | None:
        """Where the sheet or page of an image goes."""
        page = self.pages.get(source)
        return self.output if page is None else str(page)

    def _title(self, study: Study) -> str:
        return self.style.title or Path(called(study.source)).name

    def _write_page(self, study: Study) -> None:
        _warn_of_profile(study, self.target(study.source))
        if not self.is_index:
            self._write(Path(str(self.output)), page_of(study, self._title(study), self.theme))
            return
        path, index = self.pages[study.source], Path(str(self.output))
        make_folder(path.parent)
        name = Path(called(study.source)).name
        self._write(path, page_of(study, name, self.theme, f"../{_address(index)}"))
        self._entries.append((f"{_address(path.parent)}/{_address(path)}", name, *thumbnail(study)))

    def _write_sheet(self, study: Study) -> None:
        from dpid_cli.compare import drawing

        target = Path(str(self.output))
        kind = SHEETS[target.suffix.lower()]
        sheet = sheet_of(study, self.style, drawing.width_of)
        held = study.box.icc_profile if kind in ("png", "jpeg") else None
        profile = icc.fitting(held, "RGB") if held else None
        if profile is None:
            _warn_of_profile(study, target)
        with atomic(target, self.overwrite) as stream:
            drawing.save(sheet, stream, kind, self._title(study), profile)

    def _write(self, path: Path, text: str) -> None:
        with atomic(path, self.overwrite) as stream:
            stream.write(text.encode("utf-8", "replace"))  # names of files may be broken

    def finish(self, failed: Sequence[str]) -> None:
        """Write what tells of all images: the index, with what went wrong, and the numbers."""
        if self.is_index and self._entries:
            title = self.style.title or ", ".join(Path(called(name)).name or name for name in self.inputs)
            columns = [
                (variant, [image.numbers[i] for image in self._measured])
                for i, variant in enumerate(self.inquiry.variants)
            ]
            index = index_of(self._entries, columns, failed, title, self.theme)
            self._write(Path(str(self.output)), index)
        if self.csv is not None and self._measured:
            self._write(Path(self.csv), csv_of(self._measured))


def _warn_of_profile(study: Study, target: object) -> None:
    if not looks_like_srgb(study.box, called(study.source)):
        warn(f"{target}: it cannot hold the colour profile of the input, and looks wrong: give --to-srgb")


def _lies_in(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or lies below it, by any name: links, and case where that is ignored."""
    real = Path(os.path.realpath(path))
    for above in (real, *real.parents):
        with suppress(OSError):  # one that is yet to be made
            if above.samefile(folder):
                return True
    return False


def _address(path: Path) -> str:
    """The last part of a path in a link."""
    return quote(os.fsencode(path.name))


def as_dict(study: Study, output: str | None) -> dict[str, Any]:
    """A study for JSON."""
    return {
        "input": study.source,
        "output": output,
        "input_size": study.picture.size,
        "output_size": study.size,
        "regions": [vars(region) for region in study.regions],
        "results": [
            {
                "variant": result.variant.word,
                "method": result.variant.method,
                "parameters": labelled(result.parameters),
                "numbers": as_json(result.numbers) if result.numbers else None,
            }
            for result in study.results
        ],
    }
