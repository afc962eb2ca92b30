"use strict";

// A worker of the engine, whose text the page holds in an inert element. The policy of the page holds for it, too.
function dpidWorker() {
  const source = new Blob([document.getElementById("engine").textContent], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(source));
}
