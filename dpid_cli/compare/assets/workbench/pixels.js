"use strict";

// Pixels: what the worker is asked for, and how it is drawn.

// The part of the output that the view shows.
function visible() {
  const { zoom, x, y, size } = state;
  const left = Math.min(Math.max(0, Math.floor(-x / zoom)), size[0] - 1);
  const top = Math.min(Math.max(0, Math.floor(-y / zoom)), size[1] - 1);
  const right = Math.min(size[0], Math.ceil((view.width - x) / zoom));
  const bottom = Math.min(size[1], Math.ceil((view.height - y) / zoom));
  return [left, top, Math.max(right, left + 1), Math.max(bottom, top + 1)];
}

function contains(outer, inner) {
  return outer[0] <= inner[0] && outer[1] <= inner[1] && outer[2] >= inner[2] && outer[3] >= inner[3];
}

const waiting = { left: false, right: false }; // for an answer; true again if another is wanted by then

async function compute(side) {
  if (waiting[side]) {
    waiting[side] = "again";
    return;
  }
  do {
    waiting[side] = true;
    await computeOnce(side);
  } while (waiting[side] === "again");
  waiting[side] = false;
  state.ready = !waiting.left && !waiting.right;
}

async function computeOnce(side) {
  const { image, size } = state;
  const parameters = side === "left" ? { method: "box" } : settings();
  const key = JSON.stringify([image.number, size, parameters]);
  const region = visible();
  if (sides[side]?.key === key && contains(sides[side].region, region)) return;
  const request = { image: image.number, size, region, ...parameters };
  const started = performance.now();
  if (!show(side, key, size, await ask({ ...request, lane: side }))) return;
  $("status").textContent = `Computed in ${Math.round(performance.now() - started)} ms.`;
  ask({ ...request, region: null, lane: `${side}, all`, later: true }).then((reply) => {
    const isCurrent = sides[side]?.key === key;
    if (isCurrent) show(side, key, size, reply);
  });
}

function show(side, key, size, reply) {
  if (reply.error) say(reply.error);
  if (!reply.pixels) return false;
  const [left, top, right, bottom] = reply.region;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [right - left, bottom - top];
  canvas.getContext("2d").putImageData(coloured(reply.pixels, canvas.width, canvas.height), 0, 0);
  sides[side] = { key, size: size.join(), region: reply.region, canvas };
  draw();
  return true;
}

// Pixels of any number of channels as a canvas takes them.
function coloured(pixels, width, height) {
  const { channels } = state.image;
  const image = new ImageData(width, height);
  for (let p = 0, q = 0; p < pixels.length; p += channels) {
    for (let j = 0; j < 3; j++) image.data[q++] = pixels[p + (channels > 2 ? j : 0)];
    image.data[q++] = channels % 2 === 0 ? pixels[p + channels - 1] : 255;
  }
  return image;
}

function refresh() {
  if (!state.image) return;
  state.ready = false;
  draw();
  compute("left");
  compute("right");
}

function draw() {
  context.clearRect(0, 0, view.width, view.height);
  const at = Math.round(state.split * view.width);
  drawSide(sides.left, 0, at);
  drawSide(sides.right, at, view.width);
  $("line").style.left = `${state.split * 100}%`;
  $("zoom").textContent = `×${state.zoom}`;
}

function drawSide(side, from, to) {
  if (side?.size !== state.size.join() || to <= from) return;
  const { zoom, x, y, size } = state;
  context.save();
  context.beginPath();
  context.rect(from, 0, to - from, view.height);
  context.clip();
  if (state.image.channels % 2 === 0) drawSquares(x, y, size[0] * zoom, size[1] * zoom);
  context.imageSmoothingEnabled = false;
  const [left, top, right, bottom] = side.region;
  context.drawImage(side.canvas, x + left * zoom, y + top * zoom, (right - left) * zoom, (bottom - top) * zoom);
  context.restore();
}

function drawSquares(x, y, width, height) {
  const side = Math.round((SQUARES * view.width) / view.clientWidth) + (SQUARES % state.zoom === 0 ? 1 : 0);
  const style = getComputedStyle(view);
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.fillStyle = style.getPropertyValue("--paper");
  context.fillRect(x, y, width, height);
  context.fillStyle = style.getPropertyValue("--squares");
  for (let row = 0; row * side < view.height; row++) {
    for (let column = row % 2; column * side < view.width; column += 2) {
      context.fillRect(column * side, row * side, side, side);
    }
  }
  context.restore();
}
