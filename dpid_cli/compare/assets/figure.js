"use strict";

// This view as a figure: what is visible of one or two images, pixel for pixel, with labels above them.

const Figure = (() => {
  const [FONT, ROW, GAP] = [14, 22, 10]; // sizes of text, in pixels of the page
  const LINE = 2; // screen pixels of half of the divider

  const unit = () => Base.ratio();
  const font = () => `${Math.round(FONT * unit())}px sans-serif`;

  // What each mode shows: an image, its side, and the columns of the view that it fills.
  function shownNow() {
    const { left, right, mode, second, split } = View.state;
    const [one, other] = [Layers.all[left], Layers.all[right]];
    const wide = View.canvas.width;
    if (mode === "difference") return [{ layer: Difference.layer(), title: Difference.title(), of: [other, Difference.reference()], from: 0, to: wide, offset: 0 }];
    if (mode === "blink") return [{ layer: second ? other : one, from: 0, to: wide, offset: 0 }];
    const at = mode === "beside" ? View.paneWidth() : Math.round(split * wide);
    const start = mode === "beside" ? wide - at : at;
    return [
      { layer: one, from: 0, to: at, offset: 0 },
      { layer: other, from: start, to: wide, offset: mode === "beside" ? start : 0 },
    ];
  }

  function labelOf({ layer, title }) {
    const { zoom } = View.state;
    return (title ?? Stage.titleOf(layer)) + (zoom < 1 ? `, reduced ${Math.round(1 / zoom)}×` : "");
  }

  // Labels in one row if they have room, else in two; each begins or ends where its image does.
  function labelled(panels, width) {
    const context = Base.canvasOf(1, 1)[1];
    context.font = font();
    const [row, gap] = [Math.round(ROW * unit()), Math.round(GAP * unit())];
    const labels = panels.map(({ label, x }, k) => {
      const ends = k === 1 && View.state.mode === "swipe";
      return { text: label, long: Math.ceil(context.measureText(label).width), at: ends ? width : x, ends };
    });
    const [one, other] = labels;
    const fits = !other || one.long + gap <= (other.ends ? width - other.long : other.at);
    labels.forEach((label, k) => (label.baseline = row * (fits ? 1 : k + 1) - Math.round(0.3 * row)));
    const needed = labels.map(({ at, long, ends }) => (ends ? long : at + long));
    return { labels, top: row * (fits ? 1 : 2), wide: Math.max(width, ...needed) };
  }

  const layersOf = (shown) => shown.of ?? [shown.layer];

  // Wait until all that is shown has its pixels.
  async function ready() {
    let layers = [];
    const now = () => shownNow().flatMap(layersOf);
    const hasChanged = () => Scale.isPending() || now().some((layer) => !layers.includes(layer));
    while (hasChanged()) {
      await Scale.settled();
      layers = now();
      await Live.finish(layers);
    }
  }

  // Panels with their pixels and corners, labels, the divider, and the size of it all.
  async function made() {
    await ready();
    const { x, y, zoom, mode } = View.state;
    const panels = [];
    for (const shown of shownNow()) {
      const at = { x: x + shown.offset, y, zoom };
      const rectangle = Paint.visible(at, [shown.from, 0, shown.to, View.canvas.height]);
      if (!rectangle) continue;
      panels.push({ image: Raster.painted(shown.layer, at, rectangle), label: labelOf(shown), layer: layersOf(shown)[0] });
    }
    if (!panels.length) throw new Error("no image is visible: press 0 to fit it");
    const gap = mode === "beside" ? Math.round(GAP * unit()) : 0;
    let width = -gap;
    for (const panel of panels) {
      panel.x = width + gap;
      width = panel.x + panel.image.width;
    }
    const { labels, top, wide } = labelled(panels, width);
    for (const panel of panels) panel.y = top;
    const height = top + panels[0].image.height;
    const divider = mode === "swipe" && panels.length === 2 ? panels[1].x : null;
    return { panels, labels, top, divider, width: wide, height };
  }

  // Black with a white middle, as rectangles: colour, left, top, width, height.
  function dividerOf({ divider, top, width, height }) {
    if (divider === null) return [];
    return [["#000000", LINE], ["#ffffff", LINE / 2]].map(([colour, half]) => {
      const [left, right] = [Math.max(0, divider - half), Math.min(width, divider + half)];
      return [colour, left, top, right - left, height - top];
    });
  }

  function put(target, { pixels, width, height }, left, top) {
    for (let row = 0; row < height; row++) {
      target.pixels.set(pixels.subarray(3 * row * width, 3 * (row + 1) * width), 3 * ((top + row) * target.width + left));
    }
  }

  function fill(target, [colour, left, top, width, height]) {
    const rows = { pixels: new Uint8Array(3 * width * height).fill(colour === "#000000" ? 0 : 255), width, height };
    put(target, rows, left, top);
  }

  // Labels are drawn by the browser; without them, the image begins at the top, and `labels` is false.
  function labelPixels({ labels, top, width }) {
    const drawn = Canvases.pixelsOf(width, top, (context) => {
      context.fillStyle = "#fff";
      context.fillRect(0, 0, width, top);
      context.fillStyle = "#000";
      context.font = font();
      for (const { text, at, baseline, ends } of labels) {
        context.textAlign = ends ? "right" : "left";
        context.fillText(text, at, baseline);
      }
    });
    return drawn && { pixels: drawn.filter((_, k) => k % 4 !== 3), width, height: top };
  }

  // A chunk of text in UTF-8.
  const textChunk = (keyword, text) => ["iTXt", new TextEncoder().encode(`${keyword}\0\0\0\0\0${text}`)];

  async function png(figure, notes) {
    const strip = labelPixels(figure);
    const up = strip ? 0 : figure.top;
    const target = { width: figure.width, height: figure.height - up, channels: 3 };
    target.pixels = new Uint8Array(3 * target.width * target.height).fill(255);
    if (strip) put(target, strip, 0, 0);
    for (const { image, x, y } of figure.panels) put(target, image, x, y - up);
    for (const [colour, x, y, ...size] of dividerOf(figure)) fill(target, [colour, x, y - up, ...size]);
    return { blob: await Png.encoded(target, [textChunk("Description", notes.join("\n"))]), labels: Boolean(strip) };
  }

  const xml = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

  async function addressOf(image) {
    const reader = new FileReader();
    reader.readAsDataURL(await Png.encoded(image));
    await new Promise((resolve) => (reader.onload = resolve));
    return reader.result;
  }

  async function svg(figure, notes) {
    const { panels, labels, width, height } = figure;
    const size = [width, height].map((side) => Base.rounded(side / unit(), 3));
    const images = await Promise.all(
      panels.map(async ({ image, x, y }) => {
        const place = `x="${x}" y="${y}" width="${image.width}" height="${image.height}"`;
        return `<image ${place} style="image-rendering:pixelated" href="${await addressOf(image)}"/>`;
      })
    );
    const lines = dividerOf(figure).map(([colour, x, y, wide, high]) => `<rect fill="${colour}" x="${x}" y="${y}" width="${wide}" height="${high}"/>`);
    const texts = labels.map(({ text, at, baseline, ends }) => `<text x="${at}" y="${baseline}"${ends ? ' text-anchor="end"' : ""}>${xml(text)}</text>`);
    const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${size[0]}" height="${size[1]}" viewBox="0 0 ${width} ${height}">`;
    const text = [
      head, `<title>${xml(notes[0])}</title>`, `<desc>${xml(notes.slice(1).join("\n"))}</desc>`, `<rect width="${width}" height="${height}" fill="#fff"/>`,
      ...images, ...lines, `<g font-family="sans-serif" font-size="${Math.round(FONT * unit())}">`, ...texts, "</g>", "</svg>", "",
    ].join("\n");
    return new Blob([text], { type: "image/svg+xml" });
  }

  return { dividerOf, made, png, svg };
})();
