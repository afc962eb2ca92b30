"use strict";

// The window of the input behind a pixel of the output, with the weights that dpid or dpp gives to its pixels.

const Weights = (() => {
  const DEFAULTS = { lambda: 1, alpha: 0, epsilon: 0, variant: "sym", guidance: "gaussian" };

  // First and last pixel of window i along an axis, and how much of each pixel belongs to it.
  function windowOf(i, source, target) {
    const [low, high] = [(i * source) / target, ((i + 1) * source) / target];
    const [first, end] = [Math.floor(low + 1e-9), Math.ceil(high - 1e-9)];
    const parts = Array.from({ length: end - first }, (_, k) => Math.min(first + k + 1, high) - Math.max(first + k, low));
    return { first, end, parts };
  }

  const windows = (column, row) => [windowOf(column, Layers.sourceWidth, Layers.width), windowOf(row, Layers.sourceHeight, Layers.height)];

  // Means of a window's channels; null if its pixels are not in the page.
  function mean(column, row) {
    const [xs, ys] = windows(column, row);
    const pixel = Layers.inputAt(xs.first, ys.first, xs.end, ys.end);
    if (!pixel) return null;
    let [sums, total] = [null, 0];
    ys.parts.forEach((high, j) =>
      xs.parts.forEach((wide, i) => {
        const values = pixel(xs.first + i, ys.first + j);
        sums ??= new Float64Array(values.length);
        for (let c = 0; c < sums.length; c++) sums[c] += high * wide * values[c];
        total += high * wide;
      })
    );
    return sums.map((sum) => sum / total);
  }

  // Means smoothed with 1 2 1 in both directions; neighbours beyond the border are left out.
  function smoothed(column, row) {
    let [sums, total] = [null, 0];
    for (let j = -1; j <= 1; j++) {
      for (let i = -1; i <= 1; i++) {
        const [x, y] = [column + i, row + j];
        if (x < 0 || y < 0 || x >= Layers.width || y >= Layers.height) continue;
        const values = mean(x, y);
        if (!values) return null;
        const weight = (2 - Math.abs(i)) * (2 - Math.abs(j));
        sums ??= new Float64Array(values.length);
        for (let c = 0; c < sums.length; c++) sums[c] += weight * values[c];
        total += weight;
      }
    }
    return sums.map((sum) => sum / total);
  }

  // The share of each pixel of a window in the output, over its channels; null if it cannot be told.
  function of(column, row, { method, parameters }) {
    const settings = { ...DEFAULTS, ...parameters };
    if (!(settings.lambda >= 0) || !["box", "gaussian"].includes(settings.guidance) || settings.noise) return null;
    if (settings.normalize === "mean" && settings.alpha > 0) return null;
    const guide = settings.guidance === "box" ? mean(column, row) : smoothed(column, row);
    if (!guide || guide.length > 3) return null;
    const [xs, ys] = windows(column, row);
    const pixel = Layers.inputAt(xs.first, ys.first, xs.end, ys.end);
    const weigh = (differences) => {
      const square = differences.reduce((sum, d) => sum + (settings.variant === "asym" ? Math.max(d, 0) : d) ** 2, 0);
      return settings.alpha + (square + settings.epsilon ** 2) ** (settings.lambda / 2);
    };
    const weights = ys.parts.map((high, j) =>
      xs.parts.map((wide, i) => {
        const differences = Array.from(pixel(xs.first + i, ys.first + j), (value, c) => (value - guide[c]) / 255);
        // dpp weighs each channel by itself: the mean of its channels is shown.
        const own = method === "dpp" ? differences.map((d) => weigh([d])) : [weigh(differences)];
        return own.map((weight) => high * wide * weight);
      })
    );
    const totals = weights.flat().reduce((sums, own) => sums.map((sum, c) => sum + own[c]), weights[0][0].map(() => 0));
    return weights.map((line) => line.map((own) => own.reduce((sum, w, c) => sum + (totals[c] ? w / totals[c] : 0), 0) / own.length));
  }

  // The output whose weights are shown: the right one if it has any, else the left one.
  function weighing() {
    const { left, right } = View.state;
    return [right, left].map((index) => Layers.all[index]).find((layer) => ["dpid", "dpp"].includes(layer?.method));
  }

  function show(column, row) {
    const layer = weighing();
    const weights = layer && of(column, row, layer);
    $("window").hidden = !weights;
    if (!weights) return;
    const [xs, ys] = windows(column, row);
    const cell = Math.max(4, Math.floor((Base.ratio() * 112) / Math.max(xs.parts.length, ys.parts.length)));
    draw(weights, xs, ys, cell);
    const most = Math.max(...weights.flat());
    const count = xs.parts.length * ys.parts.length;
    $("weights-caption").textContent =
      `Input below pixel ${column}, ${row}. Dots: weights in ${Layers.named(layer)}. ` +
      `The largest share is ${Base.rounded(100 * most, 1)} %, in box ${Base.rounded(100 / count, 1)} %.`;
  }

  function draw(weights, xs, ys, cell) {
    const canvas = $("weights");
    Object.assign(canvas, { width: xs.parts.length * cell, height: ys.parts.length * cell });
    canvas.style.width = `${canvas.width / Base.ratio()}px`;
    const context = canvas.getContext("2d");
    const pixel = Layers.inputAt(xs.first, ys.first, xs.end, ys.end);
    const most = Math.max(...weights.flat());
    weights.forEach((line, j) =>
      line.forEach((weight, i) => {
        const [red, green = red, blue = red] = pixel(xs.first + i, ys.first + j);
        context.fillStyle = `rgb(${red} ${green} ${blue})`;
        context.fillRect(i * cell, j * cell, cell, cell);
        dot(context, (i + 0.5) * cell, (j + 0.5) * cell, (0.44 * cell * Math.sqrt(weight / most)) || 0);
      })
    );
  }

  // White with a black edge, to be seen on any colour.
  function dot(context, x, y, radius) {
    if (radius < 0.5) return;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = "#fff";
    context.fill();
    context.lineWidth = Math.max(1, radius / 5);
    context.strokeStyle = "#000";
    context.stroke();
  }

  return { of, show };
})();
