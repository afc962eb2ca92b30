"use strict";

// Decodes the pixels in the page: in workers, so that the page answers meanwhile, what is waited for first.

const Decoding = (() => {
  const MOST = 2; // workers
  const IDLE = 1000; // milliseconds without work after which they end, to free their memory
  const waiting = [];
  const idle = [];
  let [started, isHere, timer] = [0, false, 0]; // isHere: no worker can be started, so that pixels are decoded here

  function start() {
    started += 1;
    try {
      const script = $("decoder").textContent;
      const worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
      worker.onmessage = ({ data: image }) => finish(worker, image);
      worker.onerror = (event) => {
        event.preventDefault();
        isHere = true;
        for (const job of [worker.job, ...waiting.splice(0)]) if (job) decodeHere(job);
      };
      idle.push(worker);
    } catch {
      isHere = true;
    }
  }

  function finish(worker, image) {
    const { resolve, reject } = worker.job;
    worker.job = null;
    idle.push(worker);
    if (image.error) reject(new Error(image.error));
    else resolve(image);
    next();
    clearTimeout(timer);
    timer = setTimeout(end, IDLE);
  }

  function end() {
    started -= idle.length;
    for (const worker of idle.splice(0)) worker.terminate();
  }

  // Browsers show the first pair before they have loaded what follows.
  async function textOf({ element }) {
    while (!$(element) && document.readyState === "loading") {
      await new Promise((resolve) => document.addEventListener("readystatechange", resolve, { once: true }));
    }
    return $(element).textContent;
  }

  async function decodeHere({ packed, resolve, reject }) {
    try {
      resolve(await Unpack.unpacked(packed, await textOf(packed)));
    } catch (error) {
      reject(error);
    }
  }

  async function next() {
    if (!isHere && started < MOST && waiting.length > idle.length) start();
    if (!waiting.length || !(isHere || idle.length)) return;
    const job = waiting.splice(Math.max(0, waiting.findIndex(({ isUrgent }) => isUrgent)), 1)[0];
    if (isHere) return decodeHere(job);
    const worker = idle.shift();
    worker.job = job;
    try {
      worker.postMessage({ packed: job.packed, text: await textOf(job.packed) });
    } catch (error) {
      finish(worker, { error: error.message });
    }
  }

  // The pixels of an embedded image.
  function unpacked(packed, isUrgent) {
    return new Promise((resolve, reject) => {
      waiting.push({ packed, isUrgent, resolve, reject });
      next();
    });
  }

  function hurry(packed) {
    for (const job of waiting) if (job.packed === packed) job.isUrgent = true;
  }

  return { hurry, unpacked };
})();
