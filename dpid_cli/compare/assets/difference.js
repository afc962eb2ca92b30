"use strict";

// How the image on the right differs: from box, signed, or from the input, absolute.

const Difference = (() => {
  // Blue to orange through white, and dark to light: apart for every kind of colour vision.
  const SIGNED = [[0, 61, 125], [90, 160, 215], [245, 245, 245], [235, 150, 55], [127, 59, 8]];
  const ABSOLUTE = [[0, 10, 40], [50, 60, 110], [125, 120, 120], [200, 180, 100], [255, 240, 120]];
  const LUMA = [0.2126, 0.7152, 0.0722];
  let cached = {};

  function mixed(colours, part) {
    const at = Base.clamp(part, 0, 1) * (colours.length - 1);
    const first = Math.min(Math.floor(at), colours.length - 2);
    return colours[first].map((value, c) => Math.round(value + (at - first) * (colours[first + 1][c] - value)));
  }

  // Lightness of a pixel, with alpha before white.
  function lightness(pixels, at, channels) {
    if (channels === 1) return pixels[at];
    const value = LUMA[0] * pixels[at] + LUMA[1] * pixels[at + 1] + LUMA[2] * pixels[at + 2];
    return channels === 4 ? 255 + ((value - 255) * pixels[at + 3]) / 255 : value;
  }

  const isSigned = () => $("against").value === "box";
  const gain = () => Number($("gain").value);
  const right = () => Layers.all[View.state.right];
  const reference = () => (isSigned() ? Layers.box() : Layers.source());

  // A canvas of differences and its pixels, of values from -1 to 1 or from 0 to 1.
  function drawn(columns, rows, valueAt) {
    const [canvas, context] = Base.canvasOf(columns, rows);
    const image = new ImageData(columns, rows);
    const table = Array.from({ length: 513 }, (_, i) => (isSigned() ? mixed(SIGNED, i / 512) : mixed(ABSOLUTE, i / 256 - 1)));
    for (let y = 0, i = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++, i += 4) {
        image.data.set(table[Math.round(256 + 256 * Base.clamp(valueAt(x, y), -1, 1))], i);
        image.data[i + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
    return { image: canvas, pixels: image.data, width: columns, height: rows, channels: 4 };
  }

  function fromBox(layer) {
    const box = Layers.box();
    const { channels } = layer;
    const factor = gain() / 255;
    const image = drawn(Layers.width, Layers.height, (x, y) => {
      const at = (y * Layers.width + x) * channels;
      return factor * (lightness(layer.pixels, at, channels) - lightness(box.pixels, at, channels));
    });
    return [{ ...image, left: 0, top: 0, scaleX: 1, scaleY: 1 }];
  }

  // Each pixel of the input against the output's pixel that covers it, where the input is exact.
  function fromInput(layer) {
    const input = Layers.source();
    const parts = input.pixels ? [{ left: 0, top: 0, ...input }] : (input.parts ?? []);
    const [scaleX, scaleY] = [Layers.width / Layers.sourceWidth, Layers.height / Layers.sourceHeight];
    const factor = gain() / 255;
    return parts.map((part) => {
      const image = drawn(part.width, part.height, (x, y) => {
        const column = Math.floor((part.left + x + 0.5) * scaleX);
        const row = Math.floor((part.top + y + 0.5) * scaleY);
        const own = lightness(part.pixels, (y * part.width + x) * part.channels, part.channels);
        if (layer.isInput) return 0;
        return factor * Math.abs(own - lightness(layer.pixels, (row * Layers.width + column) * layer.channels, layer.channels));
      });
      return { ...image, left: part.left * scaleX, top: part.top * scaleY, scaleX, scaleY };
    });
  }

  function parts() {
    const layer = right();
    const key = [layer.key, layer.version, Layers.box().version, Layers.source().version, $("against").value, gain()].join(" ");
    if (cached.key !== key) {
      const comparable = isSigned() ? layer.pixels && !layer.isInput && Layers.box().pixels : layer.pixels || layer.isInput;
      cached = { key, parts: comparable ? (isSigned() ? fromBox(layer) : fromInput(layer)) : [] };
    }
    return cached.parts;
  }

  function paint(context, { x, y, zoom }, [left, top, right, bottom]) {
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    for (const { image, left: column, top: row, scaleX, scaleY } of parts()) {
      context.imageSmoothingEnabled = zoom * scaleX < 1;
      context.drawImage(image, x + column * zoom, y + row * zoom, image.width * scaleX * zoom, image.height * scaleY * zoom);
    }
    context.restore();
  }

  function title() {
    if (right().isInput && isSigned()) return "the input has no difference from box: choose an output on the right";
    const label = Scale.label(right());
    return isSigned() ? `${label} − box` : `|${label} − input|`;
  }

  function legend() {
    const canvas = $("legend-colours");
    const context = canvas.getContext("2d");
    for (let x = 0; x < canvas.width; x++) {
      const part = x / (canvas.width - 1);
      context.fillStyle = `rgb(${mixed(isSigned() ? SIGNED : ABSOLUTE, part).join(" ")})`;
      context.fillRect(x, 0, 1, canvas.height);
    }
    const most = Math.round(255 / gain());
    $("legend-low").textContent = isSigned() ? `−${most}` : "0";
    $("legend-high").textContent = isSigned() ? `+${most}` : `${most}`;
    $("legend-unit").textContent = isSigned() ? "darker … brighter than box, levels of lightness" : "levels of lightness";
  }

  return { layer: () => ({ difference: true, paint }), legend, lightness, parts, reference, title };
})();
