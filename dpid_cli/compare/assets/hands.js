"use strict";

// Mouse, pen and fingers: drag, pinch and wheel. One finger that moves up or down scrolls the page.

const Hands = (() => {
  const NOTCH = 240; // of ctrl and wheel, in pixels, that doubles the zoom
  const SLOP = 6; // pixels of the page that a finger moves before it drags
  const pointers = new Map();
  let [act, wheel, idle] = [null, null, 0]; // what a movement does

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
    const isDivider = $("divider").contains(event.target);
    if ((event.target !== View.canvas && !isDivider) || (event.pointerType === "mouse" && event.button !== 0)) return;
    (isDivider ? $("divider") : View.canvas).setPointerCapture(event.pointerId);
    const at = placeOf(event);
    pointers.set(event.pointerId, at);
    if (pointers.size === 1) act = isDivider ? follow : dragFrom(at, event.pointerType === "touch");
    if (pointers.size === 2) act = pinchFrom(spread());
  }

  function onMove(event) {
    if (!pointers.has(event.pointerId)) return;
    pointers.set(event.pointerId, placeOf(event));
    if (pointers.size <= 2) act?.(placeOf(event));
  }

  function onUp(event) {
    if (!pointers.delete(event.pointerId)) return;
    act = pointers.size === 1 ? dragFrom([...pointers.values()][0], false) : null;
  }

  const follow = ([x]) => View.setSplit(x / View.canvas.width);

  // A finger that moves up or down first is about to scroll the page.
  function dragFrom(before, isTouch) {
    return (at) => {
      const [right, down] = [0, 1].map((axis) => Math.round(at[axis]) - Math.round(before[axis]));
      if (isTouch && Math.abs(right) < Math.max(SLOP * Base.ratio(), Math.abs(down))) return;
      isTouch = false;
      before = at;
      View.move(right, down);
    };
  }

  // What was between the fingers stays there, while they part and while they move together.
  function pinchFrom({ middle, distance }) {
    const [point, zoom] = [View.pointAt(...middle), View.state.zoom];
    return () => {
      const now = spread();
      View.hold(point, ...now.middle, (zoom * now.distance) / distance);
    };
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

  function listen() {
    const stage = $("stage");
    stage.addEventListener("pointerdown", onDown);
    stage.addEventListener("pointermove", onMove);
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, onUp);
    // Two fingers belong to the image, even where one scrolls the page.
    stage.addEventListener("touchmove", (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
    for (const name of ["pointermove", "pointerdown"]) stage.addEventListener(name, (event) => Readout.show(View.pixelAt(...placeOf(event))));
    stage.addEventListener("wheel", onWheel, { passive: false });
    View.canvas.addEventListener("dblclick", (event) => View.zoomTo(2 * View.state.zoom, ...inPane(placeOf(event))));
  }

  return { listen };
})();
