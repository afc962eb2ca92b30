"use strict";

// The images that can be shown: the outputs, the input, and what is computed while a slider moves.

const Layers = (() => {
  let [width, height] = data.size;
  let generation = 0; // of pixels: those of another size are dropped
  const [sourceWidth, sourceHeight] = data.source;
  const all = []; // outputs in the order of the strip, then the input, then what is computed for each side
  const damaged = [];
  const [MOST_PIXELS, MOST_CANVASES] = [48e6, 48e6]; // bytes
  const [used, drawn] = [new Set(), new Set()]; // images with pixels, and with a canvas, the last one last
  let held = []; // images that keep their pixels, though they may not be shown
  let loaded = () => {};

  function canvasOf({ pixels, width: columns, height: rows, channels }) {
    const [canvas, context] = Base.canvasOf(columns, rows);
    context.putImageData(new ImageData(coloured(pixels, columns * rows, channels), columns), 0, 0);
    return canvas;
  }

  // Interleaved gray, colours, or colours and alpha as RGBA.
  function coloured(pixels, count, channels) {
    const colours = new Uint8ClampedArray(4 * count);
    const [green, blue] = channels === 1 ? [0, 0] : [1, 2];
    for (let i = 0, from = 0; i < 4 * count; i += 4, from += channels) {
      colours[i] = pixels[from];
      colours[i + 1] = pixels[from + green];
      colours[i + 2] = pixels[from + blue];
      colours[i + 3] = channels === 4 ? pixels[from + 3] : 255;
    }
    return colours;
  }

  // Means of n by n pixels, to show an image smaller than it is.
  function reduced(layer, n) {
    layer.smaller ??= new Map();
    if (!layer.smaller.has(n)) layer.smaller.set(n, canvasOf(Raster.reduced(layer, n)));
    return layer.smaller.get(n);
  }

  async function decoded(source) {
    const image = new Image();
    image.src = source;
    await image.decode();
    return image;
  }

  async function exact(packed, name, isUrgent) {
    const unpacked = await Decoding.unpacked(packed, isUrgent);
    if (!unpacked.ok && !damaged.includes(name)) damaged.push(name);
    return unpacked;
  }

  // Give an image its pixels, or new ones.
  function place(layer, unpacked) {
    Object.assign(layer, unpacked, { alpha: unpacked.channels === 4, smaller: undefined, canvas: undefined });
    layer.version += 1;
  }

  // The whole image as a canvas, made when it is drawn; those that were drawn long ago are dropped.
  function canvasFor(layer) {
    if (!layer.pixels) return undefined;
    layer.canvas ??= canvasOf(layer);
    drawn.delete(layer);
    drawn.add(layer);
    const area = (total, { width: across, height: down }) => total + 4 * across * down;
    for (const old of drawn) {
      if (old === layer || [...drawn].reduce(area, 0) <= MOST_CANVASES) break;
      Object.assign(old, { canvas: undefined, smaller: undefined });
      drawn.delete(old);
    }
    return layer.canvas;
  }

  // A part of an image as a canvas, without one of all of it.
  function cut({ pixels, width: across, channels }, left, top, right, bottom) {
    const part = new Uint8Array((right - left) * (bottom - top) * channels);
    for (let y = top; y < bottom; y++) {
      part.set(pixels.subarray((y * across + left) * channels, (y * across + right) * channels), (y - top) * (right - left) * channels);
    }
    return canvasOf({ pixels: part, width: right - left, height: bottom - top, channels });
  }

  // Drop pixels that were not used for long, if there are too many. They can be decoded again.
  function trim(layer) {
    use(layer);
    const isKept = (old) => old === layer || old.key === "box" || isShown(old) || held.includes(old);
    let total = [...used].reduce((sum, { pixels }) => sum + (pixels?.length ?? 0), 0);
    for (const old of used) {
      if (total <= MOST_PIXELS) return;
      if (isKept(old) || !old.packed) continue;
      total -= old.pixels.length;
      Object.assign(old, { pixels: undefined, canvas: undefined, smaller: undefined, loading: null });
      for (const kept of [used, drawn]) kept.delete(old);
    }
  }

  const hold = (layers) => (held = layers);

  function use(layer) {
    used.delete(layer);
    used.add(layer);
  }

  const isShown = (layer) => [View.state.left, View.state.right].some((index) => all[index] === layer);

  // Each output is stored as its difference from another one, modulo 256.
  async function loadOutput(layer, isUrgent) {
    const before = generation;
    const unpacked = await exact(layer.packed, layer.label, isUrgent);
    const base = all[layer.from];
    if (base) {
      while (!base.pixels && before === generation) await want(base, isUrgent);
      if (before !== generation) return;
      for (let i = 0; i < unpacked.pixels.length; i++) unpacked.pixels[i] += base.pixels[i];
    }
    if (before === generation) place(layer, unpacked);
  }

  async function compute(layer) {
    const [before, { key }] = [generation, layer];
    const pixels = await Live.computed(layer, [width, height]);
    if (before !== generation || key !== layer.key) return;
    if (pixels) settle(layer, pixels);
    else layer.loading = null; // overtaken
  }

  // Give an output all of its pixels, at the size of now.
  function settle(layer, pixels) {
    const { channels } = box().packed;
    place(layer, { pixels, width, height, channels });
    Object.assign(layer, { loading: Promise.resolve(), done: [0, 0, width, height] });
  }

  // Outputs of another size: none has pixels yet.
  function resize(...next) {
    [width, height] = next;
    generation += 1;
    for (const layer of all) {
      if (!layer.isInput) Object.assign(layer, { pixels: undefined, canvas: undefined, smaller: undefined, loading: null, done: null });
    }
    for (const kept of [used, drawn]) kept.clear();
  }

  // The input: all of it if it is small, else a preview, and what lies below the marked places.
  async function loadInput(input, isUrgent) {
    if (input.packed) return place(input, await exact(input.packed, input.label, isUrgent));
    const parts = input.places.map(async ({ at, packed }) => {
      const unpacked = await exact(packed, `${input.label} at ${at}`, isUrgent);
      return { left: at[0], top: at[1], ...unpacked, image: canvasOf(unpacked) };
    });
    input.preview = await decoded($("preview").textContent);
    input.parts = await Promise.all(parts);
    input.version += 1;
  }

  function hurry(layer) {
    if (layer.packed) Decoding.hurry(layer.packed);
    if (all[layer.from] && !all[layer.from].pixels) want(all[layer.from], true);
  }

  // Decode an image that is wanted, unless it is there; `isUrgent`: before those that are not.
  function want(layer, isUrgent) {
    if (layer.pixels && !layer.isInput) use(layer);
    else if (isUrgent) hurry(layer);
    const load = layer.isInput ? loadInput : layer.packed && Scale.isOwn() ? loadOutput : compute;
    layer.loading ??= load(layer, isUrgent).then(() => {
      if (!layer.isInput && layer.pixels) trim(layer);
      loaded(layer);
    });
    return layer.loading;
  }

  // Call a function for each image that was decoded.
  function prepare(onLoad) {
    loaded = onLoad;
    const images = [...data.layers, { ...data.input, key: "input", isInput: true }];
    for (const image of images) add(image);
  }

  function add(image) {
    const layer = { ...image, version: 0, loading: null };
    // Not listed among the fields, so that copies do not draw it.
    all.push(Object.defineProperty(layer, "image", { get: () => canvasFor(layer) }));
  }

  const source = () => all.find((layer) => layer.isInput);
  const box = () => all.find((layer) => layer.key === "box");
  const indexOf = (key) => all.findIndex((layer) => layer.key === key);
  const named = (layer) => (layer.detail ? `${layer.method}, ${layer.detail}` : layer.label);

  // The pixels of the input in a rectangle, or null where only a preview is there.
  function inputAt(left, top, right, bottom) {
    const input = source();
    const whole = input.pixels && { left: 0, top: 0, ...input };
    const part = [whole, ...(input.parts ?? [])].find(
      (part) => part && part.left <= left && part.top <= top && part.left + part.width >= right && part.top + part.height >= bottom
    );
    if (!part) return null;
    return (x, y) => {
      const at = ((y - part.top) * part.width + x - part.left) * part.channels;
      return part.pixels.subarray(at, at + part.channels);
    };
  }

  return {
    add, all, box, cut, damaged, hold, indexOf, inputAt, isShown, named, place, prepare, reduced, resize, settle, source, sourceHeight, sourceWidth, want,
    get height() {
      return height;
    },
    get width() {
      return width;
    },
  };
})();
