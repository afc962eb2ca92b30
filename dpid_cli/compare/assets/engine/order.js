"use strict";

// The largest value of a window, the smallest, or the one farther from the mean: dpid_cli/kernels/order.py.
// Every pixel that a window touches takes part.

const Order = (() => {
  function largest({ values, channels, stride, x0, x1, y0, y1 }, j) {
    let found = -Infinity;
    for (let y = y0; y < y1; y++) {
      const end = y * stride + x1 * channels;
      for (let p = y * stride + x0 * channels + j; p < end; p += channels) if (values[p] > found) found = values[p];
    }
    return found;
  }

  function smallest({ values, channels, stride, x0, x1, y0, y1 }, j) {
    let found = Infinity;
    for (let y = y0; y < y1; y++) {
      const end = y * stride + x1 * channels;
      for (let p = y * stride + x0 * channels + j; p < end; p += channels) if (values[p] < found) found = values[p];
    }
    return found;
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
    if (rule === "max") return largest(span, j);
    if (rule === "min") return smallest(span, j);
    const most = largest(span, j);
    const least = smallest(span, j);
    const { width, height } = layout.raster;
    const excess = (most + least) * width * height - 2 * totalOf(layout, span, row, i, j);
    if (excess === 0) return Math.floor((most + least) / 2 + 0.5);
    return excess > 0 ? most : least;
  }

  return { value };
})();
