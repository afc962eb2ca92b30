"use strict";

// Which images are shown and how: lists, modes, blinking, difference, ground and theme.

const Choices = (() => {
  const BLINK = 700; // milliseconds
  const THEMES = { auto: "system", light: "light", dark: "dark" };
  const WORDS = { swipe: "with a divider", blink: "alternating", beside: "side by side", difference: "as their difference" };
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let [timer, blinking] = [0, false];

  function build() {
    for (const side of ["left", "right"]) {
      Layers.all.forEach((layer, index) => $(side).add(new Option(layer.label, index)));
      $(side).addEventListener("change", () => View.choose(side, Number($(side).value)));
    }
  }

  function show() {
    const { left, right, mode } = View.state;
    for (const [side, index] of [["left", left], ["right", right]]) {
      [...$(side).options].forEach((option, i) => {
        option.textContent = Layers.all[i].label;
        option.hidden = (Layers.all[i].isLive && !Layers.all[i].method) || !Scale.has(Layers.all[i]);
      });
      $(side).value = index;
    }
    document.querySelector(`input[name=mode][value=${mode}]`).checked = true;
    $("blink-controls").hidden = mode !== "blink";
    $("difference-controls").hidden = mode !== "difference";
    if (mode === "difference") Difference.legend();
  }

  function zoomText() {
    const { zoom } = View.state;
    return zoom >= 1 ? `×${zoom}` : `÷${Math.round(1 / zoom)}`;
  }

  function describe() {
    const { left, right, mode, zoom, split } = View.state;
    const [one, other] = [left, right].map((index) => Scale.label(Layers.all[index]));
    const size = zoom >= 1 ? `enlarged ${zoom} times` : `reduced ${Math.round(1 / zoom)} times`;
    const text = `${one} and ${other}, ${WORDS[mode]}, ${size}`;
    View.canvas.setAttribute("aria-label", `${text}. ${data.name}`);
    if ($("status").textContent !== text) $("status").textContent = text;
    $("zoom").textContent = zoomText();
    const part = Math.round(100 * split);
    $("divider").setAttribute("aria-valuenow", part);
    $("divider").setAttribute("aria-valuetext", `${part} % ${one}`);
  }

  function setMode(mode) {
    View.setMode(mode);
    setBlinking(mode === "blink" && !still.matches);
  }

  function setBlinking(on) {
    clearInterval(timer);
    blinking = on;
    if (on) timer = setInterval(showOther, BLINK);
    $("blink").textContent = on ? "Pause" : "Resume";
    $("blink").setAttribute("aria-pressed", String(on));
  }

  function showOther() {
    View.state.second = !View.state.second;
    Stage.draw();
  }

  function setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    $("theme-name").textContent = THEMES[theme];
    $("theme").setAttribute("aria-label", `Theme: ${THEMES[theme]}`);
    View.changed("move");
  }

  function nextTheme() {
    const order = Object.keys(THEMES);
    setTheme(order[(order.indexOf(document.documentElement.dataset.theme) + 1) % order.length]);
  }

  function listen() {
    for (const input of document.querySelectorAll("input[name=mode]")) input.addEventListener("change", () => setMode(input.value));
    for (const name of ["against", "gain", "ground"]) $(name).addEventListener("change", () => View.changed("look"));
    $("swap").addEventListener("click", View.swap);
    $("blink").addEventListener("click", () => setBlinking(!blinking));
    $("other").addEventListener("click", showOther);
    $("in").addEventListener("click", () => View.zoomTo(View.next(1)));
    $("out").addEventListener("click", () => View.zoomTo(View.next(-1)));
    $("fit").addEventListener("click", View.fit);
    $("theme").addEventListener("click", nextTheme);
    $("controls").addEventListener("submit", (event) => event.preventDefault());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => View.changed("move"));
  }

  const toggleBlinking = () => View.state.mode === "blink" && setBlinking(!blinking);
  const blinkOnce = () => View.state.mode === "blink" && showOther();

  return { blinkOnce, build, describe, listen, setMode, setTheme, show, toggleBlinking };
})();
