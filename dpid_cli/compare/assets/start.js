"use strict";

// Load the images, show the first pair, and keep all parts of the page in step.

(() => {
  function fitCanvas(entry) {
    const box = entry.devicePixelContentBoxSize?.[0];
    const [columns, rows] = box
      ? [box.inlineSize, box.blockSize]
      : [View.canvas.clientWidth, View.canvas.clientHeight].map((side) => Math.round(side * devicePixelRatio));
    Base.measure(columns, entry.contentRect.width);
    View.resize(columns, rows);
  }

  // Give the canvas as many pixels as it has on the screen, now and whenever that changes.
  function sized() {
    return new Promise((resolve) => {
      const observer = new ResizeObserver(([entry]) => resolve(fitCanvas(entry)));
      try {
        observer.observe(View.canvas, { box: "device-pixel-content-box" });
      } catch {
        observer.observe(View.canvas); // this browser reports rounded sizes only
      }
    });
  }

  function showPlace() {
    const { left, right, place } = View.state;
    const keys = [left, right].map((index) => Layers.all[index].key);
    Table.mark(...keys);
    const scope = Strip.places.length && place < data.regions.length ? Strip.letter(place) : "everywhere";
    const numbers = Table.at(scope, keys);
    $("at").hidden = !numbers.length || !Scale.isOwn();
    const head = (text, className = "") => {
      const cell = Base.element("th", { textContent: text, className, scope: "col" });
      return cell;
    };
    const body = numbers.map(([name, ...values]) =>
      Base.element("tr", {}, Base.element("th", { textContent: name, scope: "row" }), ...values.map((value) => Base.element("td", { textContent: value })))
    );
    const title = scope === "everywhere" ? "Everywhere" : `At ${scope}`;
    const first = Base.element("tr", {}, head(title), head(Layers.all[left].method ?? "input", "of-left"), head(Layers.all[right].method ?? "input", "of-right"));
    $("at").replaceChildren(Base.element("table", {}, first, ...body));
  }

  function onChange(kind) {
    if (!Layers.all[View.state.left] || !Layers.all[View.state.right]) return;
    Choices.describe();
    Overview.draw();
    if (kind === "move") return;
    Choices.show();
    Sliders.show();
    Strip.show();
    showPlace();
    Readout.again();
  }

  function showFirst() {
    Object.assign(View.state, { left: Layers.indexOf(data.first.left), right: Layers.indexOf(data.first.right) });
    if (Strip.places.length) View.goTo(Strip.place());
    else View.fit();
  }

  function warn() {
    if (!Layers.damaged.length) return;
    $("alert").textContent = `Not exact: the pixels of ${Layers.damaged.join(", ")} differ from those that were written. The file is damaged, or this browser changes pixels.`;
    $("alert").hidden = false;
  }

  // What both sides show, before anything else.
  function wantPair() {
    const pair = [View.state.left, View.state.right].map((index) => Layers.all[index]);
    return Promise.all(pair.filter((layer) => layer && !(layer.isLive && layer.pixels)).map((layer) => Layers.want(layer, true)));
  }

  function onLoad() {
    warn();
    View.changed("look");
  }

  async function start() {
    await sized();
    Layers.prepare(onLoad);
    Live.prepare();
    Scale.build();
    Choices.build();
    Strip.build();
    Overview.describe();
    View.onChange(onChange);
    showFirst();
    Table.listen();
    for (const part of [Choices, Hands, Keys, Neighbours, Overview]) part.listen();
    Choices.setTheme(document.documentElement.dataset.theme);
    Choices.setMode("swipe");
    await Address.read();
    Address.listen();
    addEventListener("resize", Overview.draw);
    await wantPair();
    performance.mark("pair shown");
    View.onChange((kind) => kind === "look" && wantPair().catch(tell));
    View.state.hasPair = true;
    View.changed("look");
    const others = Layers.all.filter((layer) => !layer.isLive && Scale.has(layer));
    await Promise.all(others.map((layer) => Layers.want(layer, false)));
    document.documentElement.dataset.ready = "";
  }

  function tell(error) {
    $("alert").textContent = `Cannot show the images: ${error.message}`;
    $("alert").hidden = false;
  }

  start().catch((error) => {
    tell(error);
    throw error;
  });
})();
