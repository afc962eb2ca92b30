"""Detail-preserving means of float32 on CPUs, by kernels: for derivatives, only the input is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpid_cli.downscaling import strips
from dpid_cli.kernels import layers
from dpid_cli.kernels.flags import flag
from dpid_cli.torch.rewards import Reward
from dpid_cli.torch.windows import Pair, Windows, tiled

_TILES = 256  # at once; their working memory stays in the cache


def serves(x: Tensor, windows: Windows) -> bool:
    """Whether there are kernels for this; PyTorch's operations serve the rest, which it compiles itself."""
    plain = torch.compiler.is_compiling() or x.device.type != "cpu" or x.dtype != torch.float32
    return windows.is_full and not plain


def means(reward: Reward, x: Tensor, windows: Windows, guide: Tensor | None) -> Tensor:
    """Weighted means of windows, (N, C, h, w), differentiable twice.

    Parameters
    ----------
    reward : Reward
        With lambda and alpha of each channel, (C, 1, 1), one number above 0 as offset and floor, not joint.
    x : (N, C, H, W) tensor
    windows : Windows
        Whose pixels all count wholly.
    guide : (N, C, h, w) tensor, optional
        By default the mean of each window.
    """
    sides = Pair(len(windows.rows.index), len(windows.columns.index))
    result: Tensor = _Means.apply(tiled(x, windows), guide, reward.lambda_, reward.alpha, reward, sides)
    return result


class _Means(torch.autograd.Function):
    """`means` over tiles."""

    @staticmethod
    def forward(
        x: Tensor, guide: Tensor | None, lambda_: Tensor, alpha: Tensor, reward: Reward, sides: Pair
    ) -> Tensor:
        output = x.new_empty(*x.shape[:2], x.shape[2] // sides.rows, x.shape[3] // sides.columns)
        tiles = _Tiles(x, guide, lambda_, alpha, reward, sides)
        pooled = tiles.lines(output)
        tiles.run(lambda *common: layers.pool_tiles(*common, pooled))
        return output

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:4])
        ctx.rule = inputs[4:]

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors
        if torch.is_grad_enabled():  # for second derivatives
            reward, sides = ctx.rule
            return *_differentiable(inputs, ctx.needs_input_grad[:4], reward, sides, upstream), None, None
        x, guide, lambda_, alpha = inputs
        tiles = _Tiles(*inputs, *ctx.rule)
        of_x, of_guide = x.new_empty(x.shape), upstream.new_empty(upstream.shape)
        numbers = np.empty((len(tiles.planes), 2))
        arrays = of_x.numpy().reshape(tiles.planes.shape), tiles.lines(of_guide), numbers
        tiles.run(lambda *common: layers.tile_gradients(*common, tiles.lines(upstream), *arrays))
        by_half, by_alpha = torch.from_numpy(numbers).reshape(*x.shape[:2], 2).sum(0).to(x.dtype).T
        of_lambda = (by_half / 2).reshape(lambda_.shape)
        return of_x, None if guide is None else of_guide, of_lambda, by_alpha.reshape(alpha.shape), None, None


class _Tiles:
    """What the kernels take."""

    def __init__(
        self, x: Tensor, guide: Tensor | None, lambda_: Tensor, alpha: Tensor, reward: Reward, sides: Pair
    ) -> None:
        self.planes = x.detach().contiguous().numpy().reshape(-1, *x.shape[2:])
        self.columns, self.sides = x.shape[3] // sides.columns, sides
        self.guides = np.empty((len(self.planes), 0), np.float32) if guide is None else self.lines(guide)
        self.numbers = [value.detach().flatten().numpy() for value in (lambda_ / 2, alpha)]
        divisor = {"none": 0, "mean": sides.rows * sides.columns, "sum": 1}[reward.normalize]
        offset, share = np.float32(reward.offset), np.float32(divisor)
        self.rule = layers.Rule(offset, share, flag(reward.asymmetric), flag(guide is None))

    def lines(self, tensor: Tensor) -> NDArray[np.float32]:
        """The memory of (N, C, h, w), or a copy: a line for each channel of each image."""
        array: NDArray[np.float32] = tensor.detach().contiguous().numpy()
        return array.reshape(len(self.planes), -1)

    def run(self, kernel: Any) -> None:
        """Call a kernel with what all take, for planes shared out to as many threads as PyTorch uses."""
        count = max(_TILES, self.columns)
        places = self.sides.rows * self.sides.columns

        def some(start: int, stop: int) -> None:
            memory = [np.empty((places, count), np.float32) for _ in range(3)]
            lines = np.empty((layers.LINES, count), np.float32)
            common = self.planes, self.guides, *self.numbers, self.rule, self.columns, self.sides.columns
            kernel(*common, start, stop, *memory, lines)

        threads = torch.get_num_threads()
        share = -(-len(self.planes) // threads)
        parts = [(start, min(start + share, len(self.planes))) for start in range(0, len(self.planes), share)]
        strips.run(some, parts, threads)


def _differentiable(
    inputs: tuple[Any, ...], needed: tuple[bool, ...], reward: Reward, sides: Pair, upstream: Tensor
) -> list[Tensor | None]:
    """Derivatives by PyTorch's operations, which can be differentiated again."""
    x, guide, lambda_, alpha = inputs
    windows = Windows.strided(x, sides, sides, Pair(0, 0), ceil_mode=False)
    patches = windows.patches(x)
    own = patches.mean(0) if guide is None else guide
    result = replace(reward, lambda_=lambda_, alpha=alpha).means(patches, windows, own)
    some = [value for value, need in zip(inputs, needed, strict=True) if need]
    found = iter(torch.autograd.grad(result, some, upstream, create_graph=True))
    return [next(found) if need else None for need in needed]
