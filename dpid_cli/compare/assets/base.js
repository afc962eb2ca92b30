"use strict";

// What all parts of the page share: the data, elements by their id, and whole numbers of screen pixels.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

const Base = (() => {
  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function canvasOf(columns, rows) {
    const canvas = element("canvas", { width: columns, height: rows });
    return [canvas, canvas.getContext("2d")];
  }

  // Screen pixels for a pixel of the page.
  let known = window.devicePixelRatio || 1;
  const ratio = () => known;

  // By the size of an element: some browsers tell the same ratio to all pages.
  function measure(screen, page) {
    const told = window.devicePixelRatio || 1;
    const own = screen / page;
    known = own > 0 && Number.isFinite(own) && Math.abs(told - own) > 0.02 ? own : told;
  }

  const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
  // A number as it is written in options: at most so many decimals, none that are 0.
  const rounded = (value, decimals) => String(Number(value.toFixed(decimals)));
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  return { canvasOf, clamp, colour, element, measure, ratio, rounded };
})();
