"use strict";

// The screen of a preference test: two images side by side without names, and what is asked about them.

const Trial = (() => {
  const GAP = 32; // between the images, in pixels of the page
  const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "none", 1: "left", 2: "right", 0: "none" };
  const canvas = $("trial-view");
  const context = canvas.getContext("2d");
  // The test that runs: facts for its files with the votes so far, and the pairs that it asks.
  let [test, asked, zoom, isSaved, linked] = [null, [], 1, true, null];
  let scale = 1; // of the outputs that the test compares
  let since = null; // when the pair appeared; null while it is not there

  const numbers = (count) => [...crypto.getRandomValues(new Uint32Array(count))];
  const outputs = () => Layers.all.filter((layer) => layer.method && Scale.has(layer));
  const layerOf = (key) => Layers.all[Layers.indexOf(key)];
  const labelOf = (key) => layerOf(key)?.label ?? key;
  const asksLikeness = () => $("trial-question").value === "likeness";

  // The marked places, or all of the image.
  function places() {
    if (!Strip.places.length) return [{ place: "", region: [0, 0, Layers.width, Layers.height] }];
    return Strip.places.map((region, index) => ({ place: Strip.letter(index), region }));
  }

  // Which variants meet: the two that are shown, each against box, or all.
  function choices() {
    const keys = outputs().map(({ key }) => key);
    const shown = [Layers.all[View.state.left], Layers.all[View.state.right]].filter((layer) => !layer.isInput).map(({ key }) => key);
    const both = shown.length === 2 && shown[0] !== shown[1] ? shown : [data.first.left, data.first.right];
    const others = keys.filter((key) => key !== "box");
    const known = both.every((key) => keys.includes(key));
    return {
      shown: known ? [both] : [],
      box: others.map((key) => ["box", key]),
      all: keys.flatMap((one, k) => keys.slice(k + 1).map((other) => [one, other])),
    };
  }

  function fill() {
    const { shown, box, all } = choices();
    const options = [];
    if (shown.length) options.push([`${shown[0].map(labelOf).join(" and ")}`, "shown"]);
    if (box.length) options.push([`box and each other variant (${box.length})`, "box"]);
    if (all.length > 1) options.push([`all variants with each other (${all.length})`, "all"]);
    const before = $("trial-pairs").value;
    $("trial-pairs").replaceChildren(...options.map(([text, value]) => new Option(text, value)));
    if (options.some(([, value]) => value === before)) $("trial-pairs").value = before;
  }

  // Those of a link that cannot be shown at this scale are left out.
  function pairs() {
    const known = new Set(outputs().map(({ key }) => key));
    return (linked?.pairs ?? choices()[$("trial-pairs").value] ?? []).filter((pair) => pair.every((key) => known.has(key)));
  }

  function describe() {
    const count = pairs().length * places().length * Number($("trial-repeats").value);
    const where = Strip.places.length ? ` at ${places().length === 1 ? "one place" : `${places().length} places`}` : "";
    $("trial-what").textContent = `You see two versions of ${data.name}${where} side by side, ${count === 1 ? "once" : `${count} times`}. ${$("trial-question").selectedOptions[0].textContent}`;
    $("trial-start").disabled = count === 0;
  }

  function showPart(name) {
    for (const part of ["setup", "pair", "end"]) $(`trial-${part}`).hidden = part !== name;
  }

  function open() {
    if (!$("trial").open) $("trial").showModal();
    // What a slider has computed may be replaced by something else.
    asked = asked.filter(({ left, right }, k) => k < test?.votes.length || (layerOf(left) && layerOf(right)));
    if (test && test.votes.length < asked.length) return ask();
    if (test) return finish();
    $("trial-seed").value = numbers(1)[0];
    setUp();
  }

  function setUp() {
    $("trial-settings").hidden = Boolean(linked);
    $("trial-link").hidden = Boolean(linked) || Address.isEmbedded;
    if (!linked) fill();
    describe();
    showPart("setup");
    Scale.settled().then(describe);
  }

  async function start() {
    try {
      await Scale.settled();
      $("trial-start").disabled = true;
      $("trial-what").textContent = "Preparing the images…";
      for (const key of new Set(pairs().flat())) await Live.finish([layerOf(key)]);
    } catch (error) {
      return tell($("trial-what"), error);
    }
    if ($("trial").open) begin(); // not cancelled meanwhile
  }

  function tell(element, error) {
    element.textContent = `Cannot show the images: ${error.message}`;
  }

  function begin() {
    const seed = Number($("trial-seed").value);
    test = {
      session: numbers(4).map((number) => number.toString(16).padStart(8, "0")).join(""),
      started: new Date().toISOString(),
      participant: $("trial-participant").value.trim(),
      question: $("trial-question").value,
      seed,
      version: data.version,
      image: data.name,
      output_width: Layers.width,
      output_height: Layers.height,
      votes: [],
    };
    asked = Votes.planned(pairs(), places(), Number($("trial-repeats").value), seed);
    scale = Number(Scale.text());
    isSaved = true;
    ask();
  }

  // Wait until a pair can be shown at the scale of the test. Pixels may be gone if there are many.
  async function ready({ left, right }) {
    await Scale.set(scale);
    if (Layers.width !== test.output_width) throw new Error("the page cannot go back to the scale of the test");
    await Live.finish([left, right, ...(asksLikeness() ? ["input"] : [])].map(layerOf));
  }

  async function ask() {
    showPart("pair");
    const number = test.votes.length;
    $("trial-asked").textContent = $("trial-question").selectedOptions[0].textContent;
    Object.assign($("trial-progress"), { max: asked.length, value: number });
    $("trial-count").textContent = `${number + 1} of ${asked.length}`;
    $("trial-back").disabled = number === 0;
    canvas.setAttribute("aria-label", `Two versions of the same part, side by side${asksLikeness() ? ", with the input between them" : ""}`);
    canvas.focus();
    since = null;
    canvas.setAttribute("aria-busy", "true");
    fit();
    const pair = asked[number];
    try {
      await ready(pair);
    } catch (error) {
      return tell($("trial-count"), error);
    }
    if (pair !== asked[test?.votes.length]) return; // moved on meanwhile
    since = performance.now();
    canvas.setAttribute("aria-busy", "false");
    draw();
  }

  // The largest zoom in whole pixels at which a region fits.
  function zoomFor([left, top, right, bottom], wide, high) {
    const zoom = Math.min(wide / (right - left), high / (bottom - top), View.PLACE_ZOOM * Base.ratio());
    return zoom >= 1 ? View.evenly(Math.floor(zoom)) : 1 / Math.ceil(1 / zoom);
  }

  // The pair side by side; the input between them, or above where the screen is tall.
  function draw() {
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (since === null || !test || test.votes.length >= asked.length) return;
    const { region, left, right } = asked[test.votes.length];
    const isTall = asksLikeness() && canvas.height > canvas.width;
    const [columns, rows] = [asksLikeness() && !isTall ? 3 : 2, isTall ? 2 : 1];
    const gap = Math.round(GAP * Base.ratio());
    const rest = (length, count) => length - (count - 1) * gap;
    zoom = zoomFor(region, rest(canvas.width, columns) / columns, rest(canvas.height, rows) / rows);
    const [wide, high] = [Math.ceil((region[2] - region[0]) * zoom), Math.ceil((region[3] - region[1]) * zoom)];
    const [x, y] = [rest(canvas.width - columns * wide, columns) >> 1, rest(canvas.height - rows * high, rows) >> 1];
    const below = y + (rows - 1) * (high + gap);
    put(left, region, x, below, wide, high);
    put(right, region, x + (columns - 1) * (wide + gap), below, wide, high);
    if (asksLikeness()) put("input", region, (canvas.width - wide) >> 1, y, wide, high);
  }

  function put(key, [left, top], x, y, wide, high) {
    const at = { x: x - Math.round(left * zoom), y: y - Math.round(top * zoom), zoom };
    Paint.layer(context, layerOf(key), at, [x, y, x + wide, y + high]);
  }

  function fit() {
    const { width, height } = $("trial-images").getBoundingClientRect();
    Object.assign(canvas, { width: Math.max(1, Math.floor(width * Base.ratio())), height: Math.max(1, Math.floor(height * Base.ratio())) });
    Object.assign(canvas.style, { width: `${canvas.width / Base.ratio()}px`, height: `${canvas.height / Base.ratio()}px` });
    draw();
  }

  function vote(choice) {
    if (since === null) return;
    const number = test.votes.length;
    const seconds = Number(((performance.now() - since) / 1000).toFixed(2));
    test.votes.push({ number: number + 1, ...asked[number], zoom, choice, seconds });
    isSaved = false;
    if (test.votes.length < asked.length) ask();
    else finish();
  }

  function back() {
    if (test.votes.pop()) ask();
  }

  function finish() {
    showPart("end");
    const rows = Votes.tallied(test.votes);
    const percent = (share) => Math.round(100 * share);
    const heading = ["variant", "wins", "ties", "pairs", "share", "95 % interval"].map((textContent) => Base.element("th", { textContent, scope: "col" }));
    const body = rows.map(({ key, wins, ties, pairs: count, share, low, high }) => {
      const texts = [labelOf(key), wins, ties, count, `${percent(share)} %`, `${percent(low)}–${percent(high)} %`];
      return Base.element("tr", {}, ...texts.map((textContent, k) => Base.element(k ? "td" : "th", { textContent })));
    });
    $("trial-table").replaceChildren(Base.element("thead", {}, Base.element("tr", {}, ...heading)), Base.element("tbody", {}, ...body));
    const count = test.votes.length;
    $("trial-summary").textContent = `${count} ${count === 1 ? "answer" : "answers"} to: ${$("trial-question").selectedOptions[0].textContent}`;
    $("trial-end").querySelector("button").focus();
  }

  function save(kind) {
    const who = test.participant.replace(/[^\w-]+/g, "-");
    download(Votes[kind](test), `${[Command.stem(), "votes", who, test.session.slice(0, 8)].filter(Boolean).join("_")}.${kind}`);
    isSaved = true;
  }

  function again() {
    test = null;
    $("trial-seed").value = numbers(1)[0];
    setUp();
  }

  const wordsOf = (pairs) => ({ test: pairs.map((pair) => pair.join("~")).join("|"), question: $("trial-question").value, repeats: $("trial-repeats").value });

  // What the address says of a test that a link has opened, until its end.
  const address = () => (linked ? wordsOf(linked.pairs) : {});

  // A link that asks these pairs and shows no names.
  function link() {
    return `${location.href.split("#")[0]}#${new URLSearchParams({ ...wordsOf(pairs()), ...Scale.address() })}`;
  }

  // Open the test that a link asks for; what fits nothing here is left out.
  function openLinked() {
    const values = new URLSearchParams(location.hash.slice(1));
    const wanted = (values.get("test") ?? "").split("|").map((pair) => pair.split("~"));
    const known = new Set(outputs().map(({ key }) => key));
    const fitting = wanted.filter((pair) => pair.length === 2 && pair.every((key) => known.has(key)));
    if (!fitting.length) return;
    linked = { pairs: fitting };
    for (const name of ["question", "repeats"]) {
      const list = $(`trial-${name}`);
      if ([...list.options].some(({ value }) => value === values.get(name))) list.value = values.get(name);
    }
    open();
  }

  function onKey(event) {
    if ($("trial-pair").hidden || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "Backspace") back();
    else if (event.key in KEYS) vote(KEYS[event.key]);
    else return;
    event.preventDefault();
  }

  function listen() {
    $("trial-open").addEventListener("click", open);
    $("trial-setup").addEventListener("submit", (event) => {
      event.preventDefault();
      start();
    });
    for (const name of ["pairs", "question", "repeats"]) $(`trial-${name}`).addEventListener("change", describe);
    for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => $("trial").close());
    for (const button of document.querySelectorAll("[data-choice]")) button.addEventListener("click", () => vote(button.dataset.choice));
    for (const button of document.querySelectorAll("[data-votes]")) button.addEventListener("click", () => save(button.dataset.votes));
    $("trial-back").addEventListener("click", back);
    $("trial-again").addEventListener("click", again);
    $("trial-link").addEventListener("click", () => Address.copy(link(), $("trial-link")));
    $("trial").addEventListener("keydown", onKey);
    $("trial").addEventListener("close", () => test && test.votes.length === asked.length && (linked = null));
    addEventListener("resize", () => $("trial-pair").hidden || fit());
    addEventListener("beforeunload", (event) => isSaved || event.preventDefault());
  }

  return { address, listen, open, openLinked };
})();
