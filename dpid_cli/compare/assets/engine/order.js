"use strict";

// The largest value of a window, the smallest, or the one farther from the mean: dpid_cli/kernels/order.py.
// Every pixel that a window touches takes part.

const Order = (() => {
  function extremes(span, j) {
    const { values, channels, stride, x0, x1, y0, y1 } = span;
    let most = -Infinity;
    let least = Infinity;
    for (let y = y0; y < y1; y++) {
      for (let x = x0, p = y * stride + x0 * channels + j; x < x1; x++, p += channels) {
        const value = values[p];
        if (value > most) most = value;
        if (value < least) least = value;
      }
    }
    return [most, least];
  }

  // How much of pixel k belongs to window i, in units of 1 / target pixel: a whole number.
  function units(axis, i, k, source) {
    const { target } = axis;
    return Math.min((k + 1) * target, (i + 1) * source) - Math.max(k * target, i * source);
  }

  // The mean of a window, times the pixels of the image: a whole number.
  function totalOf({ raster, xs, ys }, span, row, i, j) {
    const { values, channels, stride, x0, x1, y0, y1 } = span;
    let total = 0;
    for (let y = y0; y < y1; y++) {
      let line = 0;
      for (let x = x0; x < x1; x++) line += units(xs, i, x, raster.width) * values[y * stride + x * channels + j];
      total += units(ys, row, y, raster.height) * line;
    }
    return total;
  }

  // `span` holds the pixels of window i of a row. Of two values that are equally far, it is the mean.
  function value(rule, layout, span, row, i, j) {
    const [most, least] = extremes(span, j);
    if (rule !== "extremum") return rule === "max" ? most : least;
    const { width, height } = layout.raster;
    const excess = (most + least) * width * height - 2 * totalOf(layout, span, row, i, j);
    if (excess === 0) return Math.floor((most + least) / 2 + 0.5);
    return excess > 0 ? most : least;
  }

  return { value };
})();
