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

  // Each of these returns a function that fills `levels` with the windows left .. right - 1 of a row.

  function identity({ values, width, channels }) {
    return (row, left, right, levels) => {
      levels.set(values.subarray((row * width + left) * channels, (row * width + right) * channels));
    };
  }

  function box(layout) {
    const { raster, width, xs } = layout;
    return (row, left, right, levels) => {
      const means = layout.meansOf(row, xs.narrow);
      for (let i = left, at = 0; i < right; i++) {
        for (let j = 0; j < raster.channels; j++) levels[at++] = Quick.levelOf(means[j * width + i], raster.unit);
      }
    };
  }

  function order(layout, rule) {
    const { raster } = layout;
    const span = layout.spanOf();
    return (row, left, right, levels) => {
      layout.placeRow(span, row);
      for (let i = left, at = 0; i < right; i++) {
        layout.placeColumns(span, i);
        for (let j = 0; j < raster.channels; j++) levels[at++] = Order.value(rule, layout, span, row, i, j);
      }
    };
  }

  function detail(layout, request, isSettled) {
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
    const guide = new Float32Array(4);
    let high = new Uint16Array(0);

    function exact(row, i, guides, means, levels, at) {
      for (let j = 0; j < channels; j++) guide[j] = guides[j * width + i];
      window.add(row, i, guide);
      for (let j = 0; j < channels; j++) {
        const k = reward.joint ? 0 : j;
        const blend = reward.scaled ? Weights.shareOf(reward, area, window.baseOf(k)) : share;
        const weight = round(window.weight[k] + blend);
        const excess = Single.fused(blend, round(means[j * width + i] - guide[j]), window.total[j]);
        levels[at + j] = Quick.levelOf(weight > 0 ? round(guide[j] + round(excess / weight)) : guide[j], unit);
      }
    }

    return (row, left, right, levels) => {
      const means = layout.meansOf(row, window.narrow);
      const guides = layout.guideOf(row, window.narrow, filter, name);
      if (high.length < levels.length) high = new Uint16Array(levels.length);
      if (quick) quick.bound(row, left, right, guides, means, lines, share, error, levels, high);
      for (let i = left, at = 0; i < right; i++, at += channels) {
        if (!quick || !isSettled(levels, high, at, channels)) exact(row, i, guides, means, levels, at);
      }
    };
  }

  function renderer({ raster }, layout, request, isSettled) {
    if (layout.width === raster.width && layout.height === raster.height) return identity(raster);
    if (request.method === "box" || request.lambda === 0) return box(layout);
    if (request.lambda === undefined) return order(layout, request.method);
    return detail(layout, request, isSettled);
  }

  // Whether both bounds of a pixel are equal.
  function areEqual(low, high, at, channels) {
    for (let j = 0; j < channels; j++) if (low[at + j] !== high[at + j]) return false;
    return true;
  }

  // Whether both bounds of a pixel become the same bytes when colours are divided by alpha.
  function becomeEqual(low, high, at, channels) {
    const last = at + channels - 1;
    if (Alpha.opacity(low[last]) !== Alpha.opacity(high[last]) || (low[last] === 0 && high[last] > 0)) return false;
    for (let j = at; j < last; j++) {
      if (Alpha.straight(low[j], high[last]) !== Alpha.straight(high[j], low[last])) return false;
    }
    return true;
  }

  // All levels of the output of a raster, of as many bits as the raster has.
  function levelsOf(raster, request) {
    const [width, height] = request.size;
    const length = width * raster.channels;
    const layout = Layouts.layoutOf({ raster, layouts: new Map() }, width, height);
    const render = renderer({ raster }, layout, request, areEqual);
    const levels = new raster.values.constructor(height * length);
    for (let row = 0; row < height; row++) render(row, 0, width, levels.subarray(row * length, (row + 1) * length));
    return levels;
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
      const layout = Layouts.layoutOf(image, width, height);
      this.render = renderer(image, layout, full, image.weighted ? becomeEqual : areEqual);
      this.length = (right - left) * channels;
      this.levels = new Uint16Array(this.length);
      this.pixels = new Uint8Array(this.length * (bottom - top));
      this.row = top;
      this.end = bottom; // of the rows that `computeRow` is to compute
    }

    get done() {
      return this.row >= this.end;
    }

    // From 0 to 1.
    get progress() {
      return (this.row - this.region[1]) / (this.end - this.region[1]);
    }

    computeRow() {
      const { image, levels, length, row } = this;
      const [left, top, right] = this.region;
      this.render(row, left, right, levels);
      const line = this.pixels.subarray((row - top) * length, (row - top + 1) * length);
      if (image.weighted) Alpha.unpremultiply(levels, image.raster.channels, line);
      else line.set(levels);
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
    const colours = Array.isArray(noise) ? noise : new Array(channels - 1).fill(noise);
    return [...colours.slice(0, channels - 1), 0];
  }

  function checkSize(raster, width, height) {
    const whole = [width, height].every((side) => Number.isInteger(side) && side >= 1);
    if (!whole || width > raster.width || height > raster.height) {
      throw new RangeError(
        `size: ${width}x${height} does not fit an image of ${raster.width}x${raster.height}: use at most its own size`,
      );
    }
  }

  return { Task, downscale };
})();
