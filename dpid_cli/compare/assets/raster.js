"use strict";

// What the view paints, as bytes that no canvas has changed: pixels repeated where they are enlarged, and means
// where they are reduced.

const Raster = (() => {
  // Of each screen pixel from .. to, the source pixels below it as [first, end): one where they are enlarged.
  // `size` is that of a source pixel on the screen, `origin` where the first one lies.
  function spans(from, to, origin, size, count) {
    return Array.from({ length: to - from }, (_, k) => {
      const at = (from + k - origin) / size;
      if (size >= 1) {
        const nearest = Base.clamp(Math.floor(at + 0.5 / size), 0, count - 1);
        return [nearest, nearest + 1];
      }
      const first = Base.clamp(Math.floor(at + 1e-9), 0, count - 1);
      return [first, Base.clamp(Math.ceil(at + 1 / size - 1e-9), first + 1, count)];
    });
  }

  // Means of the pixels that columns and rows share; colours are weighted by alpha.
  function sampled({ pixels, width, channels }, columns, rows) {
    const result = new Uint8Array(columns.length * rows.length * channels);
    const colours = Math.min(3, channels);
    const sums = new Float64Array(channels + 1);
    let to = 0;
    for (const [top, bottom] of rows) {
      for (const [left, right] of columns) {
        sums.fill(0);
        for (let y = top; y < bottom; y++) {
          for (let at = (y * width + left) * channels, end = (y * width + right) * channels; at < end; at += channels) {
            const weight = channels === 4 ? pixels[at + 3] : 1;
            for (let c = 0; c < colours; c++) sums[c] += weight * pixels[at + c];
            sums[channels] += weight;
          }
        }
        for (let c = 0; c < colours; c++) result[to + c] = Math.round(sums[c] / (sums[channels] || 1));
        if (channels === 4) result[to + 3] = Math.round(sums[4] / ((bottom - top) * (right - left)));
        to += channels;
      }
    }
    return { pixels: result, width: columns.length, height: rows.length, channels };
  }

  // Means of n by n pixels.
  function reduced(image, n) {
    const all = (side) => spans(0, Math.ceil(side / n), 0, 1 / n, side);
    return sampled(image, all(image.width), all(image.height));
  }

  // What an image consists of, from below: pixels, their corner, and their size in pixels of the output.
  function partsOf(layer) {
    if (layer.difference) return Difference.parts();
    if (!layer.isInput) return [{ ...layer, left: 0, top: 0, scaleX: 1, scaleY: 1 }];
    const [scaleX, scaleY] = [Layers.width / Layers.sourceWidth, Layers.height / Layers.sourceHeight];
    if (layer.pixels) return [{ ...layer, left: 0, top: 0, scaleX, scaleY }];
    return layer.parts.map((part) => ({ ...part, left: part.left * scaleX, top: part.top * scaleY, scaleX, scaleY }));
  }

  // Put pixels over others, RGB, that are `width` wide.
  function blend(target, width, seen, left, top) {
    const { pixels, channels } = seen;
    const step = channels === 1 ? 0 : 1;
    for (let row = 0, p = 0; row < seen.height; row++) {
      for (let column = 0, q = 3 * ((top + row) * width + left); column < seen.width; column++, p += channels, q += 3) {
        const alpha = channels === 4 ? pixels[p + 3] / 255 : 1;
        for (let c = 0; c < 3; c++) target[q + c] = Math.round(target[q + c] * (1 - alpha) + pixels[p + c * step] * alpha);
      }
    }
  }

  // Put a part over a rectangle of the view.
  function place(target, part, { x, y, zoom }, [left, top, right, bottom]) {
    const [sizeX, sizeY] = [part.scaleX * zoom, part.scaleY * zoom];
    const [startX, startY] = [x + part.left * zoom, y + part.top * zoom];
    const from = [Math.max(left, Math.round(startX)), Math.max(top, Math.round(startY))];
    const end = [startX + part.width * sizeX, startY + part.height * sizeY].map((at) => Math.ceil(at - 1e-6));
    const to = [Math.min(right, end[0]), Math.min(bottom, end[1])];
    if (to[0] <= from[0] || to[1] <= from[1]) return;
    const seen = sampled(part, spans(from[0], to[0], startX, sizeX, part.width), spans(from[1], to[1], startY, sizeY, part.height));
    blend(target, right - left, seen, from[0] - left, from[1] - top);
  }

  // The browser decodes and smooths a preview: what it shows is read from a canvas.
  function placePreview(target, layer, { x, y, zoom }, [left, top, right, bottom]) {
    const [width, height] = [right - left, bottom - top];
    const pixels = Canvases.pixelsOf(width, height, (context) => Paint.layer(context, layer, { x: x - left, y: y - top, zoom }, [0, 0, width, height]));
    if (!pixels) throw new Error("this browser protects against fingerprinting and changes previews: show an output instead");
    blend(target, width, { pixels, width, height, channels: 4 }, 0, 0);
  }

  // The pixels of a rectangle of the view that shows an image, over the ground.
  function painted(layer, at, rectangle) {
    const [left, top, right, bottom] = rectangle;
    const pixels = new Uint8Array(3 * (right - left) * (bottom - top));
    Paint.groundPixels(pixels, rectangle, at.zoom);
    if (layer.preview) placePreview(pixels, layer, at, rectangle);
    for (const part of partsOf(layer)) place(pixels, part, at, rectangle);
    return { pixels, width: right - left, height: bottom - top, channels: 3 };
  }

  return { painted, reduced };
})();
