"""The conversion engine: decodes each image once, renders it for every output, and writes the files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import count, repeat
from typing import IO, TYPE_CHECKING

from dpid_cli.downscaling.choices import PaletteUse, Preserve
from dpid_cli.downscaling.sizes import Sides, Size
from dpid_cli.files import storage
from dpid_cli.files.folders import Tree
from dpid_cli.files.streams import standard_output
from dpid_cli.pictures import Format, Picture, PictureSequence, format_in
from dpid_cli.pictures.metadata import part_of
from dpid_cli.pictures.writing import check_picture, check_sequence, holds_all_of, write_sequence

if TYPE_CHECKING:
    from dpid_cli.convert.patches import Patch
    from dpid_cli.convert.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Output:
    """One file to write from an input.

    Attributes
    ----------
    path : str or None
        A path or an address; None for standard output.
    format : Format
        The file format, with the encoder's options.
    recipe : Recipe
    multiple_of : int
        Crop each image first, at the right and the bottom, to sides that are multiples of this.
    original : bool
        Whether to write the cropped images in their own size, upright.
    keeps_size : callable
        From the size of a cropped image (see `Recipe.square_size`) to whether it keeps this size.
    overwrite : bool
        Whether to replace an existing file.
    exists : bool
        Whether the file exists and stays; writing fails if its content would differ.
    tree : Tree or None
        The folder of all outputs, through whose new links nothing is written.
    patch : Patch or None
        The part of the output to write. Outputs that follow each other, and share their recipe, are rendered
        once.
    """

    path: str | None
    format: Format
    recipe: Recipe
    multiple_of: int = 1
    original: bool = False
    keeps_size: Callable[[Sides], bool] = lambda size: False
    overwrite: bool = False
    exists: bool = False
    tree: Tree | None = None
    patch: Patch | None = None

    @property
    def name(self) -> str:
        """What errors and warnings call it."""
        return "standard output" if self.path is None else self.path

    def render(self, picture: Picture, name: str) -> tuple[Picture, Recipe]:
        """The image to write for one image of the input, which errors call `name`, and how it was made."""
        recipe = self.recipe
        if not self.keeps_size(recipe.used_size(picture)):
            recipe = recipe.placed(picture, name)
        picture, part = recipe.cut(picture, name)
        picture = _of_multiples(picture, self.multiple_of)
        whole = recipe.square_size(picture)
        if self.original or self.keeps_size(whole):
            return recipe.unscaled(picture, name), recipe
        source = whole if part is None else part.size
        return recipe.rendered(picture, recipe.size_of(source, name), name, part)

    def is_copy(self, kind: str, first: Picture) -> bool:
        """Whether the file would be the input, byte for byte; pages would have to be looked at one by one."""
        unchanged = self.recipe.keeps_everything and self.format.name == first.format and self.patch is None
        square = self.recipe.square_size(first)
        unscaled = first.orientation == 1 if self.original else self.keeps_size(square)
        unscaled &= square == first.size
        return (
            unchanged and unscaled and kind != "pages" and cropped(first.size, self.multiple_of) == first.size
        )

    def opened(self, source: str, *, copy: bool = False) -> AbstractContextManager[IO[bytes]]:
        """A stream whose content becomes the file, whole or not at all.

        The file takes over what the recipe says from `source`, the input; a copy at least its times.
        """
        if self.path is None:
            return standard_output()
        if self.exists:
            return storage.confirmed(self.path)
        kept = {word.value: word in (self.recipe.preserve or ()) for word in Preserve}
        if copy and not (storage.is_address(source) or storage.is_address(self.path)):
            kept["times"] = True
        attributes = storage.attributes(source, self.path, **kept) if any(kept.values()) else None
        return storage.written(self.path, self.overwrite, attributes, self.tree)


@dataclass(frozen=True)
class Written:
    """A file that was written: its path, the size of its first image, and how many images it has.

    `recipe` says how the first image was made; None for a copy of the input. `quality` was searched.
    `channels` are those of the first image, alpha included, and `crop` is the rectangle of the input that a
    patch shows.
    """

    path: str | None
    size: Size
    frames: int
    recipe: Recipe | None = None
    quality: float | None = None
    channels: int = 0
    crop: tuple[float, ...] | None = None


def cropped(size: Size, multiple_of: int) -> Size:
    """Both sides reduced to multiples of a number; 0 where a side is smaller than that."""
    width, height = size
    return width - width % multiple_of, height - height % multiple_of


def _of_multiples(picture: Picture, multiple_of: int) -> Picture:
    """The picture, cropped at the right and the bottom."""
    width, height = size = cropped(picture.size, multiple_of)
    if size == picture.size:
        return picture
    part = None if picture.part is None else (*picture.part[:2], width, height)
    pixels = picture.pixels[:height, :width]
    return replace(picture, pixels=pixels, uncropped=picture.uncropped or picture.size, part=part)


def peek(sequence: PictureSequence) -> tuple[Picture, PictureSequence]:
    """The first image of a sequence, and the sequence, which still begins with that image."""
    first = next(sequence.pictures)
    return first, replace(sequence, pictures=_with_first([first], sequence.pictures))


def _with_first(first: list[Picture], others: Iterator[Picture]) -> Iterator[Picture]:
    yield first.pop()  # which lets go of it
    yield from others


def convert(
    sequence: PictureSequence, outputs: Sequence[Output], name: str, source: str = ""
) -> Iterator[Written]:
    """Write all outputs of one input, decoding its images one at a time and each once.

    Parameters
    ----------
    sequence : PictureSequence
        The images of the input.
    name : str
        What errors and warnings call the input.
    source : str
        Path of the input, to copy its bytes where an output would equal it, and for what outputs take over;
        empty if it has none.

    Raises
    ------
    DpidError
        If a format cannot hold the images, an image is too small, or a file cannot be written. That file does
        not exist then; those yielded before do.
    """
    for output in outputs:
        check_sequence(sequence, output.format, name)
    first, sequence = peek(sequence)
    copies = [output for output in outputs if source and output.is_copy(sequence.kind, first)]
    size, channels = first.size, first.channels
    del first  # from here on, only the sequence holds it
    others = [output for output in outputs if output not in copies]
    for rendering, pictures in _rendered(sequence, others, name):
        yield _write(rendering, replace(sequence, pictures=iter(pictures)), source)
    for output in copies:  # last, as they remain when others fail
        from shutil import copyfileobj

        with storage.opened(source) as original, output.opened(source, copy=True) as stream:
            copyfileobj(original, stream)
        yield Written(output.path, size, sequence.count, channels=channels)


class _Rendering:
    """Renders the images of an input for one output; frames of an animation follow the first one."""

    def __init__(self, output: Output, sequence: PictureSequence) -> None:
        self.output = output
        self.together = sequence.kind == "animation"
        self.sizes: list[Size] = []
        self.recipe: Recipe | None = None  # of the first image
        self.channels = 0
        self.crop: tuple[float, ...] | None = None

    def __call__(self, picture: Picture, name: str) -> Picture:
        return self.taken(*self.output.render(picture, name))

    def taken(self, result: Picture, recipe: Recipe) -> Picture:
        """The part to write of what the output's recipe has made of an image."""
        if (patch := self.output.patch) is not None:
            self.crop = patch.rectangle(result.size)
            result = part_of(result, *patch.square(result.size), self.output.name)
        self.sizes.append(result.size)
        self.channels = self.channels or result.channels
        if self.recipe is None:
            self.recipe = recipe
            if self.together:
                self.output = replace(self.output, recipe=recipe)
        return result


def _rendered(
    sequence: PictureSequence, outputs: Sequence[Output], name: str
) -> Iterator[tuple[_Rendering, Iterable[Picture]]]:
    """The images of each output; those of a single output are rendered while they are being written."""
    pages = (f"{name}: page {number}" for number in count())
    names = pages if sequence.kind == "pages" else repeat(name)
    renderings = [_Rendering(output, sequence) for output in outputs]
    if len(outputs) == 1:
        yield renderings[0], map(renderings[0], sequence.pictures, names)
    elif sequence.kind == "still":
        picture = next(sequence.pictures)
        made: dict[tuple[int, bool], tuple[Picture, Recipe]] = {}
        for rendering in renderings:
            key = id(rendering.output.recipe), rendering.output.original
            if key not in made:
                made.clear()  # first, as it may be large
                made[key] = rendering.output.render(picture, name)
            yield rendering, [rendering.taken(*made[key])]
    else:
        results: list[list[Picture]] = [[] for _ in outputs]
        for picture, what in zip(sequence.pictures, names, strict=False):
            for rendering, rendered in zip(renderings, results, strict=True):
                rendered.append(rendering(picture, what))
        while results:
            yield renderings[-len(results)], results.pop(0)


def _write(rendering: _Rendering, sequence: PictureSequence, source: str) -> Written:
    output = rendering.output
    with output.opened(source) as stream:
        used = write_sequence(sequence, stream, output.format, output.name)
    quality = None if used is output.format else round(used.options["quality"], 3)
    frames = len(rendering.sizes)
    return Written(
        output.path, rendering.sizes[0], frames, rendering.recipe, quality, rendering.channels, rendering.crop
    )


def check_outputs(stream: IO[bytes], recipe: Recipe, outputs: Sequence[Output], name: str) -> None:
    """Raise a `FileError` if a format cannot hold the images of its output; nothing is written.

    Images are decoded only if some of the input's format would not fit. `recipe` says how to read them.
    """
    source = format_in(stream, name)
    indices = recipe.palette == PaletteUse.KEEP
    outputs = list({(id(output.recipe), output.original): output for output in outputs}.values())
    doubtful = [o for o in outputs if indices or source is None or not holds_all_of(o.format, source)]
    if not doubtful:
        return
    stream.seek(0)
    for picture in recipe.sequence(stream, name).pictures:
        for output in doubtful:
            check_picture(output.render(picture, name)[0], output.format, output.name)
