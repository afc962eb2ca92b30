"use strict";

// The index: images sorted by any number of any variant, or of its difference from box, and found by name.

(() => {
  const MANY = 10; // images from which a field for names is worth its room
  const $ = (id) => document.getElementById(id);
  const { headings, variants, measured, names, numbers } = JSON.parse($("data").textContent);
  const items = [...$("sheet").children];
  const order = new Intl.Collator("en", { numeric: true });
  let isRising = true;

  const valueOf = (text) => (text ? Number(text.replace("∞", "Infinity")) : NaN);

  // Of what an image is sorted by: the number of one crop, or how much two differ.
  function valueAt(image) {
    const column = headings.indexOf($("by").value);
    const [one, other] = $("of").value.split("-").map((crop) => valueOf(numbers[image][crop][column]));
    return other === undefined ? one : one - other;
  }

  function compared(by) {
    const sign = isRising ? 1 : -1;
    if (by === "given") return (one, other) => one - other;
    if (by === "name") return (one, other) => sign * order.compare(names[one], names[other]) || one - other;
    const values = items.map((_, image) => valueAt(image));
    const rank = (image) => (Number.isNaN(values[image]) ? Infinity : sign * values[image]);
    return (one, other) => (rank(one) === rank(other) ? one - other : rank(one) - rank(other));
  }

  // Mark the number that orders the images; show it, if it is none of the plain ones.
  function mark() {
    const column = headings.indexOf($("by").value);
    const crops = $("of").value.split("-").map(Number);
    for (const line of document.querySelectorAll("#sheet .extra")) line.remove();
    for (const line of document.querySelectorAll("#sheet .by")) line.classList.remove("by");
    if (column < 0) return;
    items.forEach((item, image) => {
      const lists = [...item.querySelectorAll("a ~ figcaption")].map((caption) => caption.querySelector("ul"));
      for (const crop of measured) {
        const text = numbers[image][crop]?.[column];
        if (!text || !lists[crop]) continue;
        const heading = headings[column];
        const line = [...lists[crop].children].find(({ dataset }) => dataset.name === heading) ?? extra(lists[crop], text, heading);
        line.classList.toggle("by", crops.includes(crop));
      }
    });
  }

  function extra(list, text, heading) {
    const line = Object.assign(document.createElement("li"), { className: "extra", textContent: `${text} ` });
    line.append(Object.assign(document.createElement("span"), { textContent: heading }));
    list.append(line);
    return line;
  }

  function show() {
    const by = $("by").value;
    const words = $("filter").value.trim().toLowerCase();
    const isFound = (image) => names[image].toLowerCase().includes(words);
    $("of-what").hidden = !headings.includes(by);
    $("direction").hidden = by === "given";
    $("direction").textContent = by === "name" ? (isRising ? "A to Z" : "Z to A") : isRising ? "Smallest first" : "Largest first";
    mark();
    const sorted = [...items.keys()].sort(compared(by));
    $("sheet").append(...sorted.map((image) => items[image]));
    for (const image of sorted) items[image].hidden = !isFound(image);
    const found = sorted.filter(isFound).length;
    $("count").textContent = found < items.length ? `${found} of ${items.length} images` : "";
    const state = new URLSearchParams({ by, of: $("of").value, rising: isRising, name: words });
    if (location.hash || by !== "given" || words || !isRising) history.replaceState(null, "", `#${state}`);
  }

  // Numbers come with the largest first, names and inputs with the first.
  function choose() {
    isRising = !headings.includes($("by").value);
    show();
  }

  function build() {
    for (const heading of headings) $("by").add(new Option(heading, heading));
    for (const crop of measured) $("of").add(new Option(variants[crop], crop));
    const box = variants.indexOf("box");
    if (measured.includes(box)) for (const crop of measured) if (crop !== box) $("of").add(new Option(`${variants[crop]} − box`, `${crop}-${box}`));
    $("named").hidden = items.length < MANY;
    $("order").hidden = items.length < 2;
    $("means")?.classList.remove("all");
    $("more")?.removeAttribute("hidden");
  }

  // A link to a sorted sheet; one to an image stays what it is.
  function read() {
    const values = new URLSearchParams(location.hash.slice(1));
    if (!values.has("by")) return;
    for (const name of ["by", "of"]) if ([...$(name).options].some(({ value }) => value === values.get(name))) $(name).value = values.get(name);
    $("filter").value = values.get("name") ?? "";
    isRising = values.get("rising") !== "false";
    show();
  }

  build();
  read();
  $("more")?.addEventListener("click", () => $("more").setAttribute("aria-expanded", String($("means").classList.toggle("all"))));
  $("by").addEventListener("change", choose);
  $("of").addEventListener("change", show);
  $("filter").addEventListener("input", show);
  $("direction").addEventListener("click", () => {
    isRising = !isRising;
    show();
  });
  $("order").addEventListener("submit", (event) => event.preventDefault());
})();
