"""The parameters of the methods: one frozen dataclass for each set of parameters.

The fields carry everything that options, defaults, checks, help and tables need to know.
"""

# ruff: noqa: RUF009  # `parameter` returns a field
from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dpid_cli.downscaling.choices import (
    Automatic,
    Choice,
    Form,
    Guidance,
    Normalize,
    Position,
    Variant,
)
from dpid_cli.errors import ArgumentError, either

if TYPE_CHECKING:
    from dpid_cli.downscaling.filters import Filter

_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Parameter:
    """A parameter of methods: a number within bounds, one of a few words, or a filter.

    Attributes
    ----------
    name, summary : str
        Its name in Python (`lambda_`), and one line for help and tables.
    default : float, int, Choice or None
        None stands for what `unset` says.
    low, high : float
        Smallest and largest number allowed; with `above_zero`, 0 is not.
    whole : bool
        Whether the number must be whole.
    automatic, listed : bool
        Whether the word ``auto`` is allowed, and several numbers, one for each channel.
    filters : bool
        Whether a filter is allowed, in addition to the words if there are any.
    unit, unset : str
        Unit of the number, and what happens if the parameter is None.
    """

    name: str
    default: Any
    summary: str
    low: float = 0.0
    high: float = _LARGEST
    above_zero: bool = False
    whole: bool = False
    automatic: bool = False
    listed: bool = False
    filters: bool = False
    unit: str = ""
    unset: str = ""

    @property
    def label(self) -> str:
        """Name in options, reports and messages: without the underscore."""
        return self.name.rstrip("_")

    @property
    def choices(self) -> tuple[str, ...]:
        """The words allowed; empty for numbers."""
        return type(self.default).words() if isinstance(self.default, Choice) else ()

    @property
    def allowed(self) -> str:
        """What a message says is allowed."""
        if self.choices:
            return either(self.choices)
        kind = "a whole number" if self.whole else "a finite number"
        if self.high < _LARGEST:
            bounds = f"{kind} from {self.low:g} to {self.high:g}"
        else:
            bounds = f"{kind} above 0" if self.above_zero else f"{kind}, {self.low:g} or more"
        several = ", one for each channel" if self.listed else ""
        return bounds + several + (", or auto" if self.automatic else "")

    def read(self, text: str) -> Any:
        """The value that a text stands for, or an `ArgumentError`; several numbers are joined by slashes."""
        if self.automatic and text.lower() == Automatic.AUTO:
            return Automatic.AUTO
        if self.choices or self.filters:
            return text.lower() if text.lower() in self.choices else text
        try:
            numbers = [int(part) if self.whole else float(part) for part in text.split("/")]
        except ValueError:
            numbers = []
        if not numbers or (len(numbers) > 1 and not self.listed):
            raise ArgumentError(f"{self.label} must be {self.allowed} (got {text!r})")
        return numbers[0] if len(numbers) == 1 else tuple(numbers)

    def check(self, value: Any) -> Any:
        """Return `value` in its own type, or raise an `ArgumentError` that says what is allowed."""
        if self.filters and not (self.choices and isinstance(value, str)):
            return value  # a filter, which `filters.resolved` and the method check
        if isinstance(self.default, Choice):
            return type(self.default).named(self.label, value)
        if self.automatic and isinstance(value, str) and value == Automatic.AUTO:
            return Automatic.AUTO
        if self.listed and isinstance(value, tuple | list) and value:
            return tuple(replace(self, listed=False, automatic=False).check(one) for one in value)
        if isinstance(value, Real) and hasattr(value, "item"):
            value = value.item()  # of NumPy, which warns where it compares numbers of different ranges
        fits = isinstance(value, Integral if self.whole else Real) and not isinstance(value, bool)
        if not fits or not self.low <= value <= self.high or (self.above_zero and value == 0):
            raise ArgumentError(f"{self.label} must be {self.allowed} (got {value!r})")
        return int(value) if self.whole else float(value)


def shown(value: Any) -> str:
    """A value as `Parameter.read` reads it, without a trailing ``.0``.

    >>> shown(2.0), shown((0.01, 0.02))
    ('2', '0.01/0.02')
    """
    if isinstance(value, tuple | list):
        return "/".join(map(shown, value))
    return str(value).removesuffix(".0")


def parameter(default: Any, summary: str, **facts: Any) -> Any:
    """A dataclass field that describes a `Parameter`."""
    return field(default=default, metadata={"summary": summary, **facts})


@dataclass(frozen=True)
class Parameters:
    """Checked values of a method's parameters; this base has none.

    Examples
    --------
    >>> DppParameters(lambda_=2.0).as_dict()["guidance"]
    <Guidance.BOX: 'box'>
    >>> WindowParameters.described()["window"].check(0)
    Traceback (most recent call last):
    dpid_cli.errors.ArgumentError: window must be a whole number, 1 or more (got 0)
    """

    @classmethod
    def described(cls) -> dict[str, Parameter]:
        """The parameters by Python name."""
        return {f.name: Parameter(f.name, f.default, **f.metadata) for f in fields(cls)}

    def as_dict(self) -> dict[str, Any]:
        """The values by Python name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def absolute(self) -> bool:
        """Whether results depend on which value stands for intensity 1, as constants do not scale."""
        return False

    @property
    def filter(self) -> Filter | None:
        """The learned filter that gives the guidance, if one does."""
        guidance = getattr(self, "guidance", None)
        return None if isinstance(guidance, Choice) else guidance


_COMPARED = "what pixels are compared with"
_SOFTENS = "softens the distance near the guidance"


@dataclass(frozen=True)
class DetailParameters(Parameters):
    """Of ``dpid``. Lambda and noise may be ``auto`` until the image is known."""

    lambda_: float = parameter(
        1.0, "how much distinct pixels count; 0 is the box filter, and auto suits the image", automatic=True
    )
    alpha: float = parameter(
        0.0, "constant added to every pixel's weight; larger values move the result towards box"
    )
    epsilon: float = parameter(0.0, _SOFTENS, unit="intensity")
    variant: Variant = parameter(
        Variant.SYM, "reward pixels on both sides of the guidance, or only those above it"
    )
    guidance: Guidance | Filter = parameter(Guidance.GAUSSIAN, _COMPARED, filters=True)
    normalize: Normalize = parameter(Normalize.NONE, "divide squared distances by their mean in the window")
    noise: float | tuple[float, ...] = parameter(
        0.0, "standard deviation of noise, which then is no detail; auto measures it",
        high=1, automatic=True, listed=True, unit="intensity",
    )  # fmt: skip

    @property
    def absolute(self) -> bool:
        """Whether epsilon, alpha, noise or the bias of a filter counts."""
        added = self.alpha > 0 and self.normalize != Normalize.MEAN
        biased = self.filter is not None and self.filter.is_biased
        noisy = self.noise not in (0, Automatic.AUTO)
        return self.lambda_ != 0 and (self.epsilon > 0 or added or biased or noisy)


@dataclass(frozen=True)
class DppParameters(DetailParameters):
    """Of ``dpp``, whose weights cannot vanish."""

    epsilon: float = parameter(math.sqrt(1e-3), _SOFTENS, unit="intensity", above_zero=True)
    guidance: Guidance | Filter = parameter(Guidance.BOX, _COMPARED, filters=True)


_WINDOW: Any = parameter(
    None, "side of overlapping windows", low=1, whole=True, unit="pixels", unset="windows side by side"
)


@dataclass(frozen=True)
class WindowParameters(Parameters):
    """Of methods whose windows may overlap."""

    window: int | None = _WINDOW


@dataclass(frozen=True)
class BlendParameters(Parameters):
    """Of ``mixed`` and ``adapool``."""

    beta: float = parameter(0.5, "share of max in mixed, of edscw in adapool", high=1)
    window: int | None = _WINDOW


@dataclass(frozen=True)
class LpParameters(Parameters):
    """Of ``lp``."""

    power: float = parameter(2.0, "exponent of lp; 1 is the mean, larger values approach max", low=1)
    window: int | None = _WINDOW


@dataclass(frozen=True)
class DrawParameters(Parameters):
    """Of methods that draw at random."""

    form: Form = parameter(Form.RANDOM, "draw at random, or compute a mean instead")
    seed: int = parameter(0, "the same seed draws the same pixels", high=2**64 - 1, whole=True)


@dataclass(frozen=True)
class StochasticParameters(DrawParameters):
    """Of ``stochastic``."""

    window: int | None = _WINDOW


@dataclass(frozen=True)
class CellParameters(DrawParameters):
    """Of ``s3pool``."""

    cell: int | None = parameter(
        None, "side of the cells in which s3pool and s3dpp draw rows and columns",
        low=1, whole=True, unit="pixels", unset="half of each side",
    )  # fmt: skip


@dataclass(frozen=True)
class S3dppParameters(CellParameters, DppParameters):
    """Of ``s3dpp``, which takes no filter."""

    guidance: Guidance = parameter(Guidance.BOX, _COMPARED)


@dataclass(frozen=True)
class SubsampleParameters(Parameters):
    """Of ``subsample``."""

    position: Position = parameter(Position.CORNER, "which pixel of a window subsample takes")


@dataclass(frozen=True)
class GateParameters(Parameters):
    """Of ``gated``."""

    gate: Any = parameter(
        None, "filter by which gated mixes max and mean", filters=True, unset="half of each"
    )

    @property
    def absolute(self) -> bool:
        """Whether there is a gate."""
        return self.gate is not None


_OWNERS: tuple[type[Parameters], ...] = (
    DetailParameters, WindowParameters, BlendParameters, LpParameters, CellParameters, SubsampleParameters,
    GateParameters,
)  # fmt: skip
# Every parameter, in the order of help and tables; where defaults differ between methods, that of the first.
PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {name: described for owner in _OWNERS for name, described in owner.described().items()}
)
