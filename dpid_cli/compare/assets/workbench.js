"use strict";

// One's own image, downscaled in the page: box on the left of a line, the chosen method on the right.

const $ = (id) => document.getElementById(id);
const view = $("picture");
const context = view.getContext("2d");
const worker = dpidWorker();
const MOST_ZOOM = 64;
const SQUARES = 8; // side of the squares behind transparent pixels, in screen pixels of ratio 1
const THEMES = ["auto", "light", "dark"];
const DEFAULTS = {
  dpid: { alpha: 0, epsilon: 0, noise: 0, variant: "sym", guidance: "gaussian" },
  dpp: { alpha: 0, epsilon: Math.sqrt(1e-3), noise: 0, variant: "sym", guidance: "box" },
};
const PARAMETERS = ["alpha", "epsilon", "noise", "variant", "guidance"];

// zoom: screen pixels for one pixel of the output; x, y: where its corner lies, in screen pixels.
const state = { image: null, size: [0, 0], by: "scale", zoom: 1, x: 0, y: 0, split: 0.5, ready: false };
// What is shown on each side: a canvas of a region of the output, and the settings it was made with.
const sides = { left: null, right: null };
const answers = new Map();
let requests = 0;

worker.onmessage = ({ data }) => {
  answers.get(data.id)?.(data);
  answers.delete(data.id);
};

function ask(message) {
  requests += 1;
  worker.postMessage({ id: requests, ...message });
  return new Promise((resolve) => answers.set(requests, resolve));
}

function say(error) {
  $("error").textContent = error;
}

// Settings

function has(method) {
  return method in DEFAULTS;
}

function outputSize() {
  const { width, height } = state.image;
  if (state.by === "width") {
    const columns = Math.min(Math.max(1, Math.round(Number($("width").value)) || 1), width);
    return [columns, Math.max(1, Math.floor((2 * height * columns + width) / (2 * width)))];
  }
  const scale = Math.max(1, Number($("scale").value) || 1);
  return [width, height].map((side) => Math.max(1, Math.floor(side / scale + 0.5)));
}

// The method and its parameters, without those that have their default.
function settings() {
  const method = $("method").value;
  if (!has(method)) return { method };
  const lambda = Math.max(0, Number($("lambda-number").value) || 0);
  const chosen = { method, lambda };
  for (const name of PARAMETERS) {
    const text = $(name).value;
    const value = name === "variant" || name === "guidance" ? text : Math.max(0, Number(text) || 0);
    const isMissing = text === "" || (name === "epsilon" && method === "dpp" && value === 0);
    if (!isMissing && value !== DEFAULTS[method][name]) chosen[name] = name === "noise" ? Math.min(value, 1) : value;
  }
  return chosen;
}

// In single quotes if the shell would read more in it than a word.
function quoted(word) {
  const safe = word.startsWith("-") ? `./${word}` : word;
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `'${safe.replaceAll("'", "'\\''")}'`;
}

function stem() {
  const size = state.by === "scale" ? `x${Number($("scale").value)}` : state.size.join("x");
  return `${state.image.name.replace(/\.[^.]*$/, "")}_${$("method").value}_${size}`;
}

function command() {
  const { method, lambda, ...others } = settings();
  const size = state.by === "scale" ? ["-s", Number($("scale").value)] : ["--width", state.size[0]];
  const words = ["dpid", "downscale", quoted(state.image.name), ...size];
  if (method !== "dpid") words.push("-m", method);
  if (lambda !== undefined && lambda !== 1) words.push("--lambda", lambda);
  for (const [name, value] of Object.entries(others)) words.push(`--${name}`, value);
  return [...words, "-o", quoted(`${stem()}.png`)].join(" ");
}

function label() {
  const { method, lambda } = settings();
  return lambda === undefined ? [method, ""] : [method, `λ = ${lambda}`];
}

// Show what belongs to the settings, and ask for pixels.
function settingsChanged() {
  const method = $("method").value;
  $("strength").hidden = $("more").hidden = !has(method);
  if (has(method)) {
    $("epsilon").placeholder = DEFAULTS[method].epsilon.toPrecision(4).replace(/\.?0+$/, "");
    $("alpha").placeholder = $("noise").placeholder = "0";
  }
  if (!state.image) return;
  const before = state.size.join();
  state.size = outputSize();
  if (state.by === "scale") $("width").value = state.size[0];
  else $("scale").value = Number((state.image.width / state.size[0]).toPrecision(6));
  const [name, more] = label();
  $("of-method").replaceChildren(Object.assign(document.createElement("b"), { textContent: name }), ` ${more}`);
  $("command").textContent = command();
  const { width, height } = state.image;
  $("facts").textContent = `${width}×${height} → ${state.size.join("×")} pixels`;
  if (before !== state.size.join()) fit();
  refresh();
}

// Pixels

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
  const side = Math.round(SQUARES * (window.devicePixelRatio || 1)) + (SQUARES % state.zoom === 0 ? 1 : 0);
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

// The view

function fit() {
  const most = Math.floor(Math.min(view.width / state.size[0], view.height / state.size[1]));
  state.zoom = Math.min(Math.max(1, most), MOST_ZOOM);
  state.x = Math.round((view.width - state.size[0] * state.zoom) / 2);
  state.y = Math.round((view.height - state.size[1] * state.zoom) / 2);
}

// Keep the output in the view: centred where it is smaller.
function clamp() {
  for (const [axis, length, k] of [["x", view.width, 0], ["y", view.height, 1]]) {
    const room = length - state.size[k] * state.zoom;
    state[axis] = room > 0 ? Math.round(room / 2) : Math.min(0, Math.max(room, state[axis]));
  }
}

function move(right, down) {
  state.x += right;
  state.y += down;
  clamp();
  refresh();
}

function zoomBy(step, x = view.width / 2, y = view.height / 2) {
  const near = step > 0 ? Math.max(state.zoom + 1, Math.floor(state.zoom * 1.4)) : Math.ceil(state.zoom / 1.4) - 1;
  const zoom = Math.min(Math.max(1, near), MOST_ZOOM);
  state.x = Math.round(x - ((x - state.x) * zoom) / state.zoom);
  state.y = Math.round(y - ((y - state.y) * zoom) / state.zoom);
  state.zoom = zoom;
  clamp();
  refresh();
}

function setSplit(split) {
  state.split = Math.min(Math.max(0, split), 1);
  draw();
}

function fitCanvas() {
  const ratio = window.devicePixelRatio || 1;
  const [columns, rows] = [view.clientWidth, view.clientHeight].map((side) => Math.max(1, Math.round(side * ratio)));
  if (columns === view.width && rows === view.height) return;
  [view.width, view.height] = [columns, rows];
  if (!state.image) return;
  fit();
  refresh();
}

// Files

async function open(file) {
  say("");
  $("status").textContent = `Opening ${file.name}…`;
  const { image: number, error, note, ...facts } = await ask({ file });
  $("status").textContent = note ?? "";
  if (error) {
    say(error);
    return;
  }
  if (state.image) ask({ close: state.image.number });
  state.image = { number, name: file.name, ...facts };
  state.size = [0, 0];
  sides.left = sides.right = null;
  $("name").textContent = file.name;
  document.title = `${file.name} – dpid`;
  $("bench").classList.remove("empty");
  $("prompt").hidden = true;
  $("line").hidden = $("of-box").hidden = $("of-method").hidden = false;
  $("save").disabled = $("copy").disabled = $("width").disabled = false;
  $("width").max = facts.width;
  settingsChanged();
}

async function save() {
  const request = { image: state.image.number, size: state.size, ...settings() };
  const { png, error } = await ask({ ...request, png: true, lane: "save", later: true });
  if (!png) {
    if (error) say(error);
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(png);
  link.download = `${stem()}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

async function chooseAutomatic() {
  if (!state.image) return;
  const request = { ...settings(), lambda: "auto", image: state.image.number, size: state.size, region: [0, 0, 1, 1] };
  const { found, error } = await ask({ ...request, lane: "auto" });
  if (error) say(error);
  if (found) setLambda(found.lambda);
}

function setLambda(value) {
  $("lambda").value = $("lambda-number").value = value;
  settingsChanged();
}

async function copy() {
  const text = $("command").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const range = document.createRange();
    range.selectNodeContents($("command"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  }
  $("status").textContent = "Copied the command.";
}

// Hands

let held = null; // what a pointer drags

view.addEventListener("pointerdown", (event) => {
  const ratio = view.width / view.clientWidth;
  const near = Math.abs(event.offsetX - state.split * view.clientWidth) < 20;
  held = { line: near || event.pointerType === "touch", x: event.offsetX, y: event.offsetY, ratio };
  view.setPointerCapture(event.pointerId);
});

view.addEventListener("pointermove", (event) => {
  if (!held) return;
  if (held.line) setSplit(event.offsetX / view.clientWidth);
  else move(Math.round((event.offsetX - held.x) * held.ratio), Math.round((event.offsetY - held.y) * held.ratio));
  [held.x, held.y] = [event.offsetX, event.offsetY];
});

for (const name of ["pointerup", "pointercancel"]) view.addEventListener(name, () => (held = null));

view.addEventListener(
  "wheel",
  (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const ratio = view.width / view.clientWidth;
    zoomBy(-Math.sign(event.deltaY), event.offsetX * ratio, event.offsetY * ratio);
  },
  { passive: false },
);

view.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !state.image) return;
  const step = event.shiftKey ? 200 : 40;
  const keys = {
    ArrowLeft: () => move(step, 0),
    ArrowRight: () => move(-step, 0),
    ArrowUp: () => move(0, step),
    ArrowDown: () => move(0, -step),
    "+": () => zoomBy(1),
    "-": () => zoomBy(-1),
    0: () => (fit(), refresh()),
    "[": () => setSplit(state.split - 0.05),
    "]": () => setSplit(state.split + 0.05),
  };
  if (!(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  $("bench").classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("bench").classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("bench").classList.remove("dropping");
  const [file] = event.dataTransfer.files;
  if (file) open(file);
});

$("open").onclick = $("prompt").onclick = () => $("file").click();
$("file").onchange = () => {
  const [file] = $("file").files;
  if (file) open(file);
  $("file").value = "";
};
$("settings").onsubmit = (event) => event.preventDefault();
$("lambda").oninput = () => setLambda($("lambda").value);
$("lambda-number").oninput = () => {
  $("lambda").value = $("lambda-number").value;
  settingsChanged();
};
for (const name of ["scale", "width"]) {
  $(name).oninput = () => {
    if (!($(name).value >= 1)) return;
    state.by = name;
    settingsChanged();
  };
}
$("method").onchange = () => {
  const method = $("method").value;
  if (has(method)) $("guidance").value = DEFAULTS[method].guidance;
  settingsChanged();
};
for (const name of PARAMETERS) $(name).oninput = settingsChanged;
$("auto").onclick = chooseAutomatic;
$("save").onclick = save;
$("copy").onclick = copy;
$("in").onclick = () => zoomBy(1);
$("out").onclick = () => zoomBy(-1);
$("fit").onclick = () => {
  fit();
  refresh();
};
$("theme").onclick = () => {
  const root = document.documentElement;
  root.dataset.theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  $("theme").setAttribute("aria-label", `Theme: ${root.dataset.theme === "auto" ? "system" : root.dataset.theme}`);
  draw();
};

new ResizeObserver(fitCanvas).observe(view);
$("bench").classList.add("empty");
fitCanvas();
settingsChanged();
