"use strict";

// The state in the address, after the #, so that a link leads to what is shown; and copying.

const Address = (() => {
  const DELAY = 300; // milliseconds: browsers refuse addresses that change too often
  // Within a notebook, a page has no address of its own.
  const isEmbedded = location.protocol === "about:";
  let timer = 0;

  function values() {
    const { left, right, mode, split, zoom, place } = View.state;
    const [x, y] = View.middle().map((at) => Base.rounded(at, 3));
    const values = { left: Layers.all[left].key, right: Layers.all[right].key, mode, split: Base.rounded(split, 3), zoom: Base.rounded(zoom, 6), at: `${x},${y}` };
    if (Strip.places.length) values.place = Strip.letter(place);
    for (const name of ["ground", "against", "gain"]) {
      const chosen = [...$(name).options].find((option) => option.defaultSelected) ?? $(name).options[0];
      if ($(name).value !== chosen.value) values[name] = $(name).value;
    }
    return { ...values, ...Scale.address(), ...Trial.address() };
  }

  const text = () => new URLSearchParams(values()).toString();

  function write() {
    if (isEmbedded) return;
    clearTimeout(timer);
    timer = setTimeout(() => history.replaceState(null, "", `#${text()}`), DELAY);
  }

  // Values that fit nothing here are left out.
  async function read() {
    const values = new URLSearchParams(location.hash.slice(1));
    if (!values.size && !location.hash.includes("=")) return false;
    if (Live.isPossible()) await (values.get("scale") >= 1 ? Scale.set(Number(values.get("scale"))) : Scale.reset());
    for (const name of ["ground", "against", "gain"]) {
      if ([...$(name).options].some((option) => option.value === values.get(name))) $(name).value = values.get(name);
    }
    const index = (values.get("place") ?? "").charCodeAt(0) - 65;
    const hasPlace = index >= 0 && index < Strip.places.length;
    if (hasPlace) View.state.place = index;
    for (const side of ["left", "right"]) show(side, values.get(side));
    if (["swipe", "blink", "beside", "difference"].includes(values.get("mode"))) Choices.setMode(values.get("mode"));
    const zoom = Number(values.get("zoom"));
    if (hasPlace && !values.has("at")) View.goTo(Strip.place(), zoom > 0 ? zoom : undefined);
    const split = Number(values.get("split") ?? NaN);
    if (split >= 0 && split <= 1) View.setSplit(split);
    const [x, y] = (values.get("at") ?? "").split(",").map((text, axis) => pixelOf(text, [Layers.width, Layers.height][axis]));
    if (Number.isFinite(x) && Number.isFinite(y) && zoom > 0) View.centre(x, y, zoom);
    if (["auto", "light", "dark"].includes(values.get("theme"))) Choices.setTheme(values.get("theme"));
    return true;
  }

  // Pixels, or a part of the image.
  function pixelOf(text, length) {
    return text.endsWith("%") ? (parseFloat(text) / 100) * length : Number(text);
  }

  function show(side, key) {
    if (!key) return;
    const index = Layers.indexOf(key);
    if (index >= 0) View.choose(side, index);
    else if (Live.isPossible()) computed(side, key);
  }

  // An output that a slider made: its parameters differ from those of an output in the page.
  function computed(side, key) {
    const [method, words = ""] = key.split(":");
    const base = Layers.all.find((layer) => layer.method === method && layer.parameters && !layer.isLive);
    if (!base) return;
    const parameters = { ...base.defaults };
    for (const word of words.split(",")) {
      const [name, value] = word.split("=");
      if (!(name in parameters)) return;
      parameters[name] = typeof parameters[name] === "number" ? numbersIn(value) : value;
    }
    if (Object.entries(parameters).every(([name, value]) => isAllowed(name, value, base))) Live.show(side, base, parameters);
  }

  function numbersIn(text) {
    const numbers = text.split("/").map(Number);
    return numbers.length > 1 ? numbers : numbers[0];
  }

  function isAllowed(name, value, base) {
    if (typeof value === "string") return (data.choices[name] ?? [base.defaults[name]]).includes(value);
    return [value].flat().every((number) => number >= 0 && number < Infinity);
  }

  async function copy(words, button) {
    try {
      await navigator.clipboard.writeText(words);
      const before = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = before), 1500);
    } catch {
      // Some browsers let no page from a disk write to the clipboard.
      $("copy-text").value = words;
      $("copy-dialog").showModal();
      $("copy-text").select();
    }
  }

  function link() {
    return `${location.href.split("#")[0]}#${text()}`;
  }

  function listen() {
    $("copy-link").hidden = isEmbedded;
    $("copy-link").addEventListener("click", () => copy(link(), $("copy-link")));
    addEventListener("hashchange", read);
    View.onChange(write);
  }

  return { copy, isEmbedded, listen, read, values };
})();
