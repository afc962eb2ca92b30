"use strict";

// The keyboard, while the image or the divider has the focus.

const Keys = (() => {
  const far = (event) => (event.shiftKey ? 10 : 1) * Math.max(Math.round(View.state.zoom), 10);
  const side = (event) => (event.shiftKey ? "left" : "right");

  const ACTIONS = {
    ArrowLeft: (event) => View.move(far(event), 0),
    ArrowRight: (event) => View.move(-far(event), 0),
    ArrowUp: (event) => View.move(0, far(event)),
    ArrowDown: (event) => View.move(0, -far(event)),
    "+": () => View.zoomTo(View.next(1)),
    "=": () => View.zoomTo(View.next(1)),
    "-": () => View.zoomTo(View.next(-1)),
    0: () => View.fit(),
    "[": () => View.setSplit(View.state.split - 0.05),
    "]": () => View.setSplit(View.state.split + 0.05),
    ",": () => Sliders.step(-1),
    ".": () => Sliders.step(1),
    " ": () => Choices.toggleBlinking(),
    a: (event) => Strip.goTo(View.state.place + (event.shiftKey ? -1 : 1)),
    b: () => Choices.blinkOnce(),
    d: () => Choices.setMode("beside"),
    f: () => Choices.setMode("difference"),
    i: (event) => View.choose(side(event), Layers.indexOf("input")),
    k: () => Choices.setMode("blink"),
    s: () => Choices.setMode("swipe"),
    t: () => Trial.open(),
    v: () => Results.openMenu(),
    x: () => View.swap(),
  };

  // Digits by their key, as Shift turns them into other characters.
  function digitOf(event) {
    const match = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
    return match && Number(match[1]) - 1;
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const digit = digitOf(event);
    if (digit !== null) {
      if (Layers.all[digit] && !Layers.all[digit].isInput && !Layers.all[digit].isLive) View.choose(side(event), digit);
      event.preventDefault();
      return;
    }
    const act = ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act(event);
  }

  function onDivider(event) {
    const by = { ArrowLeft: -0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowUp: 0.01, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return onKey(event);
    event.preventDefault();
    View.setSplit(View.state.split + (event.shiftKey ? 10 : 1) * by);
  }

  // The question mark helps anywhere but where text is written.
  function onHelp(event) {
    if (event.key !== "?" || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    $("help").showModal();
  }

  function listen() {
    View.canvas.addEventListener("keydown", onKey);
    $("divider").addEventListener("keydown", onDivider);
    document.addEventListener("keydown", onHelp);
    $("help-button").addEventListener("click", () => $("help").showModal());
  }

  return { listen };
})();
