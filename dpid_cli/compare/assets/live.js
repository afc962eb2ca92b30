"use strict";

// Outputs computed in the page, where it holds the input's pixels and the engine: one at a time, the newest last.

const Live = (() => {
  const IDLE = 150; // milliseconds without a change after which the rest of the image is computed
  const answers = new Map();
  let [worker, image, number, timer] = [null, null, 0, 0];
  let done = null; // the region that is up to date

  const isPossible = () => typeof dpidWorker === "function" && data.live && Boolean(Layers.source().pixels);
  const layer = () => Layers.all.find((other) => other.isLive);

  function ask(message) {
    number += 1;
    worker.postMessage({ id: number, ...message });
    return new Promise((resolve) => answers.set(number, resolve));
  }

  function start() {
    const { pixels, width, height, channels } = Layers.source();
    worker = dpidWorker();
    worker.onmessage = ({ data: reply }) => {
      answers.get(reply.id)?.(reply);
      answers.delete(reply.id);
    };
    image = ask({ image: { pixels, width, height, channels } });
  }

  // The pixels of a region of the output, null for all of it; undefined if a newer request overtook this one.
  async function live(parameters, region, later = false) {
    if (!worker) start();
    const { image: known } = await image;
    const { pixels, error } = await ask({ image: known, size: data.size, region, later, lane: later ? "rest" : "visible", ...parameters });
    if (error) throw new Error(error);
    return pixels;
  }

  async function request(region, later) {
    const { key, method, parameters } = layer();
    const pixels = await live({ method, ...parameters }, region, later).catch(tell);
    if (pixels && key === layer().key) patch(pixels, region ?? [0, 0, Layers.width, Layers.height]);
  }

  function tell(error) {
    $("alert").textContent = `Cannot compute this output: ${error.message}`;
    $("alert").hidden = false;
  }

  function patch(pixels, [left, top, right, bottom]) {
    const target = layer();
    const { channels } = target;
    const length = (right - left) * channels;
    for (let y = top; y < bottom; y++) {
      target.pixels.set(pixels.subarray((y - top) * length, (y - top + 1) * length), (y * Layers.width + left) * channels);
    }
    done = [left, top, right, bottom];
    target.version += 1;
    Layers.place(target, target);
    View.changed("pixels");
  }

  function isDone([left, top, right, bottom]) {
    return done && done[0] <= left && done[1] <= top && done[2] >= right && done[3] >= bottom;
  }

  // Whether some of the output is still that of other parameters.
  const isPending = () => !isDone([0, 0, Layers.width, Layers.height]);

  // Compute what is visible now, and everything once nothing changes any more.
  function refresh() {
    const { left, right } = View.state;
    const index = Layers.all.indexOf(layer());
    if (!layer()?.method || (left !== index && right !== index)) return;
    const visible = View.visible();
    if (!isDone(visible)) request(visible, false);
    clearTimeout(timer);
    timer = setTimeout(() => isPending() && request(null, true), IDLE);
  }

  // Show the output of a method with these parameters on one side.
  function show(side, base, parameters) {
    const target = layer();
    if (!target.pixels) Layers.place(target, { ...base, pixels: base.pixels.slice() });
    const detail = describe(base, parameters);
    const settings = Object.entries(parameters).filter(([name, value]) => base.defaults[name] !== value || name === "lambda");
    const words = settings.map(([name, value]) => `${name}=${value}`).join(",");
    Object.assign(target, { method: base.method, defaults: base.defaults, parameters, detail, label: `${base.method}, ${detail}`, key: `${base.method}:${words}` });
    done = null;
    View.choose(side, Layers.all.indexOf(target));
    refresh();
  }

  function describe(base, parameters) {
    return Object.entries(parameters)
      .filter(([name, value]) => name === "lambda" || base.defaults[name] !== value)
      .map(([name, value]) => `${data.symbols[name] ?? name} = ${typeof value === "number" ? Base.rounded(value, 3) : value}`)
      .join(", ");
  }

  function prepare() {
    if (!isPossible()) return;
    Layers.all.push({ key: "", label: "", isLive: true, version: 0 });
    View.onChange((kind) => kind === "move" && refresh());
  }

  return { isPending, isPossible, layer, prepare, show };
})();
