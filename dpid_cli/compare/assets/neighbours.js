"use strict";

// The pages of the images before and after this one, which open with the same pair, zoom, place and mode.

const Neighbours = (() => {
  const links = { n: "next", p: "previous" };
  const theme = document.documentElement.dataset.theme;

  // Sizes and places differ between images: what is seen is a place, or the same part of the image.
  function state() {
    const values = Address.values();
    if (View.isAtPlace("x", "y", "place")) delete values.at;
    else values.at = [Layers.width, Layers.height].map((length, axis) => `${Base.rounded((100 * View.middle()[axis]) / length, 2)}%`).join();
    if (View.isAtPlace("x", "y", "place", "split")) delete values.split;
    if (document.documentElement.dataset.theme !== theme) values.theme = document.documentElement.dataset.theme;
    return new URLSearchParams(values).toString();
  }

  const update = (link) => (link.hash = state());

  // Where a letter writes or chooses something, it does only that.
  function onKey(event) {
    const link = $(links[event.key.toLowerCase()]);
    const writes = event.target.closest("select, textarea, input:not([type=range], [type=radio])");
    if (!link || writes || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    link.click();
  }

  function listen() {
    for (const link of document.querySelectorAll("#previous, #next")) {
      for (const name of ["click", "auxclick", "contextmenu"]) link.addEventListener(name, () => update(link));
    }
    document.addEventListener("keydown", onKey);
  }

  return { listen };
})();
