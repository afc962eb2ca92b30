"use strict";

// What is taken away from the page: this view as a figure, an output as a PNG, and the command that makes it.

const Results = (() => {
  const WRITERS = {
    png: async (figure, notes) => {
      const { blob, labels } = await Figure.png(figure, notes);
      if (!labels) tell("This browser protects against fingerprinting, so the labels are missing. SVG and TikZ have them.");
      return [blob, "png"];
    },
    svg: async (figure, notes) => [await Figure.svg(figure, notes), "svg"],
    tikz: async (figure, notes, stem) => [await Tikz.zipped(figure, stem, notes), "zip"],
  };

  let opener = null;

  function tell(text) {
    $("notice").textContent = text;
    $("notice").hidden = !text;
  }

  // The output that is saved and has a command: the right one, or the left one if the input is on the right.
  function chosen() {
    const side = Layers.all[View.state.right].isInput ? "left" : "right";
    const layer = Layers.all[View.state[side]];
    return layer.isInput ? {} : { side, layer };
  }

  // What a figure shows, in sentences: what, which part, the commands, and the version.
  function notesOf({ panels }) {
    const [left, top, right, bottom] = View.visible();
    const { zoom } = View.state;
    const layers = [...new Set(panels.map(({ layer }) => layer))];
    const times = zoom < 1 ? `reduced ${Math.round(1 / zoom)}` : `enlarged ${zoom}`;
    const part = `output pixels ${left} to ${right - 1} across and ${top} to ${bottom - 1} down`;
    return [
      `${data.name}: ${panels.map(({ label }) => label).join(" | ")}`,
      `${data.source.join("×")} pixels, downscaled to ${Layers.width}×${Layers.height}; ${part}, ${times} times.`,
      ...layers.filter((layer) => !layer.isInput).map(Command.of),
      `Made by dpid-cli ${data.version}.`,
    ];
  }

  async function saveView(kind) {
    const figure = await Figure.made();
    const keys = [...new Set(figure.panels.map(({ layer }) => layer.key))].join("-").replace(/[^\w.]+/g, "-");
    const stem = `${Command.stem()}_${keys}_view`;
    const [blob, suffix] = await WRITERS[kind](figure, notesOf(figure), stem);
    download(blob, `${stem}.${suffix}`);
  }

  async function saveOutput() {
    await Scale.settled();
    const { layer } = chosen();
    await Live.finish([layer]);
    download(await Png.encoded(layer), `${Command.nameOf(layer)}.png`);
  }

  // Close the menu, and go back to what had the focus before a key opened it.
  function closeMenu() {
    $("save").open = false;
    (opener ?? $("save").querySelector("summary")).focus();
    opener = null;
  }

  async function save(act) {
    closeMenu();
    tell("");
    try {
      await act();
    } catch (error) {
      tell(`Cannot save it: ${error.message}`);
    }
  }

  function show() {
    const { side, layer } = chosen();
    $("results").hidden = $("output-menu").hidden = !layer;
    if (!layer) return;
    const number = side === "left" ? "1" : "2";
    for (const badge of document.querySelectorAll(".of-chosen")) {
      badge.className = `badge of-chosen of-${side}`;
      badge.textContent = number;
    }
    $("output-name").textContent = layer.label;
    $("command").textContent = Command.of(layer);
  }

  function openMenu() {
    opener = document.activeElement;
    $("save").open = true;
    $("save").querySelector("button").focus();
  }

  function listen() {
    for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => save(() => saveView(button.dataset.view)));
    $("save-output").addEventListener("click", () => save(saveOutput));
    $("copy-command").addEventListener("click", () => Address.copy($("command").textContent, $("copy-command")));
    document.addEventListener("pointerdown", (event) => $("save").contains(event.target) || ($("save").open = false));
    $("save").addEventListener("toggle", () => $("save").open || (opener = null));
    $("save").addEventListener("keydown", (event) => {
      if (event.key === "Escape" && $("save").open) closeMenu();
    });
  }

  return { listen, openMenu, show };
})();
