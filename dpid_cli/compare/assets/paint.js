"use strict";

// Paint an image, enlarged by whole pixels, reduced by means, or as a smooth preview, on a ground.

const Paint = (() => {
  const GROUNDS = { white: ["#fff", "#fff"], black: ["#000", "#000"] };

  // Squares that never fall on the grid of the enlarged pixels.
  function squareFor(zoom) {
    let side = Math.round(9 * Base.ratio());
    while (zoom > 1 && (side % zoom === 0 || zoom % side === 0)) side += 1;
    return side;
  }

  const groundColours = () => GROUNDS[$("ground").value] ?? [Base.colour("--square"), Base.colour("--squares")];

  function ground(context, [left, top, right, bottom], zoom) {
    const [light, dark] = groundColours();
    context.fillStyle = light;
    context.fillRect(left, top, right - left, bottom - top);
    if (light === dark) return;
    const side = squareFor(zoom);
    context.fillStyle = dark;
    for (let y = top - (top % side), row = Math.round(y / side); y < bottom; y += side, row++) {
      for (let x = left - (left % side), column = Math.round(x / side); x < right; x += side, column++) {
        if ((row + column) % 2 === 0) continue;
        const [from, upper] = [Math.max(left, x), Math.max(top, y)];
        context.fillRect(from, upper, Math.min(right, x + side) - from, Math.min(bottom, y + side) - upper);
      }
    }
  }

  // Three bytes of a colour like #fff or #d9dee4.
  function bytesOf(colour) {
    const digits = colour.slice(1).replace(/^(.)(.)(.)$/, "$1$1$2$2$3$3");
    return [0, 2, 4].map((at) => parseInt(digits.slice(at, at + 2), 16));
  }

  // Fill RGB pixels of a rectangle of the view with the ground.
  function groundPixels(pixels, [left, top, right, bottom], zoom) {
    const colours = groundColours().map(bytesOf);
    const side = squareFor(zoom);
    for (let y = top, q = 0; y < bottom; y++) {
      for (let x = left; x < right; x++, q += 3) pixels.set(colours[(Math.floor(x / side) + Math.floor(y / side)) % 2], q);
    }
  }

  // The part of a rectangle in which an image lies; null if there is none.
  function visible({ x, y, zoom }, [left, top, right, bottom]) {
    const [wide, high] = [Layers.width * zoom, Layers.height * zoom];
    const inside = [Math.max(left, x), Math.max(top, y), Math.min(right, Math.ceil(x + wide)), Math.min(bottom, Math.ceil(y + high))];
    return inside[2] > inside[0] && inside[3] > inside[1] ? inside : null;
  }

  // The part of an image that lies within a rectangle; at.x, at.y is its corner, at.zoom its enlargement.
  function layer(context, layer, at, rectangle) {
    const inside = visible(at, rectangle);
    if (!inside) return;
    context.save();
    context.beginPath();
    context.rect(inside[0], inside[1], inside[2] - inside[0], inside[3] - inside[1]);
    context.clip();
    if (layer.alpha) ground(context, inside, at.zoom);
    if (layer.isInput) input(context, layer, at, inside);
    else if (layer.pixels) output(context, layer, at, inside);
    context.restore();
  }

  function output(context, layer, { x, y, zoom }, inside) {
    context.imageSmoothingEnabled = false;
    if (zoom < 1) return context.drawImage(Layers.reduced(layer, Math.round(1 / zoom)), x, y);
    if (layer.canvas || Layers.isShown(layer)) return stretched(context, layer.image, x, y, zoom, zoom, inside);
    const [left, top, right, bottom] = inside.map((at, k) => Math[k < 2 ? "floor" : "ceil"]((at - (k % 2 ? y : x)) / zoom));
    context.drawImage(Layers.cut(layer, left, top, right, bottom), x + left * zoom, y + top * zoom, (right - left) * zoom, (bottom - top) * zoom);
  }

  // Only what is visible: browsers refuse to draw what would be very large.
  function stretched(context, image, x, y, zoomX, zoomY, [left, top, right, bottom]) {
    const first = Math.max(0, Math.floor((left - x) / zoomX));
    const upper = Math.max(0, Math.floor((top - y) / zoomY));
    const columns = Math.min(image.width, Math.ceil((right - x) / zoomX)) - first;
    const rows = Math.min(image.height, Math.ceil((bottom - y) / zoomY)) - upper;
    if (columns <= 0 || rows <= 0) return;
    context.drawImage(image, first, upper, columns, rows, x + first * zoomX, y + upper * zoomY, columns * zoomX, rows * zoomY);
  }

  function input(context, layer, { x, y, zoom }, inside) {
    const [zoomX, zoomY] = [(zoom * Layers.width) / Layers.sourceWidth, (zoom * Layers.height) / Layers.sourceHeight];
    const draw = (image, left, top) => stretched(context, image, x + left * zoomX, y + top * zoomY, zoomX, zoomY, inside);
    context.imageSmoothingQuality = "high";
    context.imageSmoothingEnabled = true;
    if (layer.preview) context.drawImage(layer.preview, x, y, zoom * Layers.width, zoom * Layers.height);
    context.imageSmoothingEnabled = Math.min(zoomX, zoomY) < 1;
    if (layer.image) draw(layer.image, 0, 0);
    for (const part of layer.parts ?? []) draw(part.image, part.left, part.top);
  }

  // A frame that stands out from any ground: colour between black and white lines.
  function frame(context, [left, top, right, bottom], colour) {
    const unit = Math.max(1, Math.round(Base.ratio()));
    const lines = [["#000", 0], ["#fff", unit], [colour, 2 * unit], ["#000", 4 * unit]];
    for (const [line, out] of lines) {
      context.strokeStyle = line;
      context.lineWidth = line === colour ? 2 * unit : unit;
      const half = context.lineWidth / 2;
      context.strokeRect(left - out - half, top - out - half, right - left + 2 * (out + half), bottom - top + 2 * (out + half));
    }
  }

  return { frame, ground, groundPixels, layer, visible };
})();
