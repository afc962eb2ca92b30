"use strict";

// Settings: the size, the method and its parameters, and the command that they stand for.

function has(method) {
  return method in DEFAULTS;
}

function outputSize() {
  const { width, height } = state.image;
  if (state.by === "width") {
    const columns = Math.min(Math.max(1, Math.round(Number($("width").value)) || 1), width);
    return [columns, Math.max(1, Math.floor((2 * height * columns + width) / (2 * width)))];
  }
  return [width, height].map((side) => Math.max(1, Math.floor(side / scale() + 1e-9 + 0.5)));
}

// How many times smaller; 1 while the field holds no such number.
function scale() {
  return Math.max(1, Number($("scale").value) || 1);
}

// The method and its parameters, without those that have their default.
function settings() {
  const method = $("method").value;
  if (!has(method)) return { method };
  const lambda = Math.max(0, Number($("lambda-number").value) || 0);
  const chosen = { method, lambda };
  for (const name of PARAMETERS) {
    const text = $(name).value;
    const value = name === "variant" || name === "guidance" ? text : Math.max(0, Number(text) || 0);
    const isMissing = text === "" || (name === "epsilon" && method === "dpp" && value === 0);
    if (!isMissing && value !== DEFAULTS[method][name]) chosen[name] = name === "noise" ? Math.min(value, 1) : value;
  }
  return chosen;
}

function stem() {
  const size = state.by === "scale" ? `x${scale()}` : state.size.join("x");
  return `${state.image.name.replace(/\.[^.]*$/, "")}_${$("method").value}_${size}`;
}

function command() {
  const { method, lambda, ...others } = settings();
  const size = state.by === "scale" ? ["-s", scale()] : ["--width", state.size[0]];
  const words = ["dpid", "downscale", quoted(state.image.name), ...size];
  if (method !== "dpid") words.push("-m", method);
  if (lambda !== undefined && lambda !== 1) words.push("--lambda", lambda);
  for (const [name, value] of Object.entries(others)) words.push(`--${name}`, value);
  return [...words, "-o", quoted(`${stem()}.png`)].join(" ");
}

function label() {
  const { method, lambda } = settings();
  return lambda === undefined ? [method, ""] : [method, `λ = ${lambda}`];
}

// Show what belongs to the settings, and ask for pixels.
function settingsChanged() {
  const method = $("method").value;
  $("strength").hidden = $("more").hidden = !has(method);
  if (has(method)) {
    $("epsilon").placeholder = DEFAULTS[method].epsilon.toPrecision(4).replace(/\.?0+$/, "");
    $("alpha").placeholder = $("noise").placeholder = "0";
  }
  if (!state.image) return;
  const before = state.size.join();
  state.size = outputSize();
  if (state.by === "scale") $("width").value = state.size[0];
  else $("scale").value = Number((state.image.width / state.size[0]).toPrecision(6));
  const [name, more] = label();
  $("of-method").replaceChildren(Object.assign(document.createElement("b"), { textContent: name }), ` ${more}`);
  $("command").textContent = command();
  const { width, height } = state.image;
  $("facts").textContent = `${width}×${height} → ${state.size.join("×")} pixels`;
  if (before !== state.size.join()) fit();
  refresh();
}
