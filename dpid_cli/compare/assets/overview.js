"use strict";

// The whole image with the places and the visible part framed, and the numbers at the chosen place.

const Overview = (() => {
  const canvas = $("overview");
  const context = canvas.getContext("2d");
  let [zoom, margin] = [1, 0];

  function measure() {
    margin = Math.round(6 * Base.ratio());
    const room = $("side").clientWidth * Base.ratio() - 2 * margin;
    const tallest = Math.round(200 * Base.ratio()) - 2 * margin;
    const wanted = Math.min(room / Layers.width, tallest / Layers.height);
    zoom = wanted >= 1 ? Math.floor(wanted) : Math.max(wanted, 1 / 256);
    canvas.width = Math.max(1, Math.floor(Layers.width * zoom)) + 2 * margin;
    canvas.height = Math.max(1, Math.floor(Layers.height * zoom)) + 2 * margin;
    canvas.style.width = `${canvas.width / Base.ratio()}px`;
    canvas.style.height = `${canvas.height / Base.ratio()}px`;
  }

  const framed = (region) => region.map((at) => Math.round(at * zoom) + margin);

  function draw() {
    measure();
    const layer = Layers.all[View.state.right];
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.save();
    context.beginPath();
    context.rect(margin, margin, canvas.width - 2 * margin, canvas.height - 2 * margin);
    context.clip();
    whole(layer);
    context.restore();
    Strip.places.forEach((region, index) => {
      Paint.frame(context, framed(region), Base.colour(index === View.state.place ? "--accent" : "--line"));
      letter(Strip.letter(index), framed(region));
    });
    visible();
  }

  // Reduced by any factor: smoothly, as an overview may be.
  function whole(layer) {
    const image = layer.image ?? layer.preview;
    if (!image) return;
    const [wide, high] = [Layers.width * zoom, Layers.height * zoom];
    if (layer.alpha) Paint.ground(context, [margin, margin, margin + wide, margin + high], zoom);
    const n = Math.floor(1 / zoom);
    const source = zoom < 1 && n > 1 && layer.pixels && !layer.isInput ? Layers.reduced(layer, n) : image;
    context.imageSmoothingEnabled = zoom < 1 || layer.isInput;
    context.imageSmoothingQuality = "high";
    context.drawImage(source, margin, margin, wide, high);
  }

  function letter(text, [left, top]) {
    const size = Math.round(12 * Base.ratio());
    context.font = `bold ${size}px system-ui, sans-serif`;
    const wide = context.measureText(text).width + size / 2;
    context.fillStyle = "#000";
    context.fillRect(left, top, wide, size * 1.25);
    context.fillStyle = "#fff";
    context.textBaseline = "middle";
    context.fillText(text, left + size / 4, top + size * 0.65);
  }

  function visible() {
    const [left, top, right, bottom] = framed(View.visible());
    if (right - left >= canvas.width - 2 * margin && bottom - top >= canvas.height - 2 * margin) return;
    context.setLineDash([4 * Base.ratio(), 4 * Base.ratio()]);
    for (const [colour, offset] of [["#000", 0], ["#fff", 4 * Base.ratio()]]) {
      context.strokeStyle = colour;
      context.lineDashOffset = offset;
      context.lineWidth = Math.max(1, Math.round(1.5 * Base.ratio()));
      context.strokeRect(left + 0.5, top + 0.5, right - left - 1, bottom - top - 1);
    }
    context.setLineDash([]);
  }

  // A click on a place goes there; anywhere else, it brings that point to the middle.
  function onPress(event) {
    const box = canvas.getBoundingClientRect();
    const x = (((event.clientX - box.left) * canvas.width) / box.width - margin) / zoom;
    const y = (((event.clientY - box.top) * canvas.height) / box.height - margin) / zoom;
    const index = Strip.places.findIndex(([left, top, right, bottom]) => x >= left && x < right && y >= top && y < bottom);
    if (event.type === "pointerdown" && index >= 0) Strip.goTo(index);
    else View.centre(x, y);
  }

  function listen() {
    canvas.addEventListener("pointerdown", (event) => {
      onPress(event);
      canvas.addEventListener("pointermove", onPress);
      const end = () => canvas.removeEventListener("pointermove", onPress);
      for (const name of ["pointerup", "pointercancel", "pointerleave"]) canvas.addEventListener(name, end, { once: true });
    });
  }

  function describe() {
    const names = Strip.places.map((_, index) => Strip.letter(index)).join(", ");
    canvas.setAttribute("aria-label", `Whole image${names && `, with the places ${names} framed`}`);
  }

  return { describe, draw, listen };
})();
