"use strict";

// Numbers of 32 bits, rounded as compiled kernels round them: each sum of a product once, after the sum.

const Single = (() => {
  const round = Math.fround;
  const single = new Float32Array(1);
  const bits = new Int32Array(single.buffer);
  const double = new Float64Array(1);
  const halves = new Uint32Array(double.buffer);

  // log2(1 + z) / z, and 2**f: the polynomials of dpid_cli/kernels/rewards.py.
  const L = [
    1.4426949, -0.72135276, 0.48092404, -0.36024198, 0.28707561, -0.24882181, 0.23420985, -0.14620353,
  ].map(round);
  const E = [1.0, 0.69314718, 0.24022107, 0.05550327, 0.009676037, 0.0013400433].map(round);
  const SQRT_HALF = 0x3f3504f3;
  const WHOLE = 1.5 * 2 ** 23;

  // a * b + c. The product of two singles is exact in a double, their sum with a third may not be: then a
  // sum halfway between two singles is not a tie.
  function fused(a, b, c) {
    const product = a * b;
    const sum = product + c;
    const rest = sum - product;
    const lost = product - (sum - rest) + (c - rest);
    if (lost !== 0) {
      double[0] = sum;
      if ((halves[0] & 0x1fffffff) === 0x10000000) {
        const away = lost > 0 === sum > 0;
        halves[0] += away ? 1 : -1;
        return round(double[0]);
      }
    }
    return round(sum);
  }

  // u ** exponent, as `fast_power`.
  function power(u, exponent) {
    if (!(u > 0)) return 0;
    single[0] = u;
    const above = (bits[0] - SQRT_HALF) | 0;
    bits[0] = (above & 0x7fffff) + SQRT_HALF;
    const z = round(single[0] - 1);
    const z2 = round(z * z);
    const low = fused(z2, fused(z, L[3], L[2]), fused(z, L[1], L[0]));
    const high = fused(z2, fused(z, L[7], L[6]), fused(z, L[5], L[4]));
    const logarithm = fused(z, fused(round(z2 * z2), high, low), above >> 23);
    const scaled = Math.max(round(exponent * logarithm), -126);
    const shifted = round(scaled + WHOLE);
    const f = round(scaled - round(shifted - WHOLE));
    const f2 = round(f * f);
    const mantissa = fused(f2, fused(f2, fused(f, E[5], E[4]), fused(f, E[3], E[2])), fused(f, E[1], E[0]));
    single[0] = shifted;
    const octaves = bits[0] << 23;
    single[0] = mantissa;
    bits[0] += octaves;
    return single[0];
  }

  return { round, fused, power };
})();
