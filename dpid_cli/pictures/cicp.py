"""Code points of colours (ITU-T H.273), by which many files say which colours their pixels are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNSPECIFIED = 2
PQ, HLG = 16, 18
_SRGB = 13
_LINEAR = 8
_D65, _C = (0.3127, 0.329), (0.31, 0.316)
SRGB_CORNERS = (*_D65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_BT601 = (0.63, 0.34, 0.31, 0.595, 0.155, 0.07)
_P3 = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
# White, red, green and blue in x and y.
_CORNERS = {
    1: SRGB_CORNERS,
    UNSPECIFIED: SRGB_CORNERS,
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: _D65 + _BT601,
    7: _D65 + _BT601,
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, *_P3),
    12: _D65 + _P3,
    22: (*_D65, 0.63, 0.34, 0.295, 0.605, 0.155, 0.077),
}
_KNOWN_PRIMARIES = _CORNERS.keys() | {10}
_KNOWN_TRANSFERS = frozenset({1, UNSPECIFIED, *range(4, 19)})


class Curve(NamedTuple):
    """Light of an encoded value x: (a x + b) ** gamma from `knee` on, slope x below."""

    gamma: float
    a: float = 1.0
    b: float = 0.0
    slope: float = 0.0
    knee: float = 0.0


def _broken(power: float, offset: float, slope: float, knee: float) -> Curve:
    """The inverse of (1 + offset) light ** power - offset, which is slope * light up to an encoded knee."""
    return Curve(1 / power, 1 / (1 + offset), offset / (1 + offset), 1 / slope, knee)


_BT709_CURVE = _broken(0.45, 0.099, 4.5, 0.081)
SRGB_CURVE = _broken(1 / 2.4, 0.055, 12.92, 0.04045)
_CURVES = {
    **dict.fromkeys((1, 6, 11, 12, 14, 15), _BT709_CURVE),
    4: Curve(2.2),
    5: Curve(2.8),
    7: _broken(0.45, 0.1115, 4.0, 0.0912),
    _LINEAR: Curve(1.0),
    **dict.fromkeys((UNSPECIFIED, _SRGB), SRGB_CURVE),
}
_TITLES = {(1, 1): "Rec. 709", (9, 1): "Rec. 2020", (12, _SRGB): "Display P3", (1, _LINEAR): "linear sRGB"}
_NODES = 4097


class Cicp(NamedTuple):
    """Colours of pixels that are gray or RGB."""

    primaries: int
    transfer: int
    full_range: bool = True

    @property
    def is_known(self) -> bool:
        """Whether both numbers have a meaning."""
        return self.primaries in _KNOWN_PRIMARIES and self.transfer in _KNOWN_TRANSFERS

    @property
    def is_srgb(self) -> bool:
        """Whether these are the colours of sRGB, or none are specified."""
        return self.corners == SRGB_CORNERS and self.curve == SRGB_CURVE

    @property
    def corners(self) -> tuple[float, ...] | None:
        """White, red, green and blue in x and y, if a profile can hold them."""
        return _CORNERS.get(self.primaries) if self.full_range else None

    @property
    def curve(self) -> Curve | None:
        """The curve, if it is relative to white, and a profile can hold it."""
        return _CURVES.get(self.transfer) if self.full_range else None

    @property
    def title(self) -> str:
        """What messages and profiles call these colours."""
        if not self.full_range:
            return "narrow-range"
        if self.transfer in (PQ, HLG):
            return "PQ (HDR)" if self.transfer == PQ else "HLG (HDR)"
        same = 1 if self.curve == _BT709_CURVE else self.transfer
        return _TITLES.get((self.primaries, same), f"CICP {self.primaries}/{self.transfer}")

    def light(self) -> NDArray[np.float64] | None:
        """Light at even steps from 0 to 1 where no profile can say it, for HDR; None for other curves.

        PQ gives the light of the display, HLG that of the scene, both from 0 to 1.
        """
        import numpy as np  # not to list formats

        encoded = np.linspace(0, 1, _NODES)
        if not self.full_range:
            return None
        if self.transfer == PQ:  # SMPTE ST 2084
            root = encoded ** (32 / 2523)
            least, above, below = 107 / 128, 2413 / 128, 2392 / 128
            return np.asarray((np.maximum(root - least, 0) / (above - below * root)) ** (8192 / 1305))
        if self.transfer == HLG:  # ITU-R BT.2100
            a, b, c = 0.17883277, 0.28466892, 0.55991073
            return np.where(encoded <= 0.5, encoded**2 / 3, (np.exp((encoded - c) / a) + b) / 12)
        return None
