"use strict";

// Mouse, pen and fingers: drag, pinch and wheel. One finger that moves up or down scrolls the page.

const Hands = (() => {
  const NOTCH = 240; // of ctrl and wheel, in pixels, that doubles the zoom
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
    if (pointers.size === 1) drag = placeOf(event);
    if (pointers.size === 2) pinch = { ...spread(), zoom: View.state.zoom };
  }

  function onMove(event) {
    const at = placeOf(event);
    Readout.show(View.pixelAt(...at));
    if (!pointers.has(event.pointerId)) return;
    pointers.set(event.pointerId, at);
    if (pointers.size === 2) onPinch();
    else if (pointers.size === 1 && drag) {
      View.move(Math.round(at[0]) - Math.round(drag[0]), Math.round(at[1]) - Math.round(drag[1]));
      drag = at;
    }
  }

  // What was between the fingers stays there, while they part and while they move together.
  function onPinch() {
    const { middle, distance } = spread();
    View.move(Math.round(middle[0]) - Math.round(pinch.middle[0]), Math.round(middle[1]) - Math.round(pinch.middle[1]));
    pinch.middle = middle;
    View.zoomTo((pinch.zoom * distance) / pinch.distance, ...middle);
  }

  function onUp(event) {
    pointers.delete(event.pointerId);
    pinch = null;
    drag = pointers.size === 1 ? [...pointers.values()][0] : null;
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
    $("stage").addEventListener("wheel", onWheel, { passive: false });
    canvas.addEventListener("dblclick", (event) => View.zoomTo(2 * View.state.zoom, ...inPane(placeOf(event))));
    $("divider").addEventListener("pointerdown", onDivider);
  }

  return { listen };
})();
