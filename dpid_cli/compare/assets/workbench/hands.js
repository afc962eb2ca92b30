"use strict";

// Hands: pointers, keys, buttons and fields. The last part, which starts the page.

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

onScreenPixels(view, fitCanvas);
$("bench").classList.add("empty");
settingsChanged();
