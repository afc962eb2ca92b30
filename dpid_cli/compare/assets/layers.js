"use strict";

// The images that can be shown: the outputs, the input, and what is computed while a slider moves.

const Layers = (() => {
  const [width, height] = data.size;
  const [sourceWidth, sourceHeight] = data.source;
  const all = []; // outputs in the order of the strip, then the input, then what is computed for each side
  const damaged = [];

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

  async function exact(packed, name) {
    const unpacked = await Unpack.unpacked(packed);
    if (!unpacked.ok) damaged.push(name);
    return unpacked;
  }

  function place(layer, unpacked) {
    Object.assign(layer, unpacked, { alpha: unpacked.channels === 4, smaller: undefined });
    layer.image = canvasOf(layer);
  }

  // Each output is stored as its difference from the one before, modulo 256.
  async function loadOutputs(loaded) {
    let before = null;
    for (const layer of all.filter((layer) => layer.packed)) {
      const unpacked = await exact(layer.packed, layer.label);
      if (before) for (let i = 0; i < before.length; i++) unpacked.pixels[i] += before[i];
      before = unpacked.pixels;
      delete layer.packed;
      place(layer, unpacked);
      loaded();
    }
  }

  // The input: all of it if it is small, else a preview, and what lies below the marked places.
  async function loadInput() {
    const input = source();
    const { packed, preview, places = [] } = data.input;
    if (packed) {
      place(input, await exact(packed, input.label));
    } else {
      input.preview = await decoded(preview);
      input.parts = [];
      for (const { at, packed: part } of places) {
        const unpacked = await exact(part, `${input.label} at ${at}`);
        input.parts.push({ left: at[0], top: at[1], ...unpacked, image: canvasOf(unpacked) });
      }
    }
    input.loaded = true;
  }

  async function load(loaded) {
    all.push(...data.layers.map((layer) => ({ ...layer })));
    all.push({ ...data.input, key: "input", isInput: true });
    await loadOutputs(loaded);
    await loadInput();
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

  return { all, box, damaged, height, indexOf, inputAt, load, named, place, reduced, source, sourceHeight, sourceWidth, width };
})();
