"use strict";

// The large view: two images divided by a line, in turn, side by side, or their difference.

const Stage = (() => {
  const canvas = $("view");
  const context = canvas.getContext("2d");

  // Paint an image between two columns of the view.
  function pane(layer, from, to, offset = 0) {
    const { x, y, zoom } = View.state;
    const image = layer && layer.difference ? layer : Layers.all[layer];
    if (!image) return;
    const at = { x: x + offset, y, zoom };
    if (image.difference) image.paint(context, at, [from, 0, to, canvas.height]);
    else Paint.layer(context, image, at, [from, 0, to, canvas.height]);
  }

  function draw() {
    const { left, right, mode, second, split } = View.state;
    if ($("ground").value === "auto") context.clearRect(0, 0, canvas.width, canvas.height);
    else Paint.ground(context, [0, 0, canvas.width, canvas.height], View.state.zoom);
    if (mode === "blink") {
      pane(second ? right : left, 0, canvas.width);
    } else if (mode === "difference") {
      pane(Difference.layer(), 0, canvas.width);
    } else if (mode === "beside") {
      const half = View.paneWidth();
      pane(left, 0, half);
      pane(right, canvas.width - half, canvas.width, canvas.width - half);
      line(half);
    } else {
      const at = Math.round(split * canvas.width);
      pane(left, 0, at);
      pane(right, at, canvas.width);
    }
    label();
  }

  function line(at) {
    context.fillStyle = "#000";
    context.fillRect(at - 2, 0, 4, canvas.height);
    context.fillStyle = "#fff";
    context.fillRect(at - 1, 0, 2, canvas.height);
  }

  function titleOf(layer) {
    const { isInput, label, note, pixels, preview } = layer;
    if (!(pixels || preview)) return `${label} (loading)`;
    const more = isInput && !pixels ? " (preview outside of the places)" : note ? `, ${note}` : "";
    return `${Scale.label(layer)}${more}`;
  }

  function tag(side, number) {
    const layer = Layers.all[View.state[side]];
    return layer ? [Base.element("b", { textContent: number }), ` ${titleOf(layer)}`] : [];
  }

  function label() {
    const { mode, second, zoom } = View.state;
    $("left-tag").hidden = mode === "difference" || (mode === "blink" && second);
    $("right-tag").hidden = mode === "blink" && !second;
    // While they blink, both tags have one place.
    $("stage").dataset.mode = mode;
    $("left-tag").replaceChildren(...tag("left", "1"));
    $("right-tag").replaceChildren(...(mode === "difference" ? [Difference.title()] : tag("right", "2")));
    $("zoom-tag").hidden = zoom >= 1;
    $("zoom-tag").textContent = zoom < 1 ? `reduced ${Math.round(1 / zoom)}×: means of pixels` : "";
    const divider = $("divider");
    divider.hidden = mode !== "swipe";
    divider.style.left = `${100 * View.state.split}%`;
  }

  return { draw, titleOf };
})();
