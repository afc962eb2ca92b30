"use strict";

// The values of the pixel under the cursor.

const Readout = (() => {
  let last = null;

  function valuesOf(layer, column, row) {
    if (!layer?.pixels || layer.isInput) return null;
    const at = (row * layer.width + column) * layer.channels;
    return layer.pixels.subarray(at, at + layer.channels);
  }

  function item(side, layer, values) {
    const name = Base.element("b", { textContent: layer.label });
    return Base.element("span", { className: `of-${side}` }, name, ` ${[...values].join(" ")}`);
  }

  function delta(values, box) {
    const signs = [...values].map((value, c) => value - box[c]);
    const text = signs.map((d) => (d > 0 ? `+${d}` : d < 0 ? `−${-d}` : "0")).join(" ");
    return Base.element("span", { textContent: `Δ to box ${text}` });
  }

  function show(pixel) {
    last = pixel;
    if (!pixel) return;
    const [column, row] = pixel;
    const parts = [Base.element("span", { textContent: `${column}, ${row}` })];
    const box = valuesOf(Layers.box(), column, row);
    for (const side of ["left", "right"]) {
      const layer = Layers.all[View.state[side]];
      const values = valuesOf(layer, column, row);
      if (values) parts.push(item(side, layer, values));
      if (values && box && side === "right") parts.push(delta(values, box));
    }
    $("values").replaceChildren(...parts);
    Weights.show(column, row);
  }

  const again = () => show(last);

  return { again, show };
})();
