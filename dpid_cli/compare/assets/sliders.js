"use strict";

// Controls for the parameters of one side: through the outputs in the page, or any value if it can be computed.

const Sliders = (() => {
  let tuned = null; // side and output whose parameters the sliders change

  const own = (layer) => layer?.parameters && "lambda" in layer.parameters;
  const equal = (one, other, but) =>
    Object.keys({ ...one, ...other }).every((name) => name === but || one[name] === other[name]);

  // The right side before the left one; while neither has parameters, or one was slid to box, what they had before.
  function follow() {
    const { left, right } = View.state;
    if (tuned?.isAtBox && Layers.all[View.state[tuned.side]] === Layers.box()) return;
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
    if (Live.isPossible()) wanted.push(...Object.keys(data.ranges), ...Object.keys(data.choices));
    return [...new Set(wanted)].filter((name) => name in parameters);
  }

  // How a parameter is set: any number, a word of some, or the values that the outputs have.
  function kindOf(name) {
    const { method, parameters } = tuned.base;
    const isKnown = data.choices.guidance.includes(parameters.guidance) && parameters.normalize === "none";
    if (!Live.isPossible() || !["dpid", "dpp"].includes(method) || !isKnown) return "stops";
    return data.ranges[name] ? "number" : data.choices[name] ? "word" : "stops";
  }

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
    // From box, the way back leads to the method that was left.
    tuned.isAtBox = name === "lambda" && value === 0;
    if (known) View.choose(side, Layers.all.indexOf(known.layer));
    else Live.show(side, base, parameters);
  }

  function range(name, control, found) {
    if (kindOf(name) === "stops") return Object.assign(control, { min: 0, max: found.length - 1, step: 1 });
    if (kindOf(name) === "word") return control;
    const [least, most] = data.ranges[name];
    const step = (most - least) / 200;
    // With dpp, epsilon is above 0.
    const min = name === "epsilon" && tuned.base.method === "dpp" ? step : least;
    return Object.assign(control, { min, max: Math.max(most, current(name) ?? 0, ...found.map(({ value }) => value)), step });
  }

  function slide(name, control) {
    const kind = kindOf(name);
    if (kind === "word") set(name, control.value);
    else set(name, kind === "number" ? Number(control.value) : stops(name, tuned.base)[control.value].value);
  }

  function text(name, value) {
    if (value === undefined) return "–";
    if (name === "lambda" && value === 0) return "0, box";
    return `${data.symbols[name] ?? name} = ${Live.written(value)}`;
  }

  function group(name) {
    const isWord = kindOf(name) === "word";
    const id = `slider-${name}`;
    const control = isWord
      ? Base.element("select", { id, name }, ...data.choices[name].map((word) => new Option(word, word)))
      : Base.element("input", { type: "range", id, name });
    control.addEventListener("input", () => slide(name, control));
    const output = Base.element("output", { id: `${id}-value`, hidden: isWord });
    output.htmlFor = id;
    const label = Base.element("label", { htmlFor: id, textContent: name === "lambda" ? "detail λ" : (data.symbols[name] ?? name) });
    const end = Base.element("span", { className: "end", textContent: name === "lambda" ? "box" : "" });
    end.setAttribute("aria-hidden", "true");
    return Base.element("div", { className: "group slider", id: `group-${name}` }, label, " ", end, control, " ", output);
  }

  // Lambda and what was swept are in sight, all others one click away.
  function place(name, element) {
    if (name === "lambda" || name in data.sweeps) return $("sliders").append(element);
    $("more-sliders").hidden = false;
    return $("more-sliders").append(element);
  }

  function show() {
    follow();
    for (const element of document.querySelectorAll(".slider")) element.hidden = true;
    for (const name of names()) {
      if (!$(`group-${name}`)) place(name, group(name));
      update(name, $(`group-${name}`));
    }
  }

  function update(name, element) {
    const found = stops(name, tuned.base);
    const control = range(name, $(`slider-${name}`), found);
    const isStops = kindOf(name) === "stops";
    const value = current(name);
    element.hidden = isStops && found.length < 2;
    element.className = `group slider of-${tuned.side}`;
    if (value !== undefined) control.value = isStops ? found.findIndex((stop) => stop.value === value) : value;
    const said = text(name, value);
    $(`slider-${name}-value`).textContent = said;
    if (control.type !== "range") return;
    control.setAttribute("aria-valuetext", value === undefined ? `${text(name, tuned.base.parameters[name])}, not shown` : said);
  }

  function step(by) {
    const input = $("sliders").querySelector(".slider:not([hidden]) input");
    if (!input) return;
    if (by > 0) input.stepUp();
    else input.stepDown();
    slide(input.name, input);
  }

  return { show, step };
})();
