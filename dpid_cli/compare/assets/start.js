"use strict";

// Load the images, show the first pair, and keep all parts of the page in step.

(() => {
  // Give the canvas as many pixels as it has on the screen, now and whenever that changes.
  function sized() {
    return new Promise((resolve) => {
      onScreenPixels(View.canvas, (columns, rows, width) => {
        Base.measure(columns, width);
        resolve(View.resize(columns, rows));
      });
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
    Results.show();
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
    for (const part of [Choices, Hands, Keys, Neighbours, Overview, Results, Trial]) part.listen();
    Choices.setTheme(document.documentElement.dataset.theme);
    Choices.setMode("swipe");
    const hasRead = Address.read();
    Trial.openLinked(); // hides the names while the page changes to the scale of the address
    await hasRead;
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
