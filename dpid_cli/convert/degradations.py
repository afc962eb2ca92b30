"""Degradations: for each image a method, a lambda, noise and JPEG artefacts, drawn as a file says."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.raster import full_scale
from dpid_cli.downscaling.registry import METHODS, method_named
from dpid_cli.downscaling.splitmix import stream, uniform
from dpid_cli.errors import ArgumentError, DpidError, FileError, one_line, reason
from dpid_cli.files import storage

if TYPE_CHECKING:
    from dpid_cli.pictures import Picture

_MOST_BYTES = 1 << 20  # of a file
_MOST_SEED = 2**64 - 1
_LARGEST = 1e300  # of numbers in a file
_STEPS = 1 << 20  # of noise, in a standard deviation
_EXTRA = 'pip install "dpid-cli[pairs]"'


@dataclass(frozen=True)
class Degradation:
    """What happens to the outputs of one image after they were downscaled.

    Attributes
    ----------
    noise : float or None
        Standard deviation of Gaussian noise, in levels of 8 bits.
    jpeg : int or None
        Quality of JPEG.
    state : int
        Where the random numbers of this image start.
    """

    noise: float | None
    jpeg: int | None
    state: int = 0

    def applied(self, picture: Picture, name: str) -> Picture:
        """The picture with noise, then stored as JPEG and read again; alpha stays as it is."""
        if self.noise is not None:
            picture = _with_colours(picture, self._noisy)
        if self.jpeg is None:
            return picture
        if picture.pixels.dtype != np.uint8:
            raise FileError(f"{name}: JPEG artefacts need 8 bits a channel: use --depth 8")
        return _with_colours(picture, lambda colours: _through_jpeg(picture, colours, self.jpeg, name))

    def _noisy(self, colours: NDArray[Any]) -> NDArray[Any]:
        unit = full_scale(colours.dtype)
        count = colours.size
        half = np.arange(-(-count // 2), dtype=np.uint64)
        state = stream(self.state, colours.shape[1])  # outputs of another scale get other noise
        radius = np.sqrt(-2 * np.log(1 - uniform(state, half)))
        angle = 2 * math.pi * uniform(state, half + np.uint64(len(half)))
        normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
        normal = np.rint(normal * _STEPS) / _STEPS  # the last bits of functions depend on the CPU
        values: NDArray[Any] = colours + (self.noise or 0) * unit / 255 * normal.reshape(colours.shape)
        if colours.dtype.kind == "u":
            values = np.floor(np.clip(values, 0, unit) + 0.5)
        return values.astype(colours.dtype)

    @property
    def told(self) -> dict[str, Any]:
        """For reports."""
        return {"noise": self.noise, "jpeg": self.jpeg}

    @property
    def words(self) -> list[str]:
        """For the Software tag."""
        return [f"degraded:{name}={value:g}" for name, value in self.told.items() if value is not None]


def _with_colours(picture: Picture, convert: Callable[[NDArray[Any]], NDArray[Any]]) -> Picture:
    """A function of (H, W, 1 or 3) applied to the colours of a picture."""
    from dpid_cli.pictures.icc import colours_of

    colours = convert(colours_of(picture))
    if picture.alpha:
        colours = np.concatenate([colours, picture.pixels[..., -1:]], axis=-1)
    return replace(picture, pixels=colours.reshape(picture.pixels.shape))


def _through_jpeg(picture: Picture, colours: NDArray[Any], quality: int | None, name: str) -> NDArray[Any]:
    """Colours after they were stored as JPEG, chroma at half the resolution."""
    from dpid_cli.pictures import FORMATS, Metadata, Picture, read, write

    pixels = colours[..., 0] if colours.shape[2] == 1 else colours
    jpeg = FORMATS["jpeg"].tuned({"quality": quality, "subsampling": "4:2:0"})
    with io.BytesIO() as file:
        write(Picture(np.ascontiguousarray(pixels), False, None, metadata=Metadata()), file, jpeg, name)
        file.seek(0)
        return read(file, name).pixels.reshape(colours.shape)


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, which a share of the images gets."""

    low: float
    high: float
    probability: float = 1.0

    def drawn(self, place: float) -> float:
        """The number at a place in [0, 1)."""
        return self.low + place * (self.high - self.low)


@dataclass(frozen=True)
class Degradations:
    """What a file of degradations says.

    Attributes
    ----------
    seed : int
    methods : mapping
        Weight of each method; empty if the method is not drawn.
    lambda_, noise, jpeg : Range or None
        Lambda for methods that take it; standard deviations in levels of 8 bits; qualities.
    """

    seed: int = 0
    methods: Mapping[str, float] = field(default_factory=dict)
    lambda_: Range | None = None
    noise: Range | None = None
    jpeg: Range | None = None

    def drawn(self, name: str) -> tuple[str | None, float | None, Degradation]:
        """Method, lambda and degradation for an image, by its path in the folder tree alone.

        Method and lambda are None if they are not drawn.
        """
        key = f"{self.seed}\0{name}".encode("utf-8", "surrogateescape")
        state = int.from_bytes(blake2b(key, digest_size=8).digest(), "little")
        places = uniform(state, np.arange(6)).tolist()
        method, place = None, places[0] * sum(self.methods.values())
        for method, weight in self.methods.items():  # noqa: B007  # the last one if sums are rounded
            if (place := place - weight) < 0:
                break
        lambda_ = None if self.lambda_ is None else round(self.lambda_.drawn(places[1]), 4)
        noise, quality = None, None
        if self.noise is not None and places[2] < self.noise.probability:
            noise = round(self.noise.drawn(places[3]), 3) or None
        if self.jpeg is not None and places[4] < self.jpeg.probability:
            quality = int(Range(self.jpeg.low, self.jpeg.high + 1).drawn(places[5]))
        return method, lambda_, Degradation(noise, quality, state)

    @classmethod
    def load(cls, path: str) -> Degradations:
        """Read a file in YAML, of which JSON is a part; an `ArgumentError` for whatever is wrong."""
        try:
            with storage.opened(path, _MOST_BYTES) as stream:
                text = stream.read(_MOST_BYTES).decode()
        except OSError as error:
            raise ArgumentError(f"{path}: cannot be read: {reason(error)}: check the path") from error
        except (DpidError, UnicodeDecodeError) as error:
            what = one_line(error).removeprefix(f"{path}: ").removeprefix("cannot be read: ").split(": ")[0]
            raise ArgumentError(f"{path}: cannot be read: {what}: give a file of YAML") from error
        return _Reader(path).whole(_parsed(path, text))


def _parsed(path: str, text: str) -> object:
    """The content of a file, whose mappings have every key once."""

    def once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
        keys = [key for key, _ in pairs]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise ArgumentError(f"{path}: {twice[0]}: is there twice: omit one of them")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except ArgumentError:
        raise
    except (ValueError, RecursionError) as error:
        if path.lower().endswith(".json"):
            raise ArgumentError(f"{path}: not JSON: {one_line(error)}: correct it") from error
    try:
        import yaml
    except ImportError:
        raise ArgumentError(f"{path}: YAML needs another package: {_EXTRA}, or write JSON") from None

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # which has no types
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            return once(
                [
                    (self.construct_object(key), self.construct_object(value, True))
                    for key, value in node.value
                ]
            )

    try:
        return yaml.load(text, Loader)  # noqa: S506  # a safe one
    except ArgumentError:
        raise
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ArgumentError(f"{path}: not YAML: {one_line(error)}: correct it") from error


class _Reader:
    """Reads the parts of a file, and says which of them is wrong."""

    def __init__(self, path: str) -> None:
        self.path = path

    def whole(self, content: object) -> Degradations:
        parts = self._mapping("", content, ("seed", "method", "lambda", "noise", "jpeg"))
        seed = parts.get("seed", 0)
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _MOST_SEED:
            raise self._wrong("seed", "a whole number from 0 to 2^64 - 1", seed)
        methods = self._methods(parts["method"]) if "method" in parts else {}
        lambda_ = None
        if "lambda" in parts:
            lambda_ = self._range("lambda", parts["lambda"], 0, math.inf)
            if methods and not any("lambda_" in METHODS[name].described for name in methods):
                raise ArgumentError(f"{self.path}: lambda: none of the methods takes it: omit it")
        noise = self._sometimes("noise", "sigma", parts, 0, 255)
        jpeg = self._sometimes("jpeg", "quality", parts, 1, 100)
        return Degradations(seed, methods, lambda_, noise, jpeg)

    def _methods(self, value: object) -> dict[str, float]:
        weights: Any = [value] if isinstance(value, str) else value
        if isinstance(weights, list) and all(isinstance(name, str) for name in weights):
            weights = dict.fromkeys(weights, 1.0)
        if not isinstance(weights, dict) or not weights:
            raise self._wrong("method", "methods with their weights, such as {dpid: 2, box: 1}", value)
        for name, weight in weights.items():
            try:
                method_named(name)
            except ArgumentError as error:
                raise ArgumentError(f"{self.path}: {error}") from None
            if not _is_number(weight) or not 0 < weight < math.inf:
                raise self._wrong(f"method.{name}", "a number above 0", weight)
        return dict(weights)

    def _sometimes(
        self, name: str, what: str, parts: Mapping[str, Any], low: float, high: float
    ) -> Range | None:
        """A range with a probability."""
        if name not in parts:
            return None
        inner = self._mapping(name, parts[name], (what, "probability"))
        if what not in inner:
            raise ArgumentError(f"{self.path}: {name}.{what}: is missing: add it")
        share = inner.get("probability", 1.0)
        if not _is_number(share) or not 0 <= share <= 1:
            raise self._wrong(f"{name}.probability", "a number from 0 to 1", share)
        found = self._range(f"{name}.{what}", inner[what], low, high)
        if name == "jpeg" and (found.low != int(found.low) or found.high != int(found.high)):
            raise self._wrong(f"{name}.{what}", "one or two whole numbers from 1 to 100", inner[what])
        return replace(found, probability=share)

    def _range(self, name: str, value: object, low: float, high: float) -> Range:
        """One number, or two of which the second is not smaller."""
        numbers: list[Any] = value if isinstance(value, list) else [value]
        bounds = f"from {low} to {high}" if high < math.inf else f"from {low} on"
        good = len(numbers) in (1, 2) and all(map(_is_number, numbers))
        if not good or not low <= numbers[0] <= numbers[-1] <= high or math.isinf(numbers[-1]):
            raise self._wrong(name, f"a number {bounds}, or two such as [{max(low, 1)}, 50]", value)
        return Range(numbers[0], numbers[-1])

    def _mapping(self, name: str, value: object, known: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(name or "the file", f"a mapping with {', '.join(known)}", value)
        if unknown := [key for key in value if key not in known]:
            place = f"{name}.{unknown[0]}" if name else str(unknown[0])
            raise ArgumentError(f"{self.path}: {_short(place)}: is not known: use {', '.join(known)}")
        return value

    def _wrong(self, name: str, allowed: str, value: object) -> ArgumentError:
        return ArgumentError(f"{self.path}: {name} must be {allowed} (got {_short(repr(value))})")


def _short(text: str) -> str:
    return " ".join(text.split())[:80]


def _is_number(value: object) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and -_LARGEST <= value <= _LARGEST  # type: ignore[operator]  # not NaN
