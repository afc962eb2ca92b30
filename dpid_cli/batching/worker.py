"""One input from file to files: what a worker does, on a thread, in a process or on another machine."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import PurePath
from typing import IO, Any

from dpid_cli.batching.spec import Order
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError, DpidError, FileError, collected, one_line
from dpid_cli.files import storage
from dpid_cli.pictures import (
    FORMATS,
    Format,
    Picture,
    PictureSequence,
    check_picture,
    check_sequence,
    format_in,
    format_of,
    holds_all_of,
    write_sequence,
)

DONE, SKIPPED, FAILED = "done", "skipped", "failed"


@dataclass(frozen=True)
class Known:
    """What an earlier run recorded of an input whose results are those that are asked for now.

    Attributes
    ----------
    facts : dict
        What its `Result` told that stays true as long as nothing changes.
    kept : bool
        Whether some of the results were there before it, and left.
    """

    output_bytes: tuple[int, ...]
    input_bytes: int
    modified: int
    checksum: str | None
    order: str
    facts: dict[str, Any]
    kept: bool


FACTS = ("input_size", "output_sizes", "methods", "parameters", "frames", "warnings")


@dataclass(frozen=True)
class Item:
    """One piece of work.

    Attributes
    ----------
    path : str
        The input.
    targets : tuple of str
        Where its results go, in the order of `Order.wants`, and of its crop, last.
    name : str
        Its path in the tree.
    known : Known or None
    made : tuple of str
        Those of `targets` that an earlier run has made, so that they may be replaced.
    unrecorded : bool
        Whether a run that was killed may have made others, too. Of what exists, only the content can tell.
    error : str
        Why there is nothing to be done; empty if there is.
    """

    path: str
    targets: tuple[str, ...] = ()
    name: str = ""
    known: Known | None = None
    made: tuple[str, ...] = ()
    unrecorded: bool = False
    error: str = ""


@dataclass(frozen=True)
class Result:
    """What became of one input.

    Attributes
    ----------
    input : str
        Its path, as it was given.
    status : {'done', 'skipped', 'failed'}
    outputs : tuple of str
        Where its results are; of a failed one, those that were written before it failed, or by earlier runs.
    input_size : (int, int) or None
        Width and height, upright, before it was cropped; None where it was not read.
    output_sizes : tuple of ((int, int) or None)
        Those of `outputs`; None for what was there before. Empty where it failed, or has no results.
    methods : tuple of (str or None)
        Those of `outputs`; None for what is not downscaled, or was there before. Empty as above.
    parameters : tuple of (dict or None)
        Those of the methods, by the names of their options; None for what was there before. Empty as above.
    frames : int
        How many frames or pages it has, or one; 0 where it was not read to the end.
    seconds : float
        Time that a worker spent on it.
    error : str or None
        What is wrong, and what to do: one line.
    reason : str or None
        Why it was skipped.
    warnings : tuple of str
    input_bytes, modified : int
        Size of the file, and when it was changed last, in nanoseconds since 1970.
    checksum : str or None
        BLAKE2b of its content, 128 bits, where that was asked for.
    output_bytes : tuple of int
        Sizes of the files in `outputs`.
    order : str
        What tells whether another run would make the same: of version, method, parameters and all other
        options. Empty if all of `outputs` were there before.
    trace : str
        Where the error happened, for those who look for its cause.
    """

    input: str
    status: str
    outputs: tuple[str, ...] = ()
    input_size: Size | None = None
    output_sizes: tuple[Size | None, ...] = ()
    methods: tuple[str | None, ...] = ()
    parameters: tuple[dict[str, Any] | None, ...] = ()
    frames: int = 0
    seconds: float = 0.0
    error: str | None = None
    reason: str | None = None
    warnings: tuple[str, ...] = ()
    input_bytes: int = 0
    modified: int = 0
    checksum: str | None = None
    output_bytes: tuple[int, ...] = ()
    order: str = ""
    trace: str = field(default="", repr=False)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = asdict(self) | {"seconds": round(self.seconds, 4)}
        del told["trace"]
        return told


class _SkippedError(Exception):
    """It is not to be done, for this reason."""


def work(order: Order, items: Sequence[Item]) -> list[Result]:
    """Do all `items`; whatever happens to one of them is in its result."""
    return [_Task(order, item).run() for item in items]


def again(order: Order, items: Sequence[Item]) -> tuple[Item, ...]:
    """The items of a worker that was lost: it may have made results, which are known by their content."""
    if order.overwrite or order.skip_existing or order.dry:
        return tuple(items)
    return tuple(replace(item, unrecorded=True) for item in items)


class _Task:
    """One input on its way; what its result tells is added as it goes."""

    def __init__(self, order: Order, item: Item) -> None:
        self.order = order
        self.item = item
        self.found: dict[str, Any] = {"input": item.path, "status": DONE, "outputs": ()}
        self.compared: set[str] = set()  # targets that exist, and count as ours if they are what we make

    def run(self) -> Result:
        start = time.perf_counter()
        with collected() as warnings:
            try:
                self._do()
            except _SkippedError as skipped:
                self._add(status=SKIPPED, reason=str(skipped))
                if not self.found["outputs"]:
                    self._add(output_sizes=(), methods=(), parameters=())
            except DpidError as error:
                self._fail(str(error))
            except MemoryError:
                self._fail(f"{self.item.path}: not enough memory: give fewer workers")
            except Exception as error:  # one image never ends the others
                told = f"{type(error).__name__}: {one_line(error)}"
                self._fail(f"{self.item.path}: internal error: {told}: report it")
        self._add(seconds=time.perf_counter() - start, warnings=tuple(map(self._as_given, warnings)))
        return Result(**self.found)

    def _fail(self, error: str) -> None:
        self._add(
            status=FAILED, error=self._as_given(error), outputs=self._left(), trace=traceback.format_exc()
        )
        self._add(output_sizes=(), methods=(), parameters=())

    def _left(self) -> tuple[str, ...]:
        """The results that were written before it failed, and those of earlier runs that are still there."""
        left = set(self.found["outputs"])
        for target in self.item.made:
            with suppress(DpidError):
                if storage.length(self._at(target)) is not None:
                    left.add(target)
        return tuple(target for target in self.item.targets if target in left)

    def _add(self, **found: Any) -> None:
        self.found.update(found)

    def _do(self) -> None:
        order, item = self.order, self.item
        if item.error:
            raise FileError(item.error)
        self._identify()
        missing = self._missing()
        reading = order.wants[0].recipe
        with storage.opened(self._at(item.path), reading.most_bytes) as stream:
            sequence = reading.sequence(stream, item.path)
            made = [self._planned(k, sequence) for k in missing]
            if order.dry:
                if compared := [one for one in made if one.target in self.compared]:
                    self._make(sequence, compared)
                stream.seek(0)
                self._measured(reading.read_size(stream, item.path))
                self._try(stream, made)
                self._add(outputs=tuple(item.targets[k] for k in missing))
                return
            self._make(sequence, made)
        self._add(outputs=item.targets, output_bytes=self._lengths(item.targets), frames=sequence.count)
        self._disown(set(range(len(item.targets))) - set(missing))

    def _identify(self) -> None:
        """Take down what tells the input from others, and skip it if an earlier run has done it."""
        order, known = self.order, self.item.known
        size, modified = storage.stamp(self._at(self.item.path))
        content = storage.checksum(self._at(self.item.path)) if order.checksum else None
        fingerprint = order.fingerprint
        self._add(input_bytes=size, modified=modified, checksum=content, order=fingerprint)
        self._add(methods=order.methods, parameters=order.parameters)
        if known is None or known.order != fingerprint or (known.kept and not order.skip_existing):
            return
        same = (
            known.checksum == content if content else (known.input_bytes, known.modified) == (size, modified)
        )
        if same and known.output_bytes == self._lengths(self.item.targets):
            self._add(outputs=self.item.targets, output_bytes=known.output_bytes, **known.facts)
            raise _SkippedError("done before")

    def _missing(self) -> list[int]:
        """Which of the targets are to be written."""
        targets = self.item.targets
        missing = list(range(len(targets)))
        if self.order.skip_existing:
            ours = self.item.made
            missing = [
                k for k in missing if targets[k] in ours or storage.length(self._at(targets[k])) is None
            ]
            if not missing:
                self._add(outputs=targets, output_bytes=self._lengths(targets))
                self._disown(set(range(len(targets))))
                raise _SkippedError("exists already")
        for k in missing:
            self._check(targets[k])
        return missing

    def _disown(self, kept: set[int]) -> None:
        """Tell of these targets that nobody knows how they were made."""
        if not kept:
            return
        if len(kept) == len(self.item.targets):
            self._add(order="")
        for key in "output_sizes", "methods", "parameters":
            told = self.found.get(key) or [None] * len(self.item.targets)
            self.found[key] = tuple(None if k in kept else one for k, one in enumerate(told))

    def _check(self, target: str) -> None:
        """Raise a `FileError` if there is something that must not be replaced."""
        at, replaced = self._at(target), self._replaces(target)
        if not replaced and self.item.unrecorded and storage.length(at) is not None:
            self.compared.add(target)
        storage.refuse(at, self._at(self.item.path), replaced or target in self.compared)

    def _replaces(self, target: str) -> bool:
        return self.order.overwrite or target in self.item.made

    def _measured(self, size: Size) -> Size:
        """What the crop leaves of an input of this size, if that is large enough."""
        order, item = self.order, self.item
        self._add(input_size=size)
        cropped = order.cropped(size)
        if 0 in cropped:
            raise self._small(f"{size[0]}x{size[1]} is smaller than --multiple-of {order.multiple_of}")
        if (why := order.too_small(cropped)) and order.if_smaller != "copy":
            raise self._small(why)
        if order.needs_size and item.name and order.targets(item.name, size) != item.targets:
            raise FileError(f"{item.path}: it is not of the size that its header tells: repair it")
        self._add(output_sizes=order.sizes(cropped))
        if why:  # results are of its own size
            self._add(methods=(None,) * len(order.methods), parameters=({},) * len(order.methods))
        return cropped

    def _small(self, why: str) -> Exception:
        if self.order.if_smaller == "skip":
            return _SkippedError(why)
        return ArgumentError(f"{self.item.path}: {why}" + ("" if ": " in why else ": use --if-smaller skip"))

    def _planned(self, number: int, sequence: PictureSequence) -> _Made:
        """How one of the targets is to be written, which must be able to hold all pictures of the file."""
        order, target = self.order, self.item.targets[number]
        format_ = FORMATS[order.format] if order.format else format_of(PurePath(target))
        want = order.wants[number] if number < len(order.wants) else None
        recipe = _tuned((want or order.wants[0]).recipe, format_, order.format)
        check_sequence(sequence, format_, self.item.path)
        return _Made(target, recipe.tuned(format_, self.item.path), recipe, want is None)

    def _make(self, sequence: PictureSequence, made: list[_Made]) -> None:
        """Write all results; the pictures are decoded one at a time, and each once."""
        first = next(sequence.pictures)
        self._measured(first.size)
        copied = [one for one in made if self._is_copied(one, sequence, first)]
        for one in copied:
            self._copy(one.target)
        others = [one for one in made if one not in copied]
        if sequence.kind == "still":
            for one in others:
                self._save(one, sequence, iter([self._finished(one, first, self.item.path)]))
            return
        for number, picture in enumerate(chain([first], sequence.pictures)):
            what = f"{self.item.path}: page {number}" if sequence.kind == "pages" else self.item.path
            for one in others:
                one.results.append(self._finished(one, picture, what))
        for one in others:
            self._save(one, sequence, iter(one.results))

    def _try(self, stream: IO[bytes], made: list[_Made]) -> None:
        """Make what its format may not be able to hold, for a dry run, which otherwise reads headers only."""
        source = format_in(stream, self.item.path)
        tried = [one for one in made if source is None or not holds_all_of(one.format, source)]
        stream.seek(0)
        for picture in self.order.wants[0].recipe.sequence(stream, self.item.path).pictures if tried else ():
            for one in tried:
                check_picture(self._finished(one, picture, self.item.path), one.format, one.target)

    def _is_copied(self, one: _Made, sequence: PictureSequence, first: Picture) -> bool:
        """Whether the file can stay as it is; pages may differ, so that each would have to be looked at."""
        order = self.order
        unscaled = one.crop or bool(order.too_small(first.size))
        alike = sequence.kind != "pages" and not (one.crop and first.turned)  # as results are upright
        same = one.recipe.keeps_everything and one.format.name == first.format
        return unscaled and alike and same and order.cropped(first.size) == first.size

    def _finished(self, one: _Made, picture: Picture, name: str) -> Picture:
        """What becomes of one picture."""
        order = self.order
        width, height = size = order.cropped(picture.size)
        if size != picture.size:
            picture = replace(picture, pixels=picture.pixels[:height, :width])
        if one.crop or (order.if_smaller == "copy" and order.too_small(size)):
            return one.recipe.unscaled(picture, name)
        return one.recipe.apply(picture, one.recipe.size_of(picture, name), name)

    def _save(self, one: _Made, sequence: PictureSequence, pictures: Iterator[Picture]) -> None:
        with self._written(one.target) as stream:
            write_sequence(replace(sequence, pictures=pictures), stream, one.format, one.target)
        one.results.clear()
        self._wrote(one.target)

    def _copy(self, target: str) -> None:
        """Nothing is to be changed."""
        with (
            storage.opened(self._at(self.item.path)) as source,
            self._written(target) as stream,
        ):
            shutil.copyfileobj(source, stream)
        self._wrote(target)

    def _written(self, target: str) -> AbstractContextManager[IO[bytes]]:
        if target in self.compared:
            return storage.confirmed(self._at(target))
        return storage.written(self._at(target), self._replaces(target))

    def _wrote(self, target: str) -> None:
        self._add(outputs=(*self.found["outputs"], target))

    def _at(self, path: str) -> str:
        return storage.absolute(path, self.order.base)

    def _as_given(self, message: str) -> str:
        """A message with the paths as they were given, not as they stand for a worker with another folder."""
        whole = [path for path in (self.item.path, *self.item.targets) if self._at(path) == path]
        folder = message.partition(": ")[0] + "/"
        if not self.order.base or any(message.startswith(path) or path.startswith(folder) for path in whole):
            return message
        return message.removeprefix(storage.joined(self.order.base, ""))

    def _lengths(self, paths: Sequence[str]) -> tuple[int, ...]:
        """Bytes of each file, -1 for what is none."""
        found = (storage.length(self._at(path)) for path in paths)
        return tuple(-1 if length is None else length for length in found)


@dataclass(eq=False)
class _Made:
    """One result on its way; `crop` tells that it is the input itself."""

    target: str
    format: Format
    recipe: Recipe
    crop: bool
    results: list[Picture] = field(default_factory=list)


def _tuned(recipe: Recipe, format_: Format, asked: str | None) -> Recipe:
    """The encoder's options that the format has, where each input's may be another."""
    if asked is not None:
        return recipe
    fitting = {key: value for key, value in recipe.encoding.items() if key in format_.options}
    return replace(recipe, encoding=fitting)
