"use strict";

// The command that makes an output: input, size, the options that are the same for all, then method, parameters and a name.

const Command = (() => {
  const stem = () => data.name.replace(/\.[^.]*$/, "");

  // Parameters as they were given; those of a computed output in full precision.
  function settingsOf({ isLive, key, parameters, defaults }) {
    if (!isLive) return key.split(":").slice(1).join(":").split(",").filter(Boolean).map((word) => word.split("="));
    const differ = ([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name]);
    return Object.entries(parameters).filter(differ).map(([name, value]) => [name, [value].flat().join("/")]);
  }

  // photo_dpid-lambda-0.7_60x40
  function nameOf({ key }) {
    const words = key.replace(/[^\w.]+/g, "-");
    return `${stem()}_${words}_${Layers.width}x${Layers.height}`;
  }

  function of(layer) {
    const { input, size, options } = data.command;
    const words = [input, Scale.isOwn() ? size : `-s ${Scale.text()}`, ...(options ? [options] : [])];
    if (layer.method !== "dpid") words.push("-m", layer.method);
    for (const [name, value] of settingsOf(layer)) words.push(`--${name}`, quoted(value));
    return [...words, "-o", quoted(`${nameOf(layer)}.png`)].join(" ");
  }

  return { nameOf, of, stem };
})();
