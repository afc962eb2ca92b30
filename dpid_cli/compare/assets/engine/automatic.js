"use strict";

// Lambda and noise that follow from the image: dpid_cli/downscaling/automatic.py.

const Automatic = (() => {
  const [STRENGTH, LARGEST_LAMBDA, HALVINGS, STEPS, ALIKE] = [3, 1, 4, 1000, 1.001];
  const [BLOCK, PART, FEWEST_PIXELS] = [16, 256, 2 ** 17];
  const [NOISE_BLOCK, NOISE_SIDE, NOISE_PIXELS, QUANTILE, OF_WHITE] = [16, 64, 2 ** 18, 0.05, 0.853];

  // The numbers that "auto" stands for in a request; `levelsOf` downscales a raster.
  function found({ raster, weighted }, request, levelsOf) {
    const numbers = {};
    if (request.noise === "auto") numbers.noise = noiseOf(raster);
    if (request.lambda === "auto") numbers.lambda = lambdaFor(raster, { ...request, ...numbers }, levelsOf);
    if (weighted && numbers.noise) numbers.noise.pop(); // alpha has none
    return numbers;
  }

  function lambdaFor(raster, request, levelsOf) {
    const [width, height] = request.size;
    const scales = [raster.height / height, raster.width / width];
    const most = threeDigits(Math.min(LARGEST_LAMBDA, STRENGTH / Math.sqrt(scales[0] * scales[1])));
    const part = sampleOf(raster, scales);
    const size = [Math.max(1, nearest(part.width / scales[1])), Math.max(1, nearest(part.height / scales[0]))];
    const allowed = contrast(part.values, part) * ALIKE;
    const fits = (lambda) => contrast(levelsOf(part, { ...request, size, lambda }), part) <= allowed;
    if (fits(most)) return most;
    let [low, high] = [0, most];
    for (let k = 0; k < HALVINGS; k++) {
      const middle = (low + high) / 2;
      if (fits(middle)) low = middle;
      else high = middle;
    }
    return threeDigits(low);
  }

  function threeDigits(lambda) {
    return Math.floor(lambda * STEPS + 1e-9) / STEPS;
  }

  // To the nearest whole number, halves to even ones, as Python rounds.
  function nearest(value) {
    const below = Math.floor(value);
    if (value - below !== 0.5) return Math.round(value);
    return below % 2 === 0 ? below : below + 1;
  }

  // a / b, rounded once.
  function quotient(a, b) {
    const shift = BigInt(Math.max(0, 64 + b.toString(2).length - a.toString(2).length));
    const scaled = a << shift;
    const whole = scaled / b;
    return Number(scaled % b === 0n ? whole << 1n : (whole << 1n) | 1n) / 2 ** (Number(shift) + 1);
  }

  // Standard deviation of the pixels around the mean of their channel, as intensity.
  function contrast(values, { channels, unit }) {
    const count = values.length / channels;
    let total = 0;
    for (let j = 0; j < channels; j++) {
      let [sum, squares, large] = [0, 0, 0n];
      for (let p = j; p < values.length; p += channels) {
        sum += values[p];
        squares += values[p] * values[p];
        if (squares > 2 ** 52) {
          large += BigInt(squares);
          squares = 0;
        }
      }
      const variance = BigInt(count) * (large + BigInt(squares)) - BigInt(sum) ** 2n;
      total += quotient(variance, BigInt(count) ** 2n);
    }
    return Math.sqrt(total / channels) / unit;
  }

  function sampleOf(raster, scales) {
    const pixels = raster.width * raster.height;
    const most = Math.max(FEWEST_PIXELS, Math.floor(pixels / PART));
    const blocks = Math.trunc(most / 4 / (scales[0] * scales[1]));
    const windows = Math.max(1, Math.min(BLOCK, Math.floor(Math.sqrt(Math.max(1, blocks)))));
    const [height, width] = scales.map((scale) => Math.max(1, Math.ceil(windows * scale)));
    return blocksOf(raster, height, width, most);
  }

  // Blocks of pixels, evenly spread over an image, side by side in a smaller one.
  function blocksOf(raster, blockHeight, blockWidth, most) {
    const { values, width, height, channels } = raster;
    if (width * height <= 2 * most) return raster;
    const thinned = Math.sqrt(most / (width * height));
    const down = Math.max(1, nearest(Math.floor(height / Math.min(blockHeight, height)) * thinned));
    const across = Math.max(1, nearest(Math.floor(width / Math.min(blockWidth, width)) * thinned));
    const [rows, columns] = [spread(height, blockHeight, down), spread(width, blockWidth, across)];
    const part = new values.constructor(rows.length * columns.length * channels);
    let p = 0;
    for (const y of rows) {
      for (const x of columns) {
        for (let j = 0; j < channels; j++) part[p++] = values[(y * width + x) * channels + j];
      }
    }
    return { ...raster, values: part, width: columns.length, height: rows.length };
  }

  function spread(length, longest, number) {
    const side = Math.min(longest, length);
    const gap = (length - number * side) / (number + 1);
    const starts = Array.from({ length: number }, (_, i) => nearest(gap * (i + 1) + side * i));
    return starts.flatMap((start) => Array.from({ length: side }, (_, k) => start + k));
  }

  // The deviation of the noise in each channel: a low quantile over blocks of 16 x 16 pixels.
  function noiseOf(raster) {
    const part = blocksOf(raster, NOISE_SIDE, NOISE_SIDE, NOISE_PIXELS);
    const [rows, columns] = [Math.floor(part.height / 2), Math.floor(part.width / 2)];
    if (rows === 0 || columns === 0) return new Array(raster.channels).fill(0);
    const [high, wide] = [rows, columns].map((n) => Math.min(NOISE_BLOCK / 2, n));
    const [down, across] = [Math.floor(rows / high), Math.floor(columns / wide)];
    return Array.from({ length: raster.channels }, (_, j) => {
      const powers = [];
      for (let block = 0; block < down * across; block++) {
        const [top, left] = [Math.floor(block / across) * high, (block % across) * wide];
        powers.push(powerOf(part, j, top, left, high, wide));
      }
      const deviation = Math.sqrt(quantile(powers)) / OF_WHITE / raster.unit;
      return Math.min(1, Number(deviation.toFixed(5)));
    });
  }

  // Mean square of the diagonal details (a - b - c + d) / 2 in a block.
  function powerOf({ values, width, channels }, j, top, left, high, wide) {
    const [right, below] = [channels, width * channels];
    let total = 0;
    for (let y = top; y < top + high; y++) {
      for (let x = left; x < left + wide; x++) {
        const p = (2 * y * width + 2 * x) * channels + j;
        const detail = values[p] - values[p + right] - values[p + below] + values[p + below + right];
        total += Math.fround(Math.fround(detail * detail) / 4);
      }
    }
    return total / (high * wide);
  }

  function quantile(numbers) {
    const sorted = Float64Array.from(numbers).sort();
    const position = QUANTILE * (sorted.length - 1);
    const [k, part] = [Math.floor(position), position - Math.floor(position)];
    const [a, b] = [sorted[k], sorted[Math.min(k + 1, sorted.length - 1)]];
    return part < 0.5 ? a + (b - a) * part : b - (b - a) * (1 - part);
  }

  return { found };
})();
