"use strict";

// Each output is stored as its difference from the one before, modulo 256.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const view = $("view");
const context = view.getContext("2d");
const [width, height] = data.size;
const MOST_ZOOM = 64;

// zoom: screen pixels for one pixel of an output; x, y: position of its corner; all in whole screen pixels.
const state = { left: 0, right: 0, mode: "swipe", split: 0.5, blinking: true, second: false, zoom: 1, x: 0, y: 0 };
let layers = [];
let timer = 0;

async function decoded(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}

function canvasOf(columns, rows) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  return [canvas, canvas.getContext("2d", { willReadFrequently: true })];
}

async function bytesOf(source) {
  const [, pixels] = canvasOf(width, height);
  pixels.drawImage(await decoded(source), 0, 0);
  return pixels.getImageData(0, 0, width, height);
}

// All outputs as canvases: add colours, and alpha if there is any, to those of the output before.
async function unpack() {
  const colours = new Uint8Array(4 * width * height);
  const unpacked = [];
  for (const layer of data.layers) {
    const shown = await bytesOf(layer.colours);
    const alpha = layer.alpha && (await bytesOf(layer.alpha));
    for (let i = 0; i < colours.length; i++) {
      const added = i % 4 < 3 ? shown.data[i] : alpha ? alpha.data[i - 3] : 0;
      colours[i] += added;
      shown.data[i] = i % 4 < 3 || alpha ? colours[i] : 255;
    }
    const [canvas, pixels] = canvasOf(width, height);
    pixels.putImageData(shown, 0, 0);
    unpacked.push({ ...layer, image: canvas, exact: true });
  }
  unpacked.push({ ...data.input, image: await decoded(data.input.colours), exact: false });
  return unpacked;
}

// The view

function fitCanvas(entry) {
  const box = entry?.devicePixelContentBoxSize?.[0];
  const ratio = window.devicePixelRatio || 1;
  const columns = box ? box.inlineSize : Math.round(view.clientWidth * ratio);
  const rows = box ? box.blockSize : Math.round(view.clientHeight * ratio);
  if (columns === view.width && rows === view.height) return;
  const [right, down] = [columns - view.width, rows - view.height];
  view.width = Math.max(1, columns);
  view.height = Math.max(1, rows);
  move(Math.round(right / 2), Math.round(down / 2));
}

function paneWidth() {
  return state.mode === "beside" ? view.width >> 1 : view.width;
}

// Draw the part of a layer that lies between two columns of the view.
function drawLayer(layer, from, to, offset) {
  if (to <= from) return;
  const { zoom } = state;
  const [x, y] = [state.x + offset, state.y];
  context.save();
  context.beginPath();
  context.rect(from, 0, to - from, view.height);
  context.clip();
  if (layer.alpha) drawSquares(x, y);
  context.imageSmoothingEnabled = !layer.exact;
  context.imageSmoothingQuality = "high";
  if (layer.exact) {
    const first = Math.max(0, Math.floor((from - x) / zoom));
    const upper = Math.max(0, Math.floor(-y / zoom));
    const columns = Math.min(width, Math.ceil((to - x) / zoom)) - first;
    const rows = Math.min(height, Math.ceil((view.height - y) / zoom)) - upper;
    if (columns > 0 && rows > 0) {
      context.drawImage(layer.image, first, upper, columns, rows, x + first * zoom, y + upper * zoom, columns * zoom, rows * zoom);
    }
  } else {
    context.drawImage(layer.image, x, y, width * zoom, height * zoom);
  }
  context.restore();
}

function drawSquares(x, y) {
  const side = 16;
  context.save();
  context.beginPath();
  context.rect(x, y, width * state.zoom, height * state.zoom);
  context.clip();
  context.fillStyle = getComputedStyle(view).getPropertyValue("--squares");
  for (let row = 0; row * side < view.height; row++) {
    for (let column = row % 2; column * side < view.width; column += 2) context.fillRect(column * side, row * side, side, side);
  }
  context.restore();
}

function draw() {
  const [left, right] = [layers[state.left], layers[state.right]];
  const blinked = state.mode === "blink";
  context.clearRect(0, 0, view.width, view.height);
  if (blinked) {
    drawLayer(state.second ? right : left, 0, view.width, 0);
  } else if (state.mode === "beside") {
    drawLayer(left, 0, paneWidth(), 0);
    drawLayer(right, view.width - paneWidth(), view.width, view.width - paneWidth());
    drawLine(paneWidth());
  } else {
    const at = Math.round(state.split * view.width);
    drawLayer(left, 0, at, 0);
    drawLayer(right, at, view.width, 0);
    drawLine(at);
  }
  $("left-tag").hidden = blinked && state.second;
  $("right-tag").hidden = blinked && !state.second;
}

function drawLine(at) {
  if (at <= 0 || at >= view.width) return; // only one image is visible
  context.fillStyle = "#000";
  context.fillRect(at - 2, 0, 4, view.height);
  context.fillStyle = "#fff";
  context.fillRect(at - 1, 0, 2, view.height);
}

// Some of the image always stays visible.
function move(right, down) {
  const seen = (at, length, room) => Math.min(Math.max(at, Math.min(40, length) - length), room - Math.min(40, room, length));
  state.x = seen(state.x + right, width * state.zoom, paneWidth());
  state.y = seen(state.y + down, height * state.zoom, view.height);
  draw();
}

// The pixel under (x, y) stays there.
function zoomTo(zoom, x = paneWidth() / 2, y = view.height / 2) {
  const next = Math.min(MOST_ZOOM, Math.max(1, Math.round(zoom)));
  const before = state.zoom;
  state.x = Math.round(x - ((x - state.x) * next) / before);
  state.y = Math.round(y - ((y - state.y) * next) / before);
  state.zoom = next;
  move(0, 0);
  $("zoom").textContent = `${next}×`;
  describe();
}

function centre(x, y, zoom) {
  state.zoom = Math.min(MOST_ZOOM, Math.max(1, zoom));
  state.x = Math.round(paneWidth() / 2 - x * state.zoom);
  state.y = Math.round(view.height / 2 - y * state.zoom);
  zoomTo(state.zoom);
}

function fit() {
  centre(width / 2, height / 2, Math.floor(Math.min(paneWidth() / width, view.height / height)));
}

function goTo([left, top, right, bottom]) {
  centre((left + right) / 2, (top + bottom) / 2, Math.floor(0.8 * Math.min(paneWidth() / (right - left), view.height / (bottom - top))));
}

// Choices

function describe() {
  const [left, right] = [layers[state.left].label, layers[state.right].label];
  const how = { swipe: "with a divider", blink: "alternating", beside: "side by side" }[state.mode];
  const text = `${left} and ${right}, ${how}, enlarged ${state.zoom} times`;
  view.setAttribute("aria-label", `${text}. ${data.name}`);
  $("status").textContent = text;
}

function choose(side, index) {
  state[side] = index;
  $(side).value = index;
  $(`${side}-tag`).textContent = layers[index].label;
  showSweep();
  describe();
  draw();
}

function swap() {
  const { left, right } = state;
  choose("left", right);
  choose("right", left);
}

function setMode(mode) {
  const whole = state.zoom * width <= paneWidth();
  state.mode = mode;
  state.second = false;
  document.querySelector(`input[name=mode][value=${mode}]`).checked = true;
  $("swipe-controls").hidden = mode !== "swipe";
  $("blink-controls").hidden = mode !== "blink";
  setBlinking(mode === "blink" && !matchMedia("(prefers-reduced-motion: reduce)").matches);
  if (whole && state.zoom * width > paneWidth()) fit();
  move(0, 0);
  describe();
}

function setBlinking(on) {
  clearInterval(timer);
  state.blinking = on;
  if (on) timer = setInterval(showOther, 700);
  $("blink").textContent = on ? "Pause" : "Resume";
  $("blink").setAttribute("aria-pressed", String(on));
}

function showOther() {
  state.second = !state.second;
  draw();
}

function setSplit(part) {
  state.split = Math.min(1, Math.max(0, part));
  $("split").value = Math.round(100 * state.split);
  $("split").setAttribute("aria-valuetext", `${Math.round(100 * state.split)} % left`);
  draw();
}

// Sweeps: sliders choose the variant on the right.

function family() {
  const right = layers[state.right];
  if (Object.keys(right.swept ?? {}).length) return right.family;
  return layers.find((layer) => Object.keys(layer.swept ?? {}).length)?.family;
}

function slide() {
  const wanted = Object.fromEntries([...$("sweeps").querySelectorAll("input")].map((input) => [input.name, data.sweeps[input.name].values[input.value]]));
  const index = layers.findIndex((layer) => layer.family === family() && layer.swept && Object.keys(layer.swept).length && Object.entries(layer.swept).every(([name, value]) => wanted[name] === value));
  if (index >= 0) choose("right", index);
}

function showSweep() {
  for (const input of $("sweeps").querySelectorAll("input")) {
    const { values, symbol } = data.sweeps[input.name];
    const value = layers[state.right].swept?.[input.name];
    if (value !== undefined) input.value = values.indexOf(value);
    const text = `${symbol} = ${values[input.value]}`;
    input.setAttribute("aria-valuetext", value === undefined ? `${text}, not shown` : text);
    $(`sweep-${input.name}-value`).textContent = value === undefined ? "–" : text;
  }
}

function step(by) {
  const input = $("sweeps").querySelector("input");
  if (!input) return;
  input.value = Number(input.value) + by;
  slide();
}

function addSweeps() {
  for (const [name, { symbol, values }] of Object.entries(data.sweeps)) {
    const group = document.createElement("div");
    group.className = "group";
    const label = document.createElement("label");
    label.htmlFor = `sweep-${name}`;
    label.textContent = `${symbol} on the right`;
    const input = document.createElement("input");
    Object.assign(input, { type: "range", id: label.htmlFor, name, min: 0, max: values.length - 1, step: 1, value: 0 });
    input.addEventListener("input", slide);
    const output = document.createElement("output");
    output.id = `sweep-${name}-value`;
    output.htmlFor = input.id;
    group.append(label, " ", input, " ", output);
    $("sweeps").append(group);
  }
}

function addChoices() {
  for (const side of ["left", "right"]) {
    layers.forEach((layer, index) => $(side).add(new Option(layer.label, index)));
    $(side).addEventListener("change", () => choose(side, Number($(side).value)));
  }
  $("regions").hidden = !data.regions.length;
  data.regions.forEach((region, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = String.fromCharCode(65 + index);
    button.setAttribute("aria-label", `Go to region ${button.textContent}`);
    button.addEventListener("click", () => goTo(region));
    $("regions").append(button);
  });
}

// Mouse and keyboard

const KEYS = {
  ArrowLeft: (far) => move(far, 0),
  ArrowRight: (far) => move(-far, 0),
  ArrowUp: (far) => move(0, far),
  ArrowDown: (far) => move(0, -far),
  "+": () => zoomTo(state.zoom + 1),
  "=": () => zoomTo(state.zoom + 1),
  "-": () => zoomTo(state.zoom - 1),
  0: fit,
  "[": () => setSplit(state.split - 0.05),
  "]": () => setSplit(state.split + 0.05),
  ",": () => step(-1),
  ".": () => step(1),
  " ": () => state.mode === "blink" && setBlinking(!state.blinking),
  b: () => state.mode === "blink" && showOther(),
  x: swap,
};

function onKey(event) {
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act((event.shiftKey ? 10 : 1) * Math.max(state.zoom, 10));
}

function placeOf(event) {
  const box = view.getBoundingClientRect();
  return [((event.clientX - box.left) * view.width) / box.width, ((event.clientY - box.top) * view.height) / box.height];
}

function onPress(event) {
  if (event.button !== 0) return;
  view.setPointerCapture(event.pointerId);
  let [x, y] = placeOf(event);
  const swiping = state.mode === "swipe" && Math.abs(x - state.split * view.width) < 16 * (window.devicePixelRatio || 1);
  const drag = (moved) => {
    const [nextX, nextY] = placeOf(moved).map(Math.round);
    if (swiping) return setSplit(nextX / view.width);
    move(nextX - Math.round(x), nextY - Math.round(y));
    [x, y] = [nextX, nextY];
  };
  view.addEventListener("pointermove", drag);
  const end = () => view.removeEventListener("pointermove", drag);
  view.addEventListener("pointerup", end, { once: true });
  view.addEventListener("pointercancel", end, { once: true });
}

function onWheel(event) {
  if (!event.ctrlKey) return; // the page scrolls
  event.preventDefault();
  let [x, y] = placeOf(event);
  if (state.mode === "beside" && x >= paneWidth()) x -= view.width - paneWidth();
  zoomTo(state.zoom + (event.deltaY < 0 ? 1 : -1), x, y);
}

const THEMES = { auto: "system", light: "light", dark: "dark" };

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme-name").textContent = THEMES[theme];
  $("theme").setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
  draw();
}

function nextTheme() {
  const order = Object.keys(THEMES);
  setTheme(order[(order.indexOf(document.documentElement.dataset.theme) + 1) % order.length]);
}

function listen() {
  view.addEventListener("keydown", onKey);
  view.addEventListener("pointerdown", onPress);
  view.addEventListener("wheel", onWheel, { passive: false });
  view.addEventListener("dblclick", (event) => zoomTo(2 * state.zoom, ...placeOf(event)));
  for (const input of document.querySelectorAll("input[name=mode]")) input.addEventListener("change", () => setMode(input.value));
  $("split").addEventListener("input", () => setSplit($("split").value / 100));
  $("swap").addEventListener("click", swap);
  $("blink").addEventListener("click", () => setBlinking(!state.blinking));
  $("other").addEventListener("click", showOther);
  $("in").addEventListener("click", () => zoomTo(state.zoom + 1));
  $("out").addEventListener("click", () => zoomTo(state.zoom - 1));
  $("fit").addEventListener("click", fit);
  $("theme").addEventListener("click", nextTheme);
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  const observer = new ResizeObserver(([entry]) => fitCanvas(entry));
  try {
    observer.observe(view, { box: "device-pixel-content-box" });
  } catch {
    observer.observe(view); // this browser reports rounded sizes only
  }
}

async function start() {
  layers = await unpack();
  addChoices();
  addSweeps();
  fitCanvas();
  setTheme(document.documentElement.dataset.theme);
  choose("left", layers.length - 1);
  choose("right", 0);
  setSplit(0.5);
  fit();
  listen();
  document.documentElement.dataset.ready = "";
}

start().catch((error) => {
  $("status").textContent = `Cannot show the images: ${error.message}`;
  throw error;
});
