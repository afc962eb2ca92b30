"use strict";

// The largest value of a window, the smallest, or the one farther from the mean: dpid_cli/kernels/order.py.
// Every pixel that a window touches takes part.

const Order = (() => {
  const TIE = 16 * 2 ** -52; // distances from the mean are equal if they differ by rounding only

  function extremes(span, j) {
    const { values, channels, stride, x0, x1, y0, y1 } = span;
    let [most, least] = [-Infinity, Infinity];
    for (let y = y0; y < y1; y++) {
      for (let x = x0, p = y * stride + x0 * channels + j; x < x1; x++, p += channels) {
        const value = values[p];
        if (value > most) most = value;
        if (value < least) least = value;
      }
    }
    return [most, least];
  }

  function meanOf(span, j) {
    const { values, channels, stride, x0, x1, y0, y1, left, right, upper, lower } = span;
    let [total, area] = [0, 0];
    for (let y = y0; y < y1; y++) {
      for (let x = x0, p = y * stride + x0 * channels + j; x < x1; x++, p += channels) {
        const cover = (y === y0 ? upper : y === y1 - 1 ? lower : 1) * (x === x0 ? left : x === x1 - 1 ? right : 1);
        total += cover * values[p];
        area += cover;
      }
    }
    return total / area;
  }

  // `parts`: distances of whole numbers from a mean are multiples of half of 1 / parts.
  function value(rule, span, j, limit, parts) {
    const [most, least] = extremes(span, j);
    if (rule !== "extremum") return rule === "max" ? most : least;
    const mean = meanOf(span, j);
    const [above, below] = [most - mean, mean - least];
    const gap = Math.max(0.5 / parts, TIE * limit);
    if (Math.abs(above - below) <= Math.max(TIE * (above + below), gap)) return Math.floor((most + least) / 2 + 0.5);
    return above > below ? most : least;
  }

  return { value };
})();
