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
  const largestBits = new Int32Array(4); // of u, for each distance
  const largest = new Float32Array(largestBits.buffer);
  let [table, exponentOfTable] = [null, NaN];

  // The lines a + b * u that replace u ** exponent within parts of octaves, by the upper bits of u. 0 stays 0;
  // between it and the lowest octave, weights are no numbers, and the kernels' order decides.
  function linesOf(exponent) {
    if (exponent === exponentOfTable) return table;
    table = new Float64Array(2 * PARTS * (BIAS + HIGHEST)).fill(NaN, 2, 2 * PARTS * (BIAS + LOWEST));
    const powers = Float64Array.from({ length: PARTS + 1 }, (_, part) => (1 + part / PARTS) ** exponent);
    for (let octave = LOWEST, k = 2 * PARTS * (BIAS + LOWEST); octave < HIGHEST; octave++) {
      const [start, power] = [2 ** octave, 2 ** (octave * exponent)];
      for (let part = 0; part < PARTS; part++, k += 2) {
        const slope = powers[part + 1] - powers[part];
        table[k] = power * (powers[part] - slope * (PARTS + part));
        table[k + 1] = (power * slope * PARTS) / start;
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

    // { u, bits, height } of a row: `bits` are those of u, and `height` the rows of pixels.
    of(row, guides) {
      if (this.rows.has(row)) return this.rows.get(row);
      if (!this.keeps) this.rows.clear();
      const { layout, reward, columns, span } = this;
      const { width } = layout;
      layout.placeRow(span, row);
      const height = span.y1 - span.y0;
      const u = new Float32Array(columns[width] * height * reward.distances);
      for (let i = 0; i < width; i++) {
        layout.placeColumns(span, i);
        if (reward.joint) this.addJoint(u, columns[i] * height, guides, i);
        else {
          for (let j = 0; j < span.channels; j++) {
            this.addChannel(u, (j * columns[width] + columns[i]) * height, guides[j * width + i], j);
          }
        }
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

    // Fill `low` and `high` with bounds of the levels of the windows left .. right - 1 of a row.
    bound(row, left, right, guides, means, lines, share, error, low, high) {
      const { layout, reward, columns, span } = this;
      const { width, raster } = layout;
      const { channels, unit } = raster;
      const { joint, asymmetric, offset } = reward;
      const found = this.of(row, guides);
      const { height } = found;
      const together = joint && channels > 1;
      layout.placeRow(span, row);
      for (let i = left, at = 0; i < right; i++) {
        layout.placeColumns(span, i);
        if (together) addColours(span, found, columns[i] * height, lines);
        for (let j = 0; j < channels; j++, at++) {
          const k = together ? 0 : j;
          if (!together) addChannel(span, j, found, (j * columns[width] + columns[i]) * height, lines);
          const guide = guides[j * width + i];
          const weight = sums[4 + k] + share;
          if (weight === 0) {
            low[at] = high[at] = levelOf(guide, unit);
            continue;
          }
          const value = (sums[j] + share * means[j * width + i]) / weight + 0.5;
          const range = Math.max(Math.abs(guide), Math.abs(unit - guide));
          const most = asymmetric ? range : Math.min(range, Math.sqrt(largest[k] - Math.min(offset[k], 0)));
          const slack = error * most + 4 * ROUNDING * (unit + Math.abs(value));
          low[at] = Math.min(Math.max(Math.floor(value - slack), 0), unit);
          high[at] = value === value ? Math.min(Math.max(Math.floor(value + slack), 0), unit) : low[at] + 1;
        }
      }
    }
  }

  function levelOf(value, unit) {
    return Math.min(Math.max(Math.floor(Math.fround(value + 0.5)), 0), unit);
  }

  function weightAt(q, u, bits, lines) {
    const k = (bits[q] >> SHIFT) << 1;
    return lines[k] + lines[k + 1] * u[q];
  }

  // The weighted sum of a channel over the pixels of a span, the sum of weights and the largest u. The pixels at
  // the left and the right edge have loops of their own where they count in part.
  function addChannel(span, j, { u, bits }, q, lines) {
    const { values, channels, stride, x0, x1, y0, y1, left, right, upper, lower } = span;
    let total = 0;
    let sum = 0;
    let most = 0;
    for (let y = y0; y < y1; y++) {
      const cover = y === y0 ? upper : y === y1 - 1 ? lower : 1;
      let p = y * stride + x0 * channels + j;
      for (let x = x0; x < x1; ) {
        const end = x === x0 && left < 1 ? x0 + 1 : right < 1 && x < x1 - 1 ? x1 - 1 : x1;
        const part = cover * (x === x0 ? left : x === x1 - 1 ? right : 1);
        for (; x < end; x++, q++, p += channels) {
          if (bits[q] > most) most = bits[q];
          const weight = part * weightAt(q, u, bits, lines);
          sum += weight;
          total += weight * values[p];
        }
      }
    }
    sums[j] = total;
    sums[4 + j] = sum;
    largestBits[j] = most;
  }

  // The same for two to four channels that share one distance.
  function addColours(span, { u, bits }, q, lines) {
    const { values, channels, stride, x0, x1, y0, y1, left, right, upper, lower } = span;
    let total0 = 0;
    let total1 = 0;
    let total2 = 0;
    let total3 = 0;
    let sum = 0;
    let most = 0;
    for (let y = y0; y < y1; y++) {
      const cover = y === y0 ? upper : y === y1 - 1 ? lower : 1;
      let p = y * stride + x0 * channels;
      for (let x = x0; x < x1; ) {
        const end = x === x0 && left < 1 ? x0 + 1 : right < 1 && x < x1 - 1 ? x1 - 1 : x1;
        const part = cover * (x === x0 ? left : x === x1 - 1 ? right : 1);
        for (; x < end; x++, q++, p += channels) {
          if (bits[q] > most) most = bits[q];
          const weight = part * weightAt(q, u, bits, lines);
          sum += weight;
          total0 += weight * values[p];
          total1 += weight * values[p + 1];
          if (channels > 2) total2 += weight * values[p + 2];
          if (channels > 3) total3 += weight * values[p + 3];
        }
      }
    }
    sums[0] = total0;
    sums[1] = total1;
    sums[2] = total2;
    sums[3] = total3;
    sums[4] = sum;
    largestBits[0] = most;
  }

  return { Distances, linesOf, isQuick, errorOf, levelOf };
})();
