"use strict";

// Sliders for the parameters of one side: through the outputs in the page, or any value if it can be computed.

const Sliders = (() => {
  let tuned = null; // side and output whose parameters the sliders change

  const own = (layer) => layer?.parameters && "lambda" in layer.parameters;
  const equal = (one, other, but) =>
    Object.keys({ ...one, ...other }).every((name) => name === but || one[name] === other[name]);

  // The right side before the left one; while neither has parameters, what they had before.
  function follow() {
    const { left, right } = View.state;
    const known = [["right", right], ["left", left]].find(([, index]) => own(Layers.all[index]) || swept(Layers.all[index]));
    if (known) tuned = { side: known[0], base: Layers.all[known[1]] };
    tuned ??= { side: "right", base: Layers.all.find(own) ?? Layers.all.find(swept) };
  }

  const swept = (layer) => Object.keys(layer?.swept ?? {}).length > 0;

  // The outputs that differ from one only in a parameter, by its value; at lambda 0 there is box.
  function stops(name, base) {
    const others = Layers.all.filter((layer) => layer.method === base.method && layer.parameters && !layer.isLive && equal(layer.parameters, base.parameters, name));
    const found = others.map((layer) => ({ value: layer.parameters[name], layer }));
    if (name === "lambda" && !found.some(({ value }) => value === 0)) found.push({ value: 0, layer: Layers.box() });
    return found.every(({ value }) => typeof value === "number") ? found.sort((one, other) => one.value - other.value) : found;
  }

  function names() {
    if (!tuned.base) return [];
    const { parameters } = tuned.base;
    const wanted = ["lambda", ...Object.keys(data.sweeps)];
    if (Live.isPossible()) wanted.push(...Object.keys(data.ranges));
    return [...new Set(wanted)].filter((name) => name in parameters);
  }

  const isLive = (name) => Live.isPossible() && data.ranges[name] && ["dpid", "dpp"].includes(tuned.base.method);

  // The value that a side shows now; at lambda 0, box.
  function current(name) {
    const layer = Layers.all[View.state[tuned.side]];
    if (name === "lambda" && layer === Layers.box()) return 0;
    return layer?.method === tuned.base.method ? layer.parameters[name] : undefined;
  }

  function set(name, value) {
    const { side, base } = tuned;
    const parameters = { ...base.parameters, [name]: value };
    const known = stops(name, base).find((stop) => stop.value === value);
    if (known) View.choose(side, Layers.all.indexOf(known.layer));
    else Live.show(side, base, parameters);
    // From box, the way back leads to the method that was left.
    if (name !== "lambda" || value !== 0) return;
    tuned = { side, base };
  }

  function range(name, input) {
    const found = stops(name, tuned.base);
    const [least, most] = data.ranges[name] ?? [];
    if (isLive(name)) Object.assign(input, { min: least, max: Math.max(most, ...found.map(({ value }) => value)), step: (most - least) / 100 });
    else Object.assign(input, { min: 0, max: found.length - 1, step: 1 });
    return found;
  }

  function slide(name, input) {
    const value = Number(input.value);
    set(name, isLive(name) ? value : stops(name, tuned.base)[value].value);
  }

  function text(name, value) {
    if (value === undefined) return "–";
    if (name === "lambda" && value === 0) return "0, box";
    return `${data.symbols[name] ?? name} = ${typeof value === "number" ? Base.rounded(value, 3) : value}`;
  }

  function group(name) {
    const input = Base.element("input", { type: "range", id: `slider-${name}`, name });
    input.addEventListener("input", () => slide(name, input));
    const output = Base.element("output", { id: `slider-${name}-value` });
    output.htmlFor = input.id;
    const label = Base.element("label", { htmlFor: input.id, textContent: name === "lambda" ? "detail λ" : (data.symbols[name] ?? name) });
    const end = Base.element("span", { className: "end", textContent: name === "lambda" ? "box" : "" });
    end.setAttribute("aria-hidden", "true");
    return Base.element("div", { className: "group slider", id: `group-${name}` }, label, " ", end, input, " ", output);
  }

  function show() {
    follow();
    for (const name of names()) {
      const known = $(`group-${name}`);
      const element = known ?? group(name);
      if (!known) $("sliders").append(element);
      const input = element.querySelector("input");
      const found = range(name, input);
      element.hidden = !isLive(name) && found.length < 2;
      const value = current(name);
      if (value !== undefined) input.value = isLive(name) ? value : found.findIndex((stop) => stop.value === value);
      element.className = `group slider of-${tuned.side}`;
      const said = text(name, value);
      input.setAttribute("aria-valuetext", value === undefined ? `${text(name, tuned.base.parameters[name])}, not shown` : said);
      $(`slider-${name}-value`).textContent = said;
    }
    for (const element of $("sliders").children) {
      if (!names().some((name) => element.id === `group-${name}`)) element.hidden = true;
    }
  }

  function step(by) {
    const input = $("sliders").querySelector(".slider:not([hidden]) input");
    if (!input) return;
    if (by > 0) input.stepUp();
    else input.stepDown();
    slide(input.name, input);
  }

  return { set, show, step };
})();
