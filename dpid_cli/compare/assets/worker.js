"use strict";

// A worker of the engine, whose text the page holds in an inert element. The policy of the page holds for it, too.
function dpidWorker() {
  const script = document.getElementById("engine").textContent;
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  worker.postMessage({ script }); // for workers of its own
  return worker;
}
