"use strict";

// The marked places, and every variant at one of them: a click on its left or right half shows it on that side.

const Strip = (() => {
  const SIDE = 96; // of the images, in pixels of the page
  const MOST = 26;
  const places = data.regions.map((region) => [...region]);
  const parts = data.regions.map((region) => partOf(region, ...data.size)); // of the image, at any scale
  const drawn = new WeakMap(); // of what each button has a picture

  function partOf(region, width, height) {
    return region.map((at, k) => at / (k % 2 ? height : width));
  }

  // The places in pixels of outputs at the scale of now.
  function fit() {
    parts.forEach((part, index) => {
      const [left, top, right, bottom] = part.map((at, k) => Math.round(at * (k % 2 ? Layers.height : Layers.width)));
      places[index] = [Math.min(left, Layers.width - 1), Math.min(top, Layers.height - 1), Math.max(right, left + 1), Math.max(bottom, top + 1)];
    });
  }

  const letter = (index) => String.fromCharCode(65 + index);
  const place = () => places[View.state.place] ?? [0, 0, Layers.width, Layers.height];

  function zoomFor([left, top, right, bottom]) {
    const zoom = (SIDE * Base.ratio()) / Math.max(right - left, bottom - top);
    return zoom >= 1 ? Math.floor(zoom) : 1 / Math.ceil(1 / zoom);
  }

  function picture(layer, canvas) {
    const region = place();
    const [left, top, right, bottom] = region;
    const zoom = zoomFor(region);
    canvas.width = Math.max(1, Math.ceil((right - left) * zoom));
    canvas.height = Math.max(1, Math.ceil((bottom - top) * zoom));
    canvas.style.width = `${canvas.width / Base.ratio()}px`;
    canvas.style.height = `${canvas.height / Base.ratio()}px`;
    const at = { x: Math.round(-left * zoom), y: Math.round(-top * zoom), zoom };
    Paint.layer(canvas.getContext("2d"), layer, at, [0, 0, canvas.width, canvas.height]);
  }

  const digit = (index) => (index < 9 && !Layers.all[index].isInput && !Layers.all[index].isLive ? String(index + 1) : "");

  function item(layer, index) {
    const key = Base.element("kbd", { textContent: layer.isInput ? "I" : digit(index) });
    const [name, detail] = ["name", "detail"].map((className) => Base.element("span", { className }));
    const caption = Base.element("span", { className: "caption" }, key, " ", name, detail);
    const button = Base.element("button", { type: "button", className: "item", tabIndex: -1 }, Base.element("canvas"), caption);
    button.addEventListener("click", (event) => pin(event, button, index));
    button.addEventListener("pointermove", (event) => (button.dataset.half = half(event, button)));
    button.addEventListener("pointerleave", () => delete button.dataset.half);
    button.dataset.index = index;
    return button;
  }

  function half(event, button) {
    const box = button.getBoundingClientRect();
    return event.clientX - box.left < box.width / 2 ? "left" : "right";
  }

  // The keyboard has no halves: Shift stands for the left one.
  function pin(event, button, index) {
    const byKey = event.detail === 0;
    View.choose(byKey ? (event.shiftKey ? "left" : "right") : half(event, button), index);
  }

  function mark() {
    const { left, right } = View.state;
    for (const button of $("strip").children) {
      const index = Number(button.dataset.index);
      const layer = Layers.all[index];
      button.hidden = (layer.isLive && !layer.method) || !Scale.has(layer);
      button.querySelector(".name").textContent = layer.method ?? layer.label;
      button.querySelector(".detail").textContent = layer.detail ?? "";
      button.classList.toggle("is-left", index === left);
      button.classList.toggle("is-right", index === right);
      const shown = [index === left && "left", index === right && "right"].filter(Boolean).join(" and ");
      const where = shown && `Shown on the ${shown}. `;
      button.title = `${where}Left half, or Shift and Enter: show on the left. Right half, or Enter: show on the right.`;
    }
  }

  function show() {
    const { place: at } = View.state;
    for (const button of $("regions").querySelectorAll("button[data-place]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.place) === at));
    }
    $("strip").setAttribute("aria-label", places.length ? `All variants at place ${letter(at)}` : "All variants");
    for (const button of $("strip").children) {
      const layer = Layers.all[Number(button.dataset.index)];
      const version = [place(), layer.version, Base.ratio(), $("ground").value, document.documentElement.dataset.theme].join(" ");
      if (drawn.get(button) === version) continue;
      if (!(layer.pixels || layer.preview)) {
        if (!layer.isLive && View.state.hasPair && Scale.has(layer)) Layers.want(layer, false).catch(() => {}); // told at the start
        continue;
      }
      drawn.set(button, version);
      picture(layer, button.querySelector("canvas"));
    }
    mark();
  }

  function goTo(index) {
    if (!places.length) return;
    View.state.place = (index + places.length) % places.length;
    View.goTo(place());
    View.changed("look");
  }

  function addButton(index) {
    const button = Base.element("button", { type: "button", textContent: letter(index) });
    button.dataset.place = index;
    button.setAttribute("aria-label", `Go to place ${letter(index)}`);
    button.addEventListener("click", () => goTo(index));
    $("add-place").before(button);
  }

  // Mark what is visible as a place.
  function add() {
    const [left, top, right, bottom] = View.visible();
    if (places.length === MOST || right <= left || bottom <= top) return;
    places.push([left, top, right, bottom]);
    parts.push(partOf([left, top, right, bottom], Layers.width, Layers.height));
    addButton(places.length - 1);
    View.state.place = places.length - 1;
    View.changed("look");
  }

  // One stop for Tab; the arrow keys go on from there.
  function onKey(event) {
    const buttons = [...$("strip").children].filter((button) => !button.hidden);
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to]) return;
    event.preventDefault();
    for (const button of buttons) button.tabIndex = -1;
    buttons[to].tabIndex = 0;
    buttons[to].focus();
  }

  function build() {
    const plus = Base.element("button", { type: "button", id: "add-place", textContent: "+", title: "Mark what is visible as a place" });
    plus.setAttribute("aria-label", "Mark what is visible as a place");
    plus.addEventListener("click", add);
    $("regions").append(plus);
    places.forEach((_, index) => addButton(index));
    const order = [...Layers.all.keys()].sort((one, other) => rank(Layers.all[one]) - rank(Layers.all[other]));
    $("strip").append(...order.map((index) => item(Layers.all[index], index)));
    $("strip").firstElementChild.tabIndex = 0;
    $("strip").addEventListener("keydown", onKey);
  }

  // The input first, and what is computed live last.
  const rank = (layer) => (layer.isInput ? 0 : layer.isLive ? 2 : 1);

  return { build, fit, goTo, letter, place, places, show };
})();
