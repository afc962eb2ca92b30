"""What a worker is given for one input of a batch, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from dpid_cli.downscaling.sizes import Size

DONE, SKIPPED, FAILED = "done", "skipped", "failed"
ADDED = ("qualities", "crops", "channels", "degradations")  # which older reports lack
_NOT_READ = ("seconds", "error", "reason", "trace", "exists", *ADDED)


@dataclass(frozen=True)
class Item:
    """One input to convert.

    Attributes
    ----------
    path : str
        The input.
    targets : tuple of str
        Paths of its outputs, in the order of `BatchSpec.outputs`, then that of the cropped original.
    name : str
        Its path in the folder tree.
    index : int
        Its number in the list of all inputs, from 1.
    known : Result or None
        The result of an earlier run with the same targets.
    made : tuple of str
        Those of `targets` that an earlier run has written; they may be replaced.
    former : tuple of str
        Outputs of an earlier run that are none of `targets`.
    unrecorded : bool
        Whether a killed run may have written other targets. If such a target exists, its content decides.
    error : str
        Why this cannot be an input; empty if it can.
    """

    path: str
    targets: tuple[str, ...] = ()
    name: str = ""
    index: int = 1
    known: Result | None = None
    made: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    unrecorded: bool = False
    error: str = ""


@dataclass(frozen=True)
class Result:
    """What was made of one input.

    Attributes
    ----------
    input : str
        Its path, as it was given.
    status : {'done', 'skipped', 'failed'}
    outputs : tuple of str
        Paths of its outputs; if it failed, those written before the failure or by earlier runs.
    input_size : (int, int) or None
        Width and height, upright, before cropping; None if it was not read.
    output_sizes : tuple of ((int, int) or None)
        One for each output; None for an output that existed before. Empty if it failed or has no outputs.
    methods : tuple of (str or None)
        One for each output; None if it is not downscaled, or existed before. Empty as above.
    parameters : tuple of (dict or None)
        By the names of their options; None for an output that existed before. Empty as above.
    qualities : tuple of (float or None)
        One for each output: the quality that was found for ``target_size``. Empty if none was searched.
    crops : tuple of ((float, float, float, float) or None)
        One for each output: left, top, width and height of the part of the input. Empty if all is used.
    degradations : tuple of (dict or None)
        One for each output: what was drawn for it, by name. Empty if nothing was drawn.
    channels : tuple of (int or None)
        One for each output: number of channels, alpha included. Empty if it failed or has no outputs.
    frames : int
        Number of its frames or pages; 0 if it was not read to the end.
    seconds : float
        Time that a worker spent on it.
    error : str or None
        What is wrong, and what to do: one line.
    reason : str or None
        Why it was skipped.
    warnings : tuple of str
    input_bytes, modified : int
        Size of the file, and its modification time in nanoseconds since 1970.
    checksum : str or None
        BLAKE2b of its content, 128 bits, if requested.
    output_bytes : tuple of int
        Sizes of the files in `outputs`.
    order : str
        A hash of the version and all options that outputs depend on; empty if all outputs existed before.
    trace : str
        Traceback of the error.
    exists : bool
        Whether it failed because an output exists, which must not be replaced.

    Examples
    --------
    >>> import dpid_cli
    >>> (result,) = dpid_cli.batch([("missing.png", "small.png")], scale=4)
    >>> result.status, result.outputs
    ('failed', ())
    """

    input: str
    status: str
    outputs: tuple[str, ...] = ()
    input_size: Size | None = None
    output_sizes: tuple[Size | None, ...] = ()
    methods: tuple[str | None, ...] = ()
    parameters: tuple[dict[str, Any] | None, ...] = ()
    qualities: tuple[float | None, ...] = ()
    crops: tuple[tuple[float, ...] | None, ...] = ()
    degradations: tuple[dict[str, Any] | None, ...] = ()
    channels: tuple[int | None, ...] = ()
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
    exists: bool = field(default=False, repr=False)

    @property
    def kept_size(self) -> bool:
        """Whether it was smaller than requested, and therefore not downscaled."""
        return self.status == DONE and not any(self.methods) and all(p == {} for p in self.parameters)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        line = vars(self) | {"seconds": round(self.seconds, 4)}
        del line["trace"], line["exists"]
        return line

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> Result:
        """The result in a line of a report; a `KeyError`, `TypeError` or `ValueError` if that is damaged."""
        values = {f.name: line[f.name] for f in fields(cls) if f.name not in _NOT_READ}
        values |= {name: tuple(line.get(name, ())) for name in ADDED}
        values["input_size"] = _size(values["input_size"])
        values["output_sizes"] = map(_size, values["output_sizes"])
        for name in "outputs", "output_sizes", "methods", "parameters", "warnings", "output_bytes":
            values[name] = tuple(values[name])
        return cls(**values)


def _size(value: Any) -> Size | None:
    if value is None:
        return None
    width, height = value
    return width, height
