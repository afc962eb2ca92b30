"use strict";

// Sums over windows in the order of the compiled kernels, so that they round alike: dpid_cli/kernels/tiles.py,
// windows.py and narrow.py.

const Sums = (() => {
  const { round, fused } = Single;
  const MOST = 5; // the widest windows with loops of their own
  const LONG = 8192;
  const SHORT = 512; // columns of the tiles in which means and weights are added up
  const line = new Float32Array(2 * LONG);

  function divisor(p) {
    for (let d = MOST; d > 1; d--) if (p % d === 0) return d;
    return 1;
  }

  function inTurn(values, from, to) {
    let value = values[from];
    for (let k = from + 1; k < to; k++) value = round(value + values[k]);
    return value;
  }

  // Windows in a run of equal ones: parts of at most five columns, then parts of these.
  function evenly(values, p) {
    let d = divisor(p);
    while (p > MOST && d > 1) {
      p /= d;
      for (let i = 0; i < p; i++) values[i] = inTurn(values, d * i, d * i + d);
      d = divisor(p);
    }
    return inTurn(values, 0, p);
  }

  function unevenly(values, p, shortest, total) {
    if (p > shortest) total = round(total + values[shortest]);
    let k = 0;
    for (; k + 4 <= shortest; k += 4) {
      total = round(total + round(round(values[k] + values[k + 1]) + round(values[k + 2] + values[k + 3])));
    }
    for (; k < shortest; k++) total = round(total + values[k]);
    return total;
  }

  // Windows longer than a tile.
  function inParts(plane, at, p, straddler, head, tail, longest) {
    let total = 0;
    for (let from = 0; from < p; from += longest) {
      const to = Math.min(from + longest, p);
      let value = inTurn(plane, at + from, at + to);
      if (to === p) value = fused(-tail, plane[at + p - 1], value);
      if (from === 0) value = fused(head, straddler, value);
      total = round(total + value);
    }
    return total;
  }

  // The sum of window i: of the columns plane[at], plane[at + 1], ... and the part of one before them.
  function folded(plane, at, straddler, xs, i, longest) {
    const p = xs.first[i + 1] - xs.first[i];
    const head = xs.head[i];
    const tail = xs.head[i + 1];
    if (p > longest) return inParts(plane, at, p, straddler, head, tail, longest);
    for (let k = 0; k < p; k++) line[k] = plane[at + k];
    let total = 0;
    if (xs.cut) {
      total = round(head * straddler);
      line[p - 1] = round(line[p - 1] * round(1 - tail));
    }
    if (xs.even) return round(total + evenly(line, p));
    return unevenly(line, p, Math.floor(xs.source / xs.target), total);
  }

  // The columns of a window near 1:1, as pairs: calls add(pixel, cover of it, cover of the next).
  function eachPair(xs, i, add) {
    const own = xs.first[i + 1] - xs.first[i];
    const rest = round(1 - xs.head[i + 1]);
    const covered = own > 1 ? 1 : rest;
    if (i === 0) add(0, covered, 0);
    else add(xs.first[i] - 1, xs.head[i], covered);
    if (own > 1) add(xs.first[i], 0, rest);
  }

  // The means of one row of windows: channel j of window i becomes means[at + j * w + i].
  function meanRow(raster, ys, row, xs, d, narrow, means, at) {
    const { channels } = raster;
    const w = xs.target;
    const area = round(round(ys.source / ys.target) * round((d * xs.source) / w));
    if (narrow) {
      for (let j = 0; j < channels; j++) {
        for (let i = 0; i < w; i++) means[at + j * w + i] = round(narrowSum(raster, ys, row, xs, i, j) / area);
      }
      return;
    }
    const planes = columnSums(raster, ys, row, xs, d);
    for (let j = 0; j < channels; j++) {
      const plane = planes[j];
      for (let i = 0; i < w; i++) {
        const from = xs.first[i];
        means[at + j * w + i] = round(folded(plane, from, from > 0 ? plane[from - 1] : 0, xs, i, LONG) / area);
      }
    }
  }

  // Whole rows are added up four or two at a time, in whole numbers.
  function columnSums(raster, ys, row, xs, d) {
    const { values, channels, width } = raster;
    const stop = ys.first[row + 1];
    const whole = Grid.coverage(ys, row, stop - 1) === 1 ? stop : stop - 1;
    const planes = Array.from({ length: channels }, () => new Float32Array(xs.source));
    const stride = width * channels;
    for (let y = Grid.begin(ys, row), n = 1; y < stop; y += n) {
      const cover = Grid.coverage(ys, row, y);
      n = cover < 1 || y + 1 >= whole ? 1 : y + 3 >= whole ? 2 : 4;
      for (let j = 0; j < channels; j++) {
        const plane = planes[j];
        for (let x = 0, p = y * stride + j; x < plane.length; x++) {
          let value = 0;
          for (let k = 0; k < d; k++, p += channels) {
            value += values[p];
            if (n > 1) value += values[p + stride];
            if (n > 2) value += values[p + 2 * stride] + values[p + 3 * stride];
          }
          plane[x] = cover < 1 ? fused(cover, value, plane[x]) : plane[x] + value;
        }
      }
    }
    return planes;
  }

  // Of the products of two rows, the first is fused with the second.
  function narrowSum(raster, ys, row, xs, i, j) {
    const { values, channels, width } = raster;
    const stop = ys.first[row + 1];
    let total = 0;
    eachPair(xs, i, (pixel, first, second) => {
      const next = Math.min(pixel + 1, width - 1);
      for (let y = Grid.begin(ys, row); y < stop; y += 2) {
        let value = 0;
        for (let z = y; z < Math.min(y + 2, stop); z++) {
          const cover = Grid.coverage(ys, row, z);
          const left = values[(z * width + pixel) * channels + j];
          const right = values[(z * width + next) * channels + j];
          const a = round(cover * first);
          const b = round(cover * second);
          value = z === y ? fused(a, left, round(b * right)) : fused(b, right, fused(a, left, value));
        }
        total = round(total + value);
      }
    });
    return total;
  }

  // Filter the means of a row and of those above and below it, as `filter_row`; a filter for each column.
  function filterRow([upper, middle, lower], filters, bias, guide, at, w) {
    for (let i = 0; i < w; i++) {
      const f = filters[(i > 0 ? 2 : 0) + (i < w - 1 ? 1 : 0)];
      const left = i > 0 ? i - 1 : 0;
      const right = i < w - 1 ? i + 1 : i;
      const above = fused(f[2], upper[right], fused(f[0], upper[left], round(f[1] * upper[i])));
      const here = fused(f[5], middle[right], fused(f[3], middle[left], round(f[4] * middle[i])));
      const below = fused(f[8], lower[right], fused(f[6], lower[left], round(f[7] * lower[i])));
      guide[at + i] = bias + round(round(above + here) + below);
    }
  }

  return { SHORT, folded, eachPair, meanRow, filterRow };
})();
