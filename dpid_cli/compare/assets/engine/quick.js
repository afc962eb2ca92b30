"use strict";

// Weighted means of windows in numbers of 64 bits, and how far those of the kernels may be from them. Only where
// a mean is so close to a half that rounding decides, it is computed again in the order of the kernels.
//
// What weights are powers of, u, does not depend on lambda and alpha. So it is kept from one call to the next.

const Quick = (() => {
  const [PARTS, SHIFT] = [256, 15]; // of an octave, and the bits of a single within a part
  const BIAS = 127; // of the exponent of a single
  const [LOWEST, HIGHEST] = [-64, 44]; // octaves of u
  const MOST = 4; // the largest lambda
  const MOST_KEPT = 48e6; // numbers
  // Relative errors: of a rounded sum or product, and of `Single.power` for exponent 0.
  const [ROUNDING, POWER] = [2 ** -24, 1e-6];
  const sums = new Float64Array(8); // weighted sums of four channels, and four sums of weights
  let [table, exponentOfTable] = [null, NaN];

  // The lines a + b * u that replace u ** exponent within parts of octaves, by the upper bits of u. 0 stays 0;
  // between it and the lowest octave, weights are no numbers, and the kernels' order decides.
  function linesOf(exponent) {
    if (exponent === exponentOfTable) return table;
    table = new Float64Array(2 * PARTS * (BIAS + HIGHEST)).fill(NaN);
    table[0] = table[1] = 0;
    let [u, power] = [2 ** LOWEST, 2 ** (LOWEST * exponent)];
    for (let octave = LOWEST, k = 2 * PARTS * (BIAS + LOWEST); octave < HIGHEST; octave++) {
      for (let part = 1; part <= PARTS; part++, k += 2) {
        const next = 2 ** octave * (1 + part / PARTS);
        const raised = next ** exponent;
        table[k + 1] = (raised - power) / (next - u);
        table[k] = power - table[k + 1] * u;
        [u, power] = [next, raised];
      }
    }
    exponentOfTable = exponent;
    return table;
  }

  function isQuick(reward) {
    return !reward.scaled && reward.exponent * 2 <= MOST;
  }

  // Part of the largest difference by which a mean over windows of so many rows and columns may be wrong.
  function errorOf(reward, unit, rows, columns) {
    const p = reward.exponent;
    const lines = (Math.abs(p * (p - 1)) / 8) * PARTS ** -2;
    const logarithm = Math.log2(4 * unit * unit);
    const power = POWER + (reward.fast ? 4 * ROUNDING * p * Math.LN2 * logarithm : 0);
    const noisy = reward.offset.some((offset) => offset < 0) ? 16 * ROUNDING : 0;
    return 2 * (lines + power + noisy + ROUNDING * (rows + columns + 8));
  }

  // u of all pixels, window after window, for each distance of a row of windows.
  class Distances {
    constructor(layout, reward) {
      const { width, height, xs, ys, d } = layout;
      Object.assign(this, { layout, reward, rows: new Map(), span: layout.spanOf() });
      this.columns = new Int32Array(width + 1); // of all windows before one
      for (let i = 0; i < width; i++) this.columns[i + 1] = this.columns[i] + d * xs.first[i + 1] - this.leftOf(i);
      this.keeps = this.columns[width] * (ys.source + height) * reward.distances <= MOST_KEPT;
    }

    leftOf(i) {
      const { xs, d } = this.layout;
      return d * xs.first[i] - (xs.head[i] > 0 ? 1 : 0);
    }

    // { u, bits, height }: `bits` are those of u, and `height` the rows of pixels. `guides`: as of a layout.
    of(row, guides) {
      if (this.rows.has(row)) return this.rows.get(row);
      if (!this.keeps) this.rows.clear();
      const { layout, reward, columns, span } = this;
      const { width } = layout;
      layout.place(span, row, 0);
      const height = span.y1 - span.y0;
      const u = new Float32Array(columns[width] * height * reward.distances);
      for (let i = 0; i < width; i++) {
        layout.place(span, row, i);
        if (reward.joint) this.addJoint(u, columns[i] * height, guides, i);
        else for (let j = 0; j < span.channels; j++) this.addChannel(u, (j * columns[width] + columns[i]) * height, guides[j * width + i], j);
      }
      const found = { u, bits: new Int32Array(u.buffer), height };
      this.rows.set(row, found);
      return found;
    }

    addChannel(target, q, guide, j) {
      const { values, channels, stride, x0, x1, y0, y1 } = this.span;
      const { asymmetric } = this.reward;
      const least = this.reward.floor[j];
      const softening = this.reward.offset[j];
      for (let y = y0; y < y1; y++) {
        for (let p = y * stride + x0 * channels + j, end = y * stride + x1 * channels; p < end; p += channels, q++) {
          const m = values[p] - guide;
          const u = asymmetric && m < 0 ? softening : m * m + softening;
          target[q] = u < least ? least : u;
        }
      }
    }

    addJoint(target, q, guides, i) {
      const { values, channels, stride, x0, x1, y0, y1 } = this.span;
      const { asymmetric } = this.reward;
      const { width } = this.layout;
      const least = this.reward.floor[0];
      const softening = this.reward.offset[0];
      const g0 = guides[i];
      const g1 = channels > 1 ? guides[width + i] : 0;
      const g2 = channels > 2 ? guides[2 * width + i] : 0;
      const g3 = channels > 3 ? guides[3 * width + i] : 0;
      for (let y = y0; y < y1; y++) {
        for (let p = y * stride + x0 * channels, end = y * stride + x1 * channels; p < end; p += channels, q++) {
          let m0 = values[p] - g0;
          let m1 = channels > 1 ? values[p + 1] - g1 : 0;
          let m2 = channels > 2 ? values[p + 2] - g2 : 0;
          let m3 = channels > 3 ? values[p + 3] - g3 : 0;
          if (asymmetric) {
            if (m0 < 0) m0 = 0;
            if (m1 < 0) m1 = 0;
            if (m2 < 0) m2 = 0;
            if (m3 < 0) m3 = 0;
          }
          const u = m0 * m0 + m1 * m1 + m2 * m2 + m3 * m3 + softening;
          target[q] = u < least ? least : u;
        }
      }
    }

    // Weighted sums of window i, at 0 to 3, and sums of weights, at 4 to 7, of which joint distances have one.
    sumsOf(i, found, lines) {
      const { columns, span, reward } = this;
      const q = columns[i] * found.height;
      if (reward.joint && span.channels > 1) addColours(span, found, q, lines);
      else {
        const plane = columns[columns.length - 1] * found.height;
        for (let j = 0; j < span.channels; j++) addChannel(span, j, found, q + j * plane, lines);
      }
      return sums;
    }
  }

  function addChannel(span, j, { u, bits }, q, lines) {
    const { values, channels, stride, x0, x1, y0, y1, left, right, upper, lower } = span;
    let total = 0;
    let sum = 0;
    for (let y = y0; y < y1; y++) {
      const cover = y === y0 ? upper : y === y1 - 1 ? lower : 1;
      for (let x = x0, p = y * stride + x0 * channels + j; x < x1; x++, p += channels, q++) {
        const k = (bits[q] >> SHIFT) << 1;
        const part = x === x0 ? cover * left : x === x1 - 1 ? cover * right : cover;
        const weight = part * (lines[k] + lines[k + 1] * u[q]);
        sum += weight;
        total += weight * values[p];
      }
    }
    sums[j] = total;
    sums[4 + j] = sum;
  }

  function addColours(span, { u, bits }, q, lines) {
    const { values, channels, stride, x0, x1, y0, y1, left, right, upper, lower } = span;
    let total0 = 0;
    let total1 = 0;
    let total2 = 0;
    let total3 = 0;
    let sum = 0;
    for (let y = y0; y < y1; y++) {
      const cover = y === y0 ? upper : y === y1 - 1 ? lower : 1;
      for (let x = x0, p = y * stride + x0 * channels; x < x1; x++, p += channels, q++) {
        const k = (bits[q] >> SHIFT) << 1;
        const part = x === x0 ? cover * left : x === x1 - 1 ? cover * right : cover;
        const weight = part * (lines[k] + lines[k + 1] * u[q]);
        sum += weight;
        total0 += weight * values[p];
        total1 += weight * values[p + 1];
        if (channels > 2) total2 += weight * values[p + 2];
        if (channels > 3) total3 += weight * values[p + 3];
      }
    }
    sums[0] = total0;
    sums[1] = total1;
    sums[2] = total2;
    sums[3] = total3;
    sums[4] = sum;
  }

  return { ROUNDING, Distances, linesOf, isQuick, errorOf };
})();
