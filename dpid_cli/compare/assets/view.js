"use strict";

// What is shown and where: zoom and position, all in whole screen pixels, and every change to them.

const View = (() => {
  const MOST_ZOOM = 64;
  const PLACE_ZOOM = 10; // of places, in pixels of the page: larger pixels are hard to recognise anything in
  const canvas = $("view");
  // zoom: screen pixels for a pixel of the output, a whole number or 1 divided by one; x, y: its corner.
  const state = { left: 0, right: 0, mode: "swipe", split: 0.5, second: false, zoom: 1, x: 0, y: 0, place: 0 };
  const listeners = [];
  let [centred, arrived] = [{}, {}];

  const onChange = (listener) => listeners.push(listener);

  // Of what kind a change is: "look" changes which images and how, "move" only what part of them.
  function changed(kind) {
    Stage.draw();
    for (const listener of listeners) listener(kind);
  }

  function paneWidth() {
    return state.mode === "beside" ? canvas.width >> 1 : canvas.width;
  }

  function snapped(zoom) {
    if (zoom >= 1) return Math.min(MOST_ZOOM, Math.round(zoom));
    return 1 / Base.clamp(Math.round(1 / zoom), 1, MOST_ZOOM);
  }

  // The largest zoom that is not above this one.
  function below(zoom) {
    if (zoom >= 1) return Math.min(MOST_ZOOM, Math.floor(zoom));
    return 1 / Math.min(MOST_ZOOM, Math.ceil(1 / zoom - 1e-9));
  }

  function next(by) {
    const { zoom } = state;
    if (by > 0) return zoom >= 1 ? zoom + 1 : 1 / (Math.round(1 / zoom) - 1);
    return zoom > 1 ? zoom - 1 : 1 / (Math.round(1 / zoom) + 1);
  }

  // Some of the image always stays visible.
  function kept(at, length, room) {
    const least = Math.min(40, length, room);
    return Math.round(Base.clamp(at, least - length, room - least));
  }

  function move(right, down) {
    state.x = kept(state.x + right, Layers.width * state.zoom, paneWidth());
    state.y = kept(state.y + down, Layers.height * state.zoom, canvas.height);
    changed("move");
  }

  // The point at a position on the canvas, in pixels of the output.
  function pointAt(x, y) {
    return [(x - state.x) / state.zoom, (y - state.y) / state.zoom];
  }

  // Bring a point, in pixels of the output, to a position on the canvas.
  function hold([column, row], x, y, zoom) {
    state.zoom = snapped(zoom);
    state.x = Math.round(x - column * state.zoom);
    state.y = Math.round(y - row * state.zoom);
    move(0, 0);
  }

  // The point at (x, y) stays there.
  function zoomTo(zoom, x = paneWidth() / 2, y = canvas.height / 2) {
    hold(pointAt(x, y), x, y, zoom);
  }

  function centre(column, row, zoom = state.zoom) {
    hold([column, row], paneWidth() / 2, canvas.height / 2, zoom);
    centred = { point: [column, row], x: state.x, y: state.y, zoom: state.zoom };
  }

  // What lies in the middle, in pixels of the output: what was centred last, without rounding, if nothing moved since.
  function middle() {
    const isThere = ["x", "y", "zoom"].every((name) => centred[name] === state[name]);
    return isThere ? centred.point : pointAt(paneWidth() / 2, canvas.height / 2);
  }

  function fit() {
    centre(Layers.width / 2, Layers.height / 2, below(Math.min(paneWidth() / Layers.width, canvas.height / Layers.height)));
  }

  // A zoom at which a region fits into the view.
  function zoomFor([left, top, right, bottom]) {
    const fitting = Math.min((0.96 * paneWidth()) / (right - left), (0.96 * canvas.height) / (bottom - top));
    return evenly(below(Math.min(fitting, PLACE_ZOOM * Base.ratio())));
  }

  // A zoom, or one not far below it at which the input's pixels are whole, too.
  function evenly(zoom) {
    const scale = Layers.sourceWidth / Layers.width;
    const even = zoom - (zoom % scale);
    return Number.isInteger(scale) && even >= 0.75 * zoom ? even : zoom;
  }

  // Where an image lies best: without a gap if it is larger than the view, else in the middle.
  function filling(at, length, room) {
    return length > room ? Base.clamp(at, room - length, 0) : Math.round((room - length) / 2);
  }

  // Show a region, as near to the middle as the image has room, with the divider on it or not far from it.
  function goTo(region, wanted = zoomFor(region)) {
    const [column, row] = [(region[0] + region[2]) / 2, (region[1] + region[3]) / 2];
    const zoom = snapped(wanted);
    state.zoom = zoom;
    state.x = filling(Math.round(paneWidth() / 2 - column * zoom), Layers.width * zoom, paneWidth());
    state.y = filling(Math.round(canvas.height / 2 - row * zoom), Layers.height * zoom, canvas.height);
    state.split = Base.clamp((state.x + column * zoom) / paneWidth(), 0.3, 0.7);
    move(0, 0);
    arrived = { ...state };
  }

  // Whether some of what `goTo` set is still so.
  const isAtPlace = (...names) => names.every((name) => arrived[name] === state[name]);

  // The pixels of the output that are visible, as left, top, right, bottom.
  function visible() {
    const { x, y, zoom } = state;
    const within = (at, most) => Base.clamp(at, 0, most);
    return [
      within(Math.floor(-x / zoom), Layers.width),
      within(Math.floor(-y / zoom), Layers.height),
      within(Math.ceil((paneWidth() - x) / zoom), Layers.width),
      within(Math.ceil((canvas.height - y) / zoom), Layers.height),
    ];
  }

  // The pixel of the output at a position on the canvas; null outside of it.
  function pixelAt(x, y) {
    if (state.mode === "beside" && x >= paneWidth()) x -= canvas.width - paneWidth();
    const [column, row] = pointAt(x, y).map(Math.floor);
    return column >= 0 && row >= 0 && column < Layers.width && row < Layers.height ? [column, row] : null;
  }

  function choose(side, index) {
    if (!Layers.all[index] || !Scale.has(Layers.all[index])) return;
    state[side] = index;
    changed("look");
  }

  function swap() {
    [state.left, state.right] = [state.right, state.left];
    changed("look");
  }

  function setMode(mode) {
    const whole = state.zoom * Layers.width <= paneWidth();
    const [x, y] = middle();
    Object.assign(state, { mode, second: false });
    if (whole && state.zoom * Layers.width > paneWidth()) fit();
    else centre(x, y);
    changed("look");
  }

  function setSplit(part) {
    state.split = Base.clamp(part, 0, 1);
    changed("move");
  }

  function resize(columns, rows) {
    if (columns === canvas.width && rows === canvas.height) return;
    const [x, y] = middle();
    canvas.width = Math.max(1, columns);
    canvas.height = Math.max(1, rows);
    $("stage").style.setProperty("--aspect", `${canvas.width} / ${canvas.height}`); // on paper, too
    centre(x, y);
  }

  return {
    PLACE_ZOOM, canvas, centre, changed, choose, evenly, fit, goTo, hold, isAtPlace, middle, move, next, onChange, paneWidth, pixelAt, pointAt, resize, setMode,
    setSplit, state,
    swap, visible, zoomTo,
  };
})();
