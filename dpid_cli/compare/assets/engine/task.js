"use strict";

// Downscaling as `dpid downscale` computes it, byte for byte: any part of the output, for any parameters. What
// does not depend on parameters, the means of windows, is kept for the next call.

const Engine = (() => {
  const WEIGHTS = { lambda: 1, alpha: 0, variant: "sym", noise: 0 };
  const DEFAULTS = {
    dpid: { ...WEIGHTS, epsilon: 0, guidance: "gaussian" },
    dpp: { ...WEIGHTS, epsilon: Math.sqrt(1e-3), guidance: "box" },
    box: {},
    max: {},
    min: {},
    extremum: {},
  };
  const { round } = Single;

  function completed(request) {
    const defaults = DEFAULTS[request.method];
    if (!defaults) {
      throw new RangeError(`method: ${request.method} is not known: use one of ${Object.keys(DEFAULTS).join(", ")}`);
    }
    const given = Object.entries(request).filter(([, value]) => value !== undefined && value !== null);
    return { ...defaults, ...Object.fromEntries(given) };
  }

  function rounded(value, limit) {
    return Math.min(Math.max(Math.floor(round(value + 0.5)), 0), limit);
  }

  // Each of these returns a function that sets levels[j] to the pixel of window i in a row.

  function identity(raster, levels) {
    return (row, i) => {
      for (let j = 0, p = (row * raster.width + i) * raster.channels; j < raster.channels; j++, p++) {
        levels[j] = raster.values[p];
      }
    };
  }

  function box(layout, levels) {
    const { raster, width, xs } = layout;
    let [current, means] = [-1, null];
    return (row, i) => {
      if (row !== current) [current, means] = [row, layout.meansOf(row, xs.narrow)];
      for (let j = 0; j < raster.channels; j++) levels[j] = rounded(means[j * width + i], raster.unit);
    };
  }

  function order(layout, levels, rule) {
    const { raster } = layout;
    const span = layout.spanOf();
    const parts = 4 * raster.width * raster.height;
    return (row, i) => {
      layout.place(span, row, i);
      for (let j = 0; j < raster.channels; j++) levels[j] = Order.value(rule, span, j, raster.unit, parts);
    };
  }

  function detail(layout, levels, request, isSettled) {
    const { raster, width, area } = layout;
    const { channels, unit } = raster;
    const reward = Weights.rewardOf(raster, request);
    const window = new Weights.Window(layout, reward);
    const filter = Filters.guiding(request.guidance, channels, unit);
    const name = JSON.stringify(request.guidance);
    const share = Weights.shareOf(reward, area, unit ** 2);
    const quick = Quick.isQuick(reward) ? layout.distancesOf(reward, request.guidance) : null;
    const lines = quick && Quick.linesOf(reward.exponent);
    const error = Quick.errorOf(reward, unit, raster.height / layout.height + 2, raster.width / width + 2);
    const [guide, means] = [new Float32Array(4), new Float32Array(4)];
    const [low, high] = [new Float64Array(4), new Float64Array(4)];
    let [current, guides, averages, distances] = [-1, null, null, null];

    function bounded(row, i) {
      layout.place(quick.span, row, i);
      const sums = quick.sumsOf(i, distances, lines);
      for (let j = 0; j < channels; j++) {
        const weight = sums[4 + (reward.joint ? 0 : j)] + share;
        if (weight === 0) {
          low[j] = high[j] = rounded(guide[j], unit);
          continue;
        }
        const value = (sums[j] + share * means[j]) / weight + 0.5;
        const difference = Math.max(Math.abs(guide[j]), Math.abs(unit - guide[j]));
        const most = error * difference + 4 * Quick.ROUNDING * (unit + Math.abs(value));
        low[j] = Math.min(Math.max(Math.floor(value - most), 0), unit);
        high[j] = Math.min(Math.max(Math.floor(value + most), 0), unit);
      }
    }

    function exact(row, i) {
      window.add(row, i, guide);
      for (let j = 0; j < channels; j++) {
        const k = reward.joint ? 0 : j;
        const blend = reward.scaled ? Weights.shareOf(reward, area, window.baseOf(k)) : share;
        const weight = round(window.weight[k] + blend);
        const excess = Single.fused(blend, round(means[j] - guide[j]), window.total[j]);
        levels[j] = rounded(weight > 0 ? round(guide[j] + round(excess / weight)) : guide[j], unit);
      }
    }

    return (row, i) => {
      if (row !== current) {
        averages = layout.meansOf(row, window.narrow);
        guides = layout.guideOf(row, window.narrow, filter, name);
        if (quick) distances = quick.of(row, guides);
        current = row;
      }
      for (let j = 0; j < channels; j++) {
        guide[j] = guides[j * width + i];
        means[j] = averages[j * width + i];
      }
      if (quick) bounded(row, i);
      if (!quick || !isSettled(low, high)) exact(row, i);
      else for (let j = 0; j < channels; j++) levels[j] = low[j];
    };
  }

  function renderer({ raster }, layout, request, levels, isSettled) {
    if (layout.width === raster.width && layout.height === raster.height) return identity(raster, levels);
    if (request.method === "box" || request.lambda === 0) return box(layout, levels);
    if (request.lambda === undefined) return order(layout, levels, request.method);
    return detail(layout, levels, request, isSettled);
  }

  // Whether both bounds of the levels of a window become the same bytes.
  function settles(weighted, channels) {
    const last = channels - 1;
    return (low, high) => {
      if (!weighted || low[last] === high[last]) {
        let equal = true;
        for (let j = 0; j < channels; j++) equal = equal && low[j] === high[j];
        if (equal || !weighted) return equal;
      }
      if (Alpha.opacity(low[last]) !== Alpha.opacity(high[last]) || (low[last] === 0 && high[last] > 0)) return false;
      for (let j = 0; j < last; j++) {
        if (Alpha.straight(low[j], high[last]) !== Alpha.straight(high[j], low[last])) return false;
      }
      return true;
    };
  }

  // Levels of a part of the output of a raster, of as many bits as the raster has.
  function levelsOf(raster, request) {
    const image = { raster, layouts: new Map() };
    const [width, height] = request.size;
    const levels = new Float64Array(4);
    const result = new raster.values.constructor(width * height * raster.channels);
    const render = renderer(image, Layouts.layoutOf(image, width, height), request, levels, settles(false, raster.channels));
    for (let row = 0, p = 0; row < height; row++) {
      for (let i = 0; i < width; i++) {
        render(row, i);
        for (let j = 0; j < raster.channels; j++) result[p++] = levels[j];
      }
    }
    return result;
  }

  // A part of an output, computed row by row. `request`: size, method and its parameters, and the region
  // [left, top, right, bottom] of the output, all of it without one.
  class Task {
    constructor(image, request) {
      const full = completed(request);
      const [width, height] = full.size;
      checkSize(image.raster, width, height);
      this.image = image;
      this.found = Automatic.found(image, full, levelsOf); // what "auto" stands for
      Object.assign(full, this.found);
      const { channels } = image.raster;
      if (image.weighted && full.noise) full.noise = ofColours(full.noise, channels);
      this.region = full.region ?? [0, 0, width, height];
      const [left, top, right, bottom] = this.region;
      this.levels = new Float64Array(4);
      const layout = Layouts.layoutOf(image, width, height);
      this.render = renderer(image, layout, full, this.levels, settles(image.weighted, channels));
      this.pixels = new Uint8Array((right - left) * (bottom - top) * channels);
      this.row = top;
    }

    get done() {
      return this.row >= this.region[3];
    }

    // From 0 to 1.
    get progress() {
      const [, top, , bottom] = this.region;
      return (this.row - top) / (bottom - top);
    }

    computeRow() {
      const { image, levels, pixels, render, row } = this;
      const [left, top, right] = this.region;
      const { channels } = image.raster;
      let p = (row - top) * (right - left) * channels;
      for (let i = left; i < right; i++) {
        render(row, i);
        if (image.weighted) {
          const alpha = levels[channels - 1];
          for (let j = 0; j < channels - 1; j++) pixels[p++] = Alpha.straight(levels[j], alpha);
          pixels[p++] = Alpha.opacity(alpha);
        } else for (let j = 0; j < channels; j++) pixels[p++] = levels[j];
      }
      this.row += 1;
    }
  }

  // The whole of a `Task` at once: its pixels as bytes, the region, and the numbers that "auto" stood for.
  function downscale(image, request) {
    const task = new Task(image, request);
    while (!task.done) task.computeRow();
    return { pixels: task.pixels, region: task.region, found: task.found };
  }

  // Noise of colours; alpha has none.
  function ofColours(noise, channels) {
    return Array.from({ length: channels }, (_, j) => (j === channels - 1 ? 0 : Array.isArray(noise) ? noise[j] : noise));
  }

  function checkSize(raster, width, height) {
    const whole = [width, height].every((side) => Number.isInteger(side) && side >= 1);
    if (!whole || width > raster.width || height > raster.height) {
      throw new RangeError(
        `size: ${width}x${height} does not fit an image of ${raster.width}x${raster.height}: use at most its own size`,
      );
    }
  }

  return { DEFAULTS, Task, downscale };
})();
