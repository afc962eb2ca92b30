"use strict";

// Other workers with the same script, which compute some of the rows of large outputs. Each keeps a copy of the
// image, as pages without a server cannot share memory.

const Helpers = (() => {
  const MOST = 3;
  const [LEAST_PIXELS, MOST_BYTES] = [2e6, 1e8]; // of images for which helpers are started
  const WORTHWHILE = 1e6; // pixels of the image that a request must read
  const answers = new Map();
  let [script, workers] = ["", null];
  let requests = 0;

  // Workers that were given no script have no helpers.
  function use(text) {
    script = text;
  }

  // A page that lies on a disk may give no address to workers, but they can make one. Some browsers refuse that.
  function started() {
    const count = script ? Math.min(MOST, (navigator.hardwareConcurrency || 1) - 1) : 0;
    const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    try {
      return Array.from({ length: count }, () => startedOne(address));
    } catch {
      return [];
    }
  }

  function startedOne(address) {
    const worker = new Worker(address);
    worker.onerror = (event) => event.preventDefault();
    worker.onmessage = ({ data }) => {
      answers.get(data.id)(data);
      answers.delete(data.id);
    };
    return worker;
  }

  function ask(worker, message) {
    requests += 1;
    worker.postMessage({ ...message, id: requests });
    return new Promise((resolve) => answers.set(requests, resolve));
  }

  // Give helpers an image, if that pays. Returns what each has of it: its number there, once it has answered.
  function keep(image) {
    const pixels = image.width * image.height;
    if (pixels < LEAST_PIXELS || pixels * image.channels > MOST_BYTES) return [];
    workers ??= started();
    return workers.map((worker) => {
      const copy = { worker, number: null };
      ask(worker, { image }).then(({ image: number }) => (copy.number = number));
      return copy;
    });
  }

  function forget(copies) {
    for (const { worker, number } of copies) if (number !== null) ask(worker, { close: number });
  }

  // Let helpers compute the last rows of a task. Resolves to whether they did; they skip what is overtaken.
  async function share({ copies, raster }, task, request) {
    const ready = copies.filter(({ number }) => number !== null);
    const [left, top, right, bottom] = task.region;
    const [width, height] = request.size;
    const read = (((right - left) * (bottom - top)) / (width * height)) * raster.width * raster.height;
    if (ready.length === 0 || read < WORTHWHILE) return true;
    const rows = Math.ceil((bottom - top) / (ready.length + 1));
    task.end = Math.min(top + rows, bottom);
    const parts = ready.map(async ({ worker, number }, k) => {
      const from = top + (k + 1) * rows;
      if (from >= bottom) return true;
      const region = [left, from, right, Math.min(from + rows, bottom)];
      const { pixels, error } = await ask(worker, { ...request, ...task.found, image: number, region, png: false });
      if (error) throw new Error(error);
      if (pixels) task.pixels.set(pixels, (from - top) * task.length);
      return pixels !== undefined;
    });
    return (await Promise.all(parts)).every(Boolean);
  }

  return { use, keep, forget, share };
})();
