"""The work on the inputs of a batch: many at a time on any executor, each on a thread, process or machine."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import suppress
from dataclasses import fields, replace
from itertools import islice
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any

from dpid_cli.batching.items import ADDED, DONE, FAILED, SKIPPED, Item, Result
from dpid_cli.batching.pairs import spread
from dpid_cli.convert.engine import Output, check_outputs, convert, peek
from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError, DpidError, FileError, collected, one_line, reason, shortage, warn
from dpid_cli.files import storage
from dpid_cli.files.folders import Tree
from dpid_cli.files.output import ExistsError
from dpid_cli.pictures import FORMATS, Format, PictureSequence, check_sequence, format_of
from dpid_cli.pictures.formats import fitting_options

if TYPE_CHECKING:
    from dpid_cli.batching.spec import BatchSpec
    from dpid_cli.convert.recipe import Recipe

_POLL_SECONDS = 0.2  # between looks at `stop`
_NO_OUTPUTS = dict.fromkeys(("output_sizes", "methods", "parameters", *ADDED), ())


class _SkippedError(Exception):
    """The input is to be skipped, for this reason."""


def convert_items(spec: BatchSpec, items: Sequence[Item]) -> list[Result]:
    """Convert all items, and report every error in the result of its item."""
    return [_Conversion(spec, item).run() for item in items]


def retried(spec: BatchSpec, items: Sequence[Item]) -> tuple[Item, ...]:
    """The items of a lost worker, which may have written outputs: their content will tell."""
    if spec.overwrite or spec.skip_existing or spec.dry:
        return tuple(items)
    return tuple(replace(item, unrecorded=True) for item in items)


class _Conversion:
    """The conversion of one input, which notes step by step what its result will be."""

    def __init__(self, spec: BatchSpec, item: Item) -> None:
        self.spec = spec.drawn(item.name)
        self.item = item
        self.facts: dict[str, Any] = {"status": DONE}  # the fields of the result
        self.unrecorded: set[str] = set()  # targets that exist, and count if their content is right
        self.patches = max(1, len(item.targets) // len(spec.methods))  # of each kind of output

    def run(self) -> Result:
        start = time.perf_counter()
        with collected() as warnings:
            try:
                self._convert()
            except _SkippedError as skipped:
                self._skip(str(skipped))
            except DpidError as error:
                self._fail(str(error), exists=isinstance(error, ExistsError))
            except OSError as error:
                self._fail(f"{self.item.path}: cannot be converted: {reason(error)}: check the folders")
            except Exception as error:  # one image never stops the others
                self._fail(f"{self.item.path}: {_unexpected(error, 'internal error', 'report it')}")
        earlier = self.facts.pop("warnings", ())
        messages = (*earlier, *map(self._as_given, dict.fromkeys(warnings)))
        return Result(self.item.path, **self.facts, seconds=time.perf_counter() - start, warnings=messages)

    def _note(self, **facts: Any) -> None:
        self.facts |= facts

    @property
    def _outputs(self) -> tuple[str, ...]:
        """The outputs that exist so far."""
        outputs: tuple[str, ...] = self.facts.get("outputs", ())
        return outputs

    def _skip(self, reason: str) -> None:
        self._note(status=SKIPPED, reason=reason)
        if not self._outputs:
            self._note(**_NO_OUTPUTS)

    def _fail(self, error: str, *, exists: bool = False) -> None:
        trace = traceback.format_exc()
        self._note(status=FAILED, error=self._as_given(error), outputs=self._left(), **_NO_OUTPUTS)
        self._note(trace=trace, exists=exists)

    def _left(self) -> tuple[str, ...]:
        """The outputs written before the failure, and those of earlier runs that still exist."""
        left = {*self._outputs, *self._existing(self.item.made)}
        return tuple(target for target in self.item.targets if target in left)

    def _existing(self, paths: tuple[str, ...]) -> list[str]:
        """Those of the paths that are files."""
        found = []
        for path in paths:
            with suppress(DpidError):
                if storage.length(self._at(path)) is not None:
                    found.append(path)
        return found

    def _convert(self) -> None:
        spec, item = self.spec, self.item
        if item.error:
            raise FileError(item.error)
        self._identify()
        missing = self._missing()
        reading = spec.outputs[0].recipe
        with storage.opened(self._at(item.path), reading.most_bytes) as stream:
            sequence = reading.sequence(stream, item.path)
            if spec.pairs is not None and sequence.kind != "still":
                raise FileError(f"{item.path}: has {sequence.count} frames or pages: use --frame")
            outputs = [self._output(k) for k in missing]
            for output in outputs:
                check_sequence(sequence, output.format, item.path)
            if spec.dry:
                self._rehearse(stream, sequence, outputs)
                self._note(outputs=tuple(item.targets[k] for k in missing))
                return
            self._write(sequence, outputs)
        if spec.pairs is not None and (old := self._existing(item.former)):
            warn(f"{item.path}: outputs of an earlier run stay: remove these {len(old)}, such as {old[0]}")
        self._note(outputs=item.targets, output_bytes=self._lengths(), frames=sequence.count)
        self._disown(set(range(len(item.targets))) - set(missing))

    def _identify(self) -> None:
        """Note what tells the input from others, and skip it if an earlier run has done it."""
        spec, item = self.spec, self.item
        size, modified = storage.stamp(self._at(item.path))
        content = storage.checksum(self._at(item.path)) if spec.checksum else None
        self._note(input_bytes=size, modified=modified, checksum=content, order=spec.fingerprint)
        self._note(methods=self._spread(spec.methods), parameters=self._spread(spec.parameters))
        known = item.known
        if known is None or known.order != spec.fingerprint:
            return
        if None in known.parameters and not spec.skip_existing:  # the earlier run left existing outputs
            return
        same = (
            known.checksum == content if content else (known.input_bytes, known.modified) == (size, modified)
        )
        if same and known.output_bytes == self._lengths():
            self.facts = {f.name: getattr(known, f.name) for f in fields(known)}
            del self.facts["input"], self.facts["seconds"]
            self._note(outputs=item.targets, input_bytes=size, modified=modified, checksum=content)
            raise _SkippedError("done before")

    def _spread(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """One value for each target, from one for each kind of output."""
        return spread(values, self.patches * len(values))

    def _missing(self) -> list[int]:
        """Indices of the targets to write."""
        targets = self.item.targets
        missing = list(range(len(targets)))
        if self.spec.skip_existing:
            made = self.item.made
            missing = [
                k for k in missing if targets[k] in made or storage.length(self._at(targets[k])) is None
            ]
            if not missing:
                self._note(outputs=targets, output_bytes=self._lengths())
                self._disown(set(range(len(targets))))
                raise _SkippedError("exists already")
        for k in missing:
            self._check(targets[k])
        return missing

    def _disown(self, kept: set[int]) -> None:
        """Note that these targets existed before, made nobody knows how."""
        if not kept:
            return

        def without(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(None if k in kept else one for k, one in enumerate(values or [None] * count))

        count = len(self.item.targets)
        if len(kept) == count:
            self._note(order="")
        for name in "output_sizes", "methods", "parameters":
            self._note(**{name: without(self.facts.get(name, ()))})

    def _check(self, target: str) -> None:
        """Raise a `FileError` if the target exists and must not be replaced."""
        path, replaced = self._at(target), self._replaces(target)
        if not replaced and self.item.unrecorded and storage.length(path) is not None:
            self.unrecorded.add(target)
        guides = {output.recipe.guidance for output in self.spec.outputs} - {None}
        for source in (self.item.path, *guides):
            storage.refuse(path, self._at(str(source)), replaced or target in self.unrecorded)

    def _replaces(self, target: str) -> bool:
        return self.spec.overwrite or target in self.item.made

    def _output(self, number: int) -> Output:
        """How to write one of the targets."""
        spec, target = self.spec, self.item.targets[number]
        kind, index = divmod(number, self.patches)
        original = kind == len(spec.outputs)
        format_ = FORMATS[spec.format] if spec.format else format_of(PurePath(target))
        recipe = spec.outputs[0 if original else kind].recipe
        if spec.format is None:
            recipe = _with_options_of(format_, recipe)
        return Output(
            self._at(target),
            recipe.tuned(format_, self.item.path),
            recipe,
            spec.multiple_of,
            original,
            spec.keeps_size,
            self._replaces(target),
            target in self.unrecorded,
            self._tree(kind),
            None if spec.pairs is None else spec.pairs.patch(spec.scales[kind], index),
        )

    def _tree(self, kind: int) -> Tree | None:
        """The folder that contains outputs of a kind; None if there is none, or it is an address."""
        root = self.spec.roots(len(self.spec.methods))[kind]
        if not root or storage.is_address(root):
            return None
        return Tree(self._at(root), frozenset(map(self._at, self.spec.links)))

    def _write(self, sequence: PictureSequence, outputs: Sequence[Output]) -> None:
        targets = {self._at(target): target for target in self.item.targets}
        first, sequence = peek(sequence)
        self._measure(first.size, self.spec.outputs[0].recipe.square_size(first))
        del first  # only the sequence holds it
        for written in convert(sequence, outputs, self.item.path, self._at(self.item.path)):
            target = targets[str(written.path)]
            self._note(outputs=(*self._outputs, target))
            number = self.item.targets.index(target)
            crop = written.crop
            if written.recipe is not None:
                self._note_used(number, written.recipe)
                if crop is None and (part := written.recipe.rectangle()) is not None:
                    crop = part.numbers
            self._note_of(number, crops=crop, qualities=written.quality, channels=written.channels)
            if number < self.patches * len(self.spec.outputs):
                degradation = self.spec.outputs[0].recipe.degradation
                self._note_of(number, degradations=degradation and degradation.told)

    def _note_of(self, number: int, **values: Any) -> None:
        """Note facts of one target, unless they are None; the others have None until theirs are known."""
        for name, value in values.items():
            if value is not None:
                known = self.facts.get(name) or (None,) * len(self.item.targets)
                self._note(**{name: (*known[:number], value, *known[number + 1 :])})

    def _note_used(self, number: int, recipe: Recipe) -> None:
        """Note the parameters of a target, unless its images keep their size."""
        parameters = self.facts["parameters"]
        if parameters[number]:
            used = (recipe.told,)
            self._note(parameters=(*parameters[:number], *used, *parameters[number + 1 :]))

    def _rehearse(self, stream: IO[bytes], sequence: PictureSequence, outputs: Sequence[Output]) -> None:
        """Find the errors that writing the outputs would find; existing outputs are compared."""
        if existing := [output for output in outputs if output.exists]:
            self._write(sequence, existing)
        reading = self.spec.outputs[0].recipe
        stream.seek(0)
        self._measure(*reading.read_sizes(stream, self.item.path))
        check_outputs(stream, reading, outputs, self.item.path)

    def _measure(self, size: Size, square: Size) -> None:
        """Note the sizes of an input and its outputs, or refuse the input if it is too small.

        `square` is what is left of its size with square pixels, if these are wanted.
        """
        spec, item = self.spec, self.item
        self._note(input_size=size)
        cropped = spec.cropped(square)
        if 0 in cropped:
            raise self._too_small(f"{size[0]}x{size[1]} is smaller than --multiple-of {spec.multiple_of}")
        if (why := spec.too_small(cropped)) and spec.if_smaller != "copy":
            raise self._too_small(why)
        if spec.needs_size and item.name and self._targets(square) != item.targets:
            raise FileError(f"{item.path}: its size differs from that in its header: repair the file")
        count = len(item.targets)
        self._note(output_sizes=spec.sizes(cropped, count))
        if why:  # outputs keep its size
            self._note(methods=(None,) * count, parameters=({},) * count)

    def _targets(self, size: Size) -> tuple[str, ...]:
        return self.spec.targets(self.item.path, self.item.name, size, self.item.index)

    def _too_small(self, why: str) -> Exception:
        if self.spec.if_smaller != "error":  # to copy comes here only if nothing is left to copy
            return _SkippedError(why)
        return ArgumentError(f"{self.item.path}: {why}" + ("" if ": " in why else ": use --if-smaller skip"))

    def _at(self, path: str) -> str:
        return storage.absolute(path, self.spec.base)

    def _as_given(self, message: str) -> str:
        """A message with paths as they were given, not with the folder in which a worker resolved them."""
        whole = [path for path in (self.item.path, *self.item.targets) if self._at(path) == path]
        folder = message.partition(": ")[0] + "/"
        if not self.spec.base or any(message.startswith(path) or path.startswith(folder) for path in whole):
            return message
        return message.removeprefix(storage.joined(self.spec.base, ""))

    def _lengths(self) -> tuple[int, ...]:
        """Size of each target in bytes, -1 for one that does not exist."""
        lengths = (storage.length(self._at(path)) for path in self.item.targets)
        return tuple(-1 if length is None else length for length in lengths)


def _with_options_of(format_: Format, recipe: Recipe) -> Recipe:
    """The recipe without encoder options that the format lacks, as formats may differ by input."""
    return replace(recipe, encoding=fitting_options(format_, recipe.encoding))


def run(
    spec: BatchSpec,
    items: Iterable[Item],
    executor: Executor,
    *,
    pending: int,
    chunk: int = 1,
    within: float | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Result]:
    """Convert all items and yield their results, in the order in which they complete.

    Items are taken when they are needed. At most `chunk` of them are handed over together, and at most
    `pending` chunks are not yet done. With `within`, the seconds that a chunk should take at the pace of the
    last one, chunks start with one item and at most double; without it, all have `chunk` items. When `stop`
    is set, items that have not begun are dropped, and the others are waited for. If the executor fails, its
    items fail.
    """
    source = iter(items)
    size = chunk if within is None else 1
    futures: dict[Future[list[Result]], tuple[Item, ...]] = {}
    try:
        more = True
        while futures or more:
            if stop is not None and stop.is_set():
                _drop(futures)
            while more and len(futures) < pending:
                part = () if stop is not None and stop.is_set() else tuple(islice(source, size))
                more = bool(part)
                if part:
                    futures[_submitted(executor, spec, part)] = part
            done, _ = wait(futures, _POLL_SECONDS if stop is not None else None, FIRST_COMPLETED)
            for future in [future for future in futures if future in done]:
                results = results_of(future, futures.pop(future))
                if within is not None:
                    size = min(chunk, 2 * size, _fitting(results, within) or size)
                yield from results
    finally:
        _drop(futures)
        wait(futures)


def _fitting(results: list[Result], within: float) -> int:
    """How many inputs like these take this many seconds, at least one; 0 if none of them was done."""
    seconds = [result.seconds for result in results if result.status == DONE]
    return max(1, int(within * len(seconds) / max(sum(seconds), 1e-6))) if seconds else 0


def _submitted(executor: Executor, spec: BatchSpec, items: tuple[Item, ...]) -> Future[list[Result]]:
    try:
        return executor.submit(convert_items, spec, items)
    except RuntimeError as error:  # its workers have died
        failed: Future[list[Result]] = Future()
        failed.set_exception(error)
        return failed


def _drop(futures: dict[Future[list[Result]], tuple[Item, ...]]) -> None:
    """Cancel and forget what has not begun."""
    for future in list(futures):
        if future.cancel():
            del futures[future]


def results_of(future: Future[list[Result]], items: tuple[Item, ...]) -> list[Result]:
    """The results of items that were handed over; failures if their worker was lost."""
    error = CancelledError() if future.cancelled() else future.exception()
    if error is None:
        return future.result()
    said = _unexpected(error, "its worker failed", "try again")
    return [Result(item.path, FAILED, error=f"{item.path}: {said}") for item in items]


def _unexpected(error: BaseException, happened: str, remedy: str) -> str:
    """What is said of an error that is nobody's mistake, unless the system has too little for all workers."""
    if lack := shortage(error):
        return f"{lack}: use fewer workers"
    return f"{happened}: {type(error).__name__}: {one_line(error)}: {remedy}"
