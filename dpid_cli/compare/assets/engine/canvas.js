"use strict";

// Pixels read from a canvas, where the browser tells the truth about them: some protect against fingerprinting by
// changing what is read.

const Canvases = (() => {
  const SIDE = 64; // of the pattern that tests a canvas
  let honest = null;

  function contextOf(width, height) {
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("this browser cannot draw an image so large");
    return context;
  }

  // Whether a canvas returns what was put into it.
  function isHonest() {
    if (honest !== null) return honest;
    const context = contextOf(SIDE, SIDE);
    const pattern = new ImageData(SIDE, SIDE);
    for (let k = 0, seed = 1; k < pattern.data.length; k++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      pattern.data[k] = k % 4 === 3 ? 255 : seed >>> 24;
    }
    context.putImageData(pattern, 0, 0);
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    honest = data.every((value, k) => value === pattern.data[k]);
    return honest;
  }

  // RGBA of what a function draws; null if the browser would change it.
  function pixelsOf(width, height, draw) {
    if (!isHonest()) return null;
    const context = contextOf(width, height);
    draw(context);
    return new Uint8Array(context.getImageData(0, 0, width, height).data.buffer);
  }

  return { isHonest, pixelsOf };
})();
