"use strict";

// Another scale: all outputs that the page can compute are computed anew, in their new size.

const Scale = (() => {
  const METHODS = ["dpid", "dpp", "box", "max", "min", "extremum"];
  const [STEPS, MOST] = [1000, 64]; // of the slider, and the largest scale that it reaches
  const own = ratio(data.size);
  let wanted = data.size;
  let changing = null;
  let kept = {}; // how wide the image is on the screen, until someone zooms

  function ratio(size) {
    return Layers.sourceWidth / size[0];
  }

  const size = () => [Layers.width, Layers.height];
  const equal = (one, other) => one[0] === other[0] && one[1] === other[1];
  const isOwn = () => equal(size(), data.size);
  const text = () => brief(size());

  // What the address says of the scale.
  const address = () => (isOwn() ? {} : { scale: text() });

  // The shortest number that leads to a size.
  function brief(size) {
    const digits = [1, 2, 3, 4, 5].find((digits) => equal(sizeAt(Number(ratio(size).toPrecision(digits))), size));
    return String(Number(ratio(size).toPrecision(digits ?? 6)));
  }

  // As dpid_cli/downscaling/sizes.py rounds.
  function sizeAt(scale) {
    return [Layers.sourceWidth, Layers.sourceHeight].map((side) => Math.max(1, Math.floor(side / scale + 1e-9 + 0.5)));
  }

  // Whether the page can compute this output; what "auto" stands for is known at one scale only.
  function isComputable({ method, parameters, key }) {
    if (!METHODS.includes(method) || key.includes("=auto")) return false;
    const { guidance, normalize = "none" } = parameters;
    return guidance === undefined || (data.choices.guidance.includes(guidance) && normalize === "none");
  }

  // Whether an image can be shown at the scale of now.
  const has = (layer) => isOwn() || layer.isInput || (Boolean(layer.method) && isComputable(layer));

  const label = (layer) => (isOwn() || layer.isInput ? layer.label : `${layer.label}, ${text()}× smaller`);

  // What both sides are to show there: box in place of what cannot be computed.
  function shown(next) {
    return ["left", "right"].map((side) => {
      const layer = Layers.all[View.state[side]];
      return layer.isInput || isComputable(layer) || (equal(next, data.size) && !layer.isLive) ? layer : Layers.box();
    });
  }

  async function change() {
    while (!equal(wanted, size())) {
      const next = wanted;
      const pair = shown(next);
      const outputs = [...new Set(pair)].filter(isComputable);
      const pixels = await Promise.all(outputs.map((layer) => Live.computed(layer, next)));
      if (!equal(next, wanted)) continue; // moved on meanwhile
      if (pixels.every(Boolean)) apply(next, pair, outputs, pixels);
    }
  }

  function apply(next, pair, outputs, pixels) {
    const { state } = View;
    const middle = View.middle().map((at, axis) => at / size()[axis]);
    const extent = kept.zoom === state.zoom ? kept.extent : state.zoom * Layers.width;
    Layers.resize(...next);
    outputs.forEach((layer, k) => Layers.settle(layer, pixels[k]));
    [state.left, state.right] = pair.map((layer) => Layers.all.indexOf(layer));
    Strip.fit();
    Readout.show(null); // the pixel that was pointed at is another one now
    View.centre(middle[0] * next[0], middle[1] * next[1], Math.max(1 / 64, extent / next[0]));
    kept = { zoom: state.zoom, extent };
    show();
    View.changed("look");
  }

  // Resolves once the outputs of this scale are shown, or of one that was set later.
  function set(scale) {
    const next = sizeAt(scale);
    // Near its own scale, the page shows just that.
    wanted = Math.abs(scale / own - 1) < 0.005 ? data.size : next;
    if (!(wanted[0] <= Layers.sourceWidth && wanted[1] <= Layers.sourceHeight)) wanted = size();
    changing ??= change().catch(Live.tell).finally(() => (changing = null));
    return changing;
  }

  function reset() {
    return set(own);
  }

  const most = () => Math.max(own, Math.min(MOST, Layers.sourceWidth, Layers.sourceHeight));

  function show() {
    const now = ratio(size());
    if (document.activeElement !== $("slider-scale")) $("slider-scale").value = (STEPS * Math.log(now)) / Math.log(most());
    if (document.activeElement !== $("scale-number")) $("scale-number").value = text();
    $("slider-scale").setAttribute("aria-valuetext", `${text()} times smaller`);
    const note = isOwn() ? "" : `; numbers are those at ${brief(data.size)}×`;
    $("facts").textContent = `${Layers.sourceWidth}×${Layers.sourceHeight} → ${Layers.width}×${Layers.height} pixels, ${text()}× smaller${note}`;
  }

  function build() {
    if (!Live.isPossible() || most() <= 1) return;
    const slider = Base.element("input", { type: "range", id: "slider-scale", min: 0, max: STEPS, step: 1 });
    const number = Base.element("input", { type: "number", id: "scale-number", min: 1, step: "any" });
    number.setAttribute("aria-label", "Scale as a number: so many times smaller");
    const name = Base.element("label", { htmlFor: slider.id, textContent: "scale 1 /" });
    slider.addEventListener("input", () => set(Number((most() ** (slider.value / STEPS)).toPrecision(3))));
    number.addEventListener("input", () => number.value >= 1 && set(Number(number.value)));
    $("sliders").append(Base.element("div", { className: "group", id: "group-scale" }, name, " ", slider, " ", number));
    show();
  }

  const isPending = () => changing !== null;

  // Resolves once no change is under way.
  const settled = async () => changing;

  return { address, build, has, isOwn, isPending, label, reset, set, settled, text };
})();
