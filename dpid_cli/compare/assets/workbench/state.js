"use strict";

// One's own image, downscaled in the page: box on the left of a line, the chosen method on the right.

const $ = (id) => document.getElementById(id);
const view = $("picture");
const context = view.getContext("2d");
const worker = dpidWorker();
const MOST_ZOOM = 64;
const SQUARES = 8; // side of the squares behind transparent pixels, in screen pixels of ratio 1
const THEMES = ["auto", "light", "dark"];
const DEFAULTS = {
  dpid: { alpha: 0, epsilon: 0, noise: 0, variant: "sym", guidance: "gaussian" },
  dpp: { alpha: 0, epsilon: Math.sqrt(1e-3), noise: 0, variant: "sym", guidance: "box" },
};
const PARAMETERS = ["alpha", "epsilon", "noise", "variant", "guidance"];

// zoom: screen pixels for one pixel of the output; x, y: where its corner lies, in screen pixels.
const state = { image: null, size: [0, 0], by: "scale", zoom: 1, x: 0, y: 0, split: 0.5, ready: false };
// What is shown on each side: a canvas of a region of the output, and the settings it was made with.
const sides = { left: null, right: null };
const answers = new Map();
let requests = 0;

worker.onmessage = ({ data }) => {
  answers.get(data.id)?.(data);
  answers.delete(data.id);
};

function ask(message) {
  requests += 1;
  worker.postMessage({ id: requests, ...message });
  return new Promise((resolve) => answers.set(requests, resolve));
}

function say(error) {
  $("error").textContent = error;
}
