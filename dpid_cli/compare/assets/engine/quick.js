"use strict";

// Weighted sums of a window in numbers of 64 bits, and how far those of the kernels may be from them. Only
// where a sum is so close to a half that rounding decides, it is computed again in the order of the kernels.

const Quick = (() => {
  const single = new Float32Array(1);
  const bits = new Int32Array(single.buffer);
  const [PARTS, SHIFT] = [256, 15]; // of an octave, and the bits of a single within a part
  const [LOWEST, HIGHEST] = [-64, 44]; // octaves of u
  const BASE = (127 + LOWEST) * PARTS;
  const MOST = 4; // the largest lambda
  // Relative error of a sum or a product of singles; of `Single.power` for exponent 0, and more for each one.
  const [ROUNDING, POWER, PER_EXPONENT] = [2 ** -23, 1e-6, 1.2e-5];
  const sums = new Float64Array(8); // four weighted differences, four weights
  let table = null;
  let exponentOfTable = NaN;

  // The lines a + b * u that replace u ** exponent within parts of octaves.
  function tableOf(exponent) {
    if (exponent === exponentOfTable) return table;
    table = new Float64Array(2 * PARTS * (HIGHEST - LOWEST));
    let [u, power] = [2 ** LOWEST, 2 ** (LOWEST * exponent)];
    for (let k = 0; k < table.length; k += 2) {
      const [octave, part] = [LOWEST + Math.floor((k / 2 + 1) / PARTS), (k / 2 + 1) % PARTS];
      const next = 2 ** octave * (1 + part / PARTS);
      const raised = next ** exponent;
      const slope = (raised - power) / (next - u);
      table[k] = power - slope * u;
      table[k + 1] = slope;
      [u, power] = [next, raised];
    }
    exponentOfTable = exponent;
    return table;
  }

  // A weight below the table is not a number, unless u is 0: the kernels' order then decides.
  function weightOf(u, lines) {
    single[0] = u;
    const k = (bits[0] >> SHIFT) - BASE;
    if (k < 0) return u === 0 ? 0 : NaN;
    return lines[2 * k] + lines[2 * k + 1] * u;
  }

  function isQuick(reward) {
    return !reward.scaled && reward.exponent * 2 <= MOST;
  }

  // Part of the largest difference by which the sums of a window of so many rows and columns may be wrong.
  function errorOf(reward, rows, columns) {
    const p = reward.exponent;
    const lines = (Math.abs(p * (p - 1)) / 8) * PARTS ** -2;
    const power = POWER + (reward.fast ? p * PER_EXPONENT : 0);
    const noisy = reward.offset.some((offset) => offset < 0) ? 8 * ROUNDING : 0;
    return 2 * (lines + power + noisy + ROUNDING * (rows + columns + 8));
  }

  // Sums of one channel over a span, the pixels of a window.
  function addChannel(span, j, g, reward, lines) {
    const { values, channels, stride, x0, x1, y0, y1, left, right, upper, lower } = span;
    const { asymmetric, offset, floor } = reward;
    const least = floor[j];
    const softening = offset[j];
    let total = 0;
    let sum = 0;
    for (let y = y0; y < y1; y++) {
      const cover = y === y0 ? upper : y === y1 - 1 ? lower : 1;
      for (let x = x0, p = y * stride + x0 * channels + j; x < x1; x++, p += channels) {
        const difference = values[p] - g;
        let u = softening;
        if (!asymmetric || difference > 0) u += difference * difference;
        if (u < least) u = least;
        const part = x === x0 ? cover * left : x === x1 - 1 ? cover * right : cover;
        const weight = part * weightOf(u, lines);
        sum += weight;
        total += weight * difference;
      }
    }
    sums[j] = total;
    sums[4 + j] = sum;
  }

  // The same for two to four channels that share one distance.
  function addColours(span, guide, reward, lines) {
    const { values, channels, stride, x0, x1, y0, y1, left, right, upper, lower } = span;
    const { asymmetric } = reward;
    const softening = reward.offset[0];
    const least = reward.floor[0];
    const g0 = guide[0];
    const g1 = guide[1];
    const g2 = guide[2];
    const g3 = guide[3];
    let total0 = 0;
    let total1 = 0;
    let total2 = 0;
    let total3 = 0;
    let sum = 0;
    for (let y = y0; y < y1; y++) {
      const cover = y === y0 ? upper : y === y1 - 1 ? lower : 1;
      for (let x = x0, p = y * stride + x0 * channels; x < x1; x++, p += channels) {
        const d0 = values[p] - g0;
        const d1 = values[p + 1] - g1;
        const d2 = channels > 2 ? values[p + 2] - g2 : 0;
        const d3 = channels > 3 ? values[p + 3] - g3 : 0;
        let u = softening;
        if (!asymmetric || d0 > 0) u += d0 * d0;
        if (!asymmetric || d1 > 0) u += d1 * d1;
        if (!asymmetric || d2 > 0) u += d2 * d2;
        if (!asymmetric || d3 > 0) u += d3 * d3;
        if (u < least) u = least;
        const part = x === x0 ? cover * left : x === x1 - 1 ? cover * right : cover;
        const weight = part * weightOf(u, lines);
        sum += weight;
        total0 += weight * d0;
        total1 += weight * d1;
        total2 += weight * d2;
        total3 += weight * d3;
      }
    }
    sums[0] = total0;
    sums[1] = total1;
    sums[2] = total2;
    sums[3] = total3;
    sums[4] = sum;
  }

  function add(span, guide, reward, lines) {
    if (reward.joint && span.channels > 1) addColours(span, guide, reward, lines);
    else for (let j = 0; j < span.channels; j++) addChannel(span, j, guide[j], reward, lines);
    return sums;
  }

  return { ROUNDING, tableOf, isQuick, errorOf, add };
})();
