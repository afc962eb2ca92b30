"use strict";

// Outputs computed in the page, where it holds the input's pixels and the engine: one for each side, so that two
// can be compared.

const Live = (() => {
  const IDLE = 150; // milliseconds without a change after which the rest of the image is computed
  const answers = new Map();
  let [worker, image, number] = [null, null, 0];
  let last = null; // the output that was set last

  const isPossible = () => typeof dpidWorker === "function" && data.live;
  const layers = () => Layers.all.filter((layer) => layer.isLive);
  const shownOn = (side) => Layers.all[View.state[side]];
  const whole = () => [0, 0, Layers.width, Layers.height];
  const isShown = (layer) => layer === shownOn("left") || layer === shownOn("right");

  function ask(message) {
    number += 1;
    worker.postMessage({ id: number, ...message });
    return new Promise((resolve) => answers.set(number, resolve));
  }

  async function start() {
    await Layers.want(Layers.source(), true);
    const { pixels, width, height, channels } = Layers.source();
    worker = dpidWorker();
    worker.onmessage = ({ data: reply }) => {
      answers.get(reply.id)?.(reply);
      answers.delete(reply.id);
    };
    return ask({ image: { pixels, width, height, channels } });
  }

  // The pixels of a region of the output, null for all of it; undefined if a newer request overtook this one.
  async function live(parameters, size, region, lane, later) {
    image ??= start();
    const { image: known } = await image;
    const { pixels, error } = await ask({ image: known, size, region, later, lane, ...parameters });
    if (error) throw new Error(error);
    return pixels;
  }

  async function compute(target, region, later) {
    const { key, method, parameters } = target;
    const lane = `${Layers.all.indexOf(target)} ${later ? "rest" : "visible"}`;
    const size = [Layers.width, Layers.height];
    const pixels = await live({ method, ...parameters }, size, region, lane, later);
    const isCurrent = key === target.key && size[0] === Layers.width && size[1] === Layers.height;
    if (pixels && isCurrent) patch(target, pixels, region ?? whole());
  }

  // All of an output at any size; undefined if a newer request for it overtook this one.
  function computed(layer, size) {
    return live({ method: layer.method, ...layer.parameters }, size, null, `${Layers.all.indexOf(layer)} whole`, false);
  }

  const request = (...what) => compute(...what).catch(tell);

  function tell(error) {
    $("alert").textContent = `Cannot compute this output: ${error.message}`;
    $("alert").hidden = false;
  }

  function patch(target, pixels, region) {
    const [left, top, right, bottom] = region;
    const { channels } = target;
    const length = (right - left) * channels;
    for (let y = top; y < bottom; y++) {
      target.pixels.set(pixels.subarray((y - top) * length, (y - top + 1) * length), (y * Layers.width + left) * channels);
    }
    target.done = region;
    Layers.place(target, target);
    View.changed("pixels");
  }

  function isDone({ done }, [left, top, right, bottom]) {
    return done && done[0] <= left && done[1] <= top && done[2] >= right && done[3] >= bottom;
  }

  function isWhole(layer) {
    if (layer.isInput) return Boolean(layer.pixels || layer.preview);
    return Boolean(layer.pixels) && (!layer.isLive || isDone(layer, whole()));
  }

  async function finishOne(target) {
    if (!target.pixels) return Layers.want(target, true);
    clearTimeout(target.timer);
    return compute(target, null, true);
  }

  // Wait until images have all of their pixels, decoded or computed; they keep them until others are waited for.
  async function finish(targets) {
    Layers.hold(targets);
    for (let next; (next = targets.find((target) => !isWhole(target))); ) await finishOne(next);
  }

  // Whether some of the output that was set last is still that of other parameters.
  const isPending = () => Boolean(last) && !isDone(last, whole());

  // Compute what is visible now, and everything once nothing changes any more.
  function refresh() {
    for (const target of layers().filter((layer) => layer.pixels && isShown(layer))) {
      const visible = View.visible();
      if (!isDone(target, visible)) request(target, visible, false);
      clearTimeout(target.timer);
      target.timer = setTimeout(() => isDone(target, whole()) || request(target, null, true), IDLE);
    }
  }

  // Show the output of a method with these parameters on one side; the other side keeps what it shows.
  function show(side, base, parameters) {
    const [here, other] = [shownOn(side), shownOn(side === "left" ? "right" : "left")];
    const target = here.isLive && here !== other ? here : layers().find((layer) => layer !== other);
    if (!target.pixels) {
      const { width, height } = Layers;
      const { channels } = Layers.box().packed;
      Layers.place(target, { pixels: base.pixels?.slice() ?? new Uint8Array(width * height * channels), width, height, channels });
    }
    const detail = describe(base, parameters);
    const settings = Object.entries(parameters).filter(([name, value]) => base.defaults[name] !== value || name === "lambda");
    const words = settings.map(([name, value]) => `${name}=${written(value)}`).join(",");
    const { method, defaults } = base;
    Object.assign(target, { method, defaults, parameters, detail, label: `${method}, ${detail}`, key: `${method}:${words}`, done: null, loading: Promise.resolve() });
    last = target;
    View.choose(side, Layers.all.indexOf(target));
  }

  // A value as options write it.
  function written(value) {
    if (Array.isArray(value)) return value.map(written).join("/");
    return typeof value === "number" ? Base.rounded(value, 3) : value;
  }

  function describe(base, parameters) {
    return Object.entries(parameters)
      .filter(([name, value]) => name === "lambda" || base.defaults[name] !== value)
      .map(([name, value]) => `${data.symbols[name] ?? name} = ${written(value)}`)
      .join(", ");
  }

  function prepare() {
    if (!isPossible()) return;
    for (let i = 0; i < 2; i++) Layers.add({ key: "", label: "", isLive: true });
    View.onChange((kind) => kind !== "pixels" && refresh());
  }

  const layer = () => last;

  return { computed, finish, isPending, isPossible, layer, prepare, show, tell, written };
})();
