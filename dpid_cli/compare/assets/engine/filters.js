"use strict";

// Guidance by a filter of 3 x 3 window means, and what it becomes at the edges: dpid_cli/downscaling/borders.py.

const Filters = (() => {
  const GAUSSIAN = { kernel: [1, 2, 1, 2, 4, 2, 1, 2, 1].map((f) => f / 16), bias: 0 };
  // Of the neighbours before, here and after, those that exist: neither, the next, the one before, both.
  const EXISTING = [[0, 1, 0], [0, 1, 1], [1, 1, 0], [1, 1, 1]];

  // As NumPy adds up nine numbers.
  function sumOf(f) {
    return f[0] + f[1] + (f[2] + f[3]) + (f[4] + f[5] + (f[6] + f[7])) + f[8];
  }

  // Weights of means that do not exist go to the others in proportion, or to the outermost if that is unsafe.
  function bordered(plane, vertical, horizontal) {
    const used = plane.map((_, k) => EXISTING[vertical][Math.floor(k / 3)] * EXISTING[horizontal][k % 3]);
    const part = sumOf(plane.map((f, k) => f * used[k]));
    const gain = part !== 0 ? sumOf(plane) / part : Infinity;
    if (gain >= 1 / 16 && gain <= 16) return Float32Array.from(plane, (f, k) => f * used[k] * gain);
    const repeated = new Array(9).fill(0);
    plane.forEach((f, k) => {
      const [y, x] = [Math.floor(k / 3), k % 3];
      repeated[3 * (EXISTING[vertical][y] ? y : 1) + (EXISTING[horizontal][x] ? x : 1)] += f;
    });
    return Float32Array.from(repeated);
  }

  // `kernel`: nine numbers, or such a list for each channel; `bias`: an intensity, or one for each channel.
  function filterOf({ kernel, bias }, channels, unit) {
    const planes = typeof kernel[0] === "number" ? [kernel] : kernel;
    const made = planes.map((plane) => EXISTING.map((_, v) => EXISTING.map((_, h) => bordered(plane, v, h))));
    return {
      kernels: Array.from({ length: channels }, (_, j) => made[j % made.length]),
      bias: Float32Array.from({ length: channels }, (_, j) => (Array.isArray(bias) ? bias[j] : bias || 0) * unit),
    };
  }

  // The filter that a request names; null if the means themselves guide.
  function guiding(guidance, channels, unit) {
    if (guidance === "box") return null;
    return filterOf(guidance === "gaussian" ? GAUSSIAN : guidance, channels, unit);
  }

  return { guiding };
})();
