"use strict";

// Tell how many screen pixels a canvas covers, now and whenever that changes. Its size says so even where a browser
// tells the same ratio to all pages.
function onScreenPixels(canvas, act) {
  const observer = new ResizeObserver(([entry]) => {
    const box = entry.devicePixelContentBoxSize?.[0];
    const [columns, rows] = box
      ? [box.inlineSize, box.blockSize]
      : [canvas.clientWidth, canvas.clientHeight].map((side) => Math.round(side * devicePixelRatio));
    act(columns, rows, entry.contentRect.width);
  });
  try {
    observer.observe(canvas, { box: "device-pixel-content-box" });
  } catch {
    observer.observe(canvas); // this browser reports rounded sizes only
  }
}
