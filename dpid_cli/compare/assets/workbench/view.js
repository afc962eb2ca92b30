"use strict";

// The view: where the output lies, and how large its pixels are.

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

function fitCanvas(columns, rows) {
  if (columns === view.width && rows === view.height) return;
  [view.width, view.height] = [Math.max(1, columns), Math.max(1, rows)];
  if (!state.image) return;
  fit();
  refresh();
}
