"use strict";

// Mouse, pen and fingers: drag, pinch and wheel. One finger that moves up or down scrolls the page.

const Hands = (() => {
  const NOTCH = 240; // of ctrl and wheel, in pixels, that doubles the zoom
  const SLOP = 6; // pixels of the page that a finger moves before it drags
  const pointers = new Map();
  let [drag, pinch, wheel, idle] = [null, null, null, 0];

  function placeOf(event) {
    const box = View.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * View.canvas.width) / box.width, ((event.clientY - box.top) * View.canvas.height) / box.height];
  }

  // In the second pane, the same point of the first.
  function inPane([x, y]) {
    const { canvas } = View;
    return View.state.mode === "beside" && x >= View.paneWidth() ? [x - (canvas.width - View.paneWidth()), y] : [x, y];
  }

  function spread() {
    const [one, other] = [...pointers.values()];
    const middle = [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
    return { middle: inPane(middle), distance: Math.max(1, Math.hypot(one[0] - other[0], one[1] - other[1])) };
  }

  function onDown(event) {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    View.canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, placeOf(event));
    if (pointers.size === 1) drag = { at: placeOf(event), isTouch: event.pointerType === "touch" };
    if (pointers.size === 2) {
      const { middle, distance } = spread();
      pinch = { point: View.pointAt(...middle), distance, zoom: View.state.zoom };
    }
  }

  function onMove(event) {
    if (!pointers.has(event.pointerId)) return;
    const at = placeOf(event);
    pointers.set(event.pointerId, at);
    if (pointers.size === 2) onPinch();
    else if (pointers.size === 1 && drag) onDrag(at);
  }

  // A finger that moves up or down first is about to scroll the page.
  function onDrag(at) {
    const [right, down] = [0, 1].map((axis) => Math.round(at[axis]) - Math.round(drag.at[axis]));
    if (drag.isTouch && Math.abs(right) < Math.max(SLOP * Base.ratio(), Math.abs(down))) return;
    drag = { at, isTouch: false };
    View.move(right, down);
  }

  // What was between the fingers stays there, while they part and while they move together.
  function onPinch() {
    const { middle, distance } = spread();
    View.hold(pinch.point, ...middle, (pinch.zoom * distance) / pinch.distance);
  }

  function onUp(event) {
    pointers.delete(event.pointerId);
    pinch = null;
    drag = pointers.size === 1 ? { at: [...pointers.values()][0], isTouch: false } : null;
  }

  // As far as the wheel turns, or two fingers part on a touch pad.
  function onWheel(event) {
    if (!event.ctrlKey) return; // the page scrolls
    event.preventDefault();
    const unit = [1, 24, 480][event.deltaMode];
    wheel ??= View.state.zoom;
    wheel = Base.clamp(wheel * 2 ** ((-event.deltaY * unit) / NOTCH), 1 / 64, 64);
    View.zoomTo(wheel, ...inPane(placeOf(event)));
    clearTimeout(idle);
    idle = setTimeout(() => (wheel = null), 400);
  }

  function onDivider(event) {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    const divider = $("divider");
    divider.setPointerCapture(event.pointerId);
    const follow = (moved) => View.setSplit(placeOf(moved)[0] / View.canvas.width);
    const end = () => divider.removeEventListener("pointermove", follow);
    divider.addEventListener("pointermove", follow);
    for (const name of ["pointerup", "pointercancel"]) divider.addEventListener(name, end, { once: true });
  }

  function listen() {
    const { canvas } = View;
    canvas.addEventListener("pointerdown", onDown);
    canvas.addEventListener("pointermove", onMove);
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, onUp);
    // Two fingers belong to the image, even where one scrolls the page.
    canvas.addEventListener("touchmove", (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
    for (const name of ["pointermove", "pointerdown"]) $("stage").addEventListener(name, (event) => Readout.show(View.pixelAt(...placeOf(event))));
    $("stage").addEventListener("wheel", onWheel, { passive: false });
    canvas.addEventListener("dblclick", (event) => View.zoomTo(2 * View.state.zoom, ...inPane(placeOf(event))));
    $("divider").addEventListener("pointerdown", onDivider);
  }

  return { listen };
})();
