"use strict";

// The engine in a thread of its own.
//
// Messages to it, each with an `id` that the answer repeats:
//   { id, image: { pixels, width, height, channels } }   keep an image         -> { id, image: number, ... }
//   { id, file }                                          open a file           -> { id, image: number, ... }
//   { id, image: number, size, method, ..., region }      compute pixels        -> { id, pixels, region, found }
//   { id, image: number, size, method, ..., png: true }   compute and encode    -> { id, png: Blob }
//   { id, close: number }                                 forget an image       -> { id }
// A request replaces an older one with the same `lane` that has not begun, which is answered by
// { id, dropped: true }. Those with `later: true` wait for all others. Errors are answered by { id, error }.

// Start a worker of the scripts of this page that are marked for it; the policy of the page holds for it, too.
function dpidWorker() {
  const scripts = [...document.querySelectorAll("script[data-worker]")].map((script) => script.textContent);
  const source = new Blob([...scripts.flatMap((script) => [script, "\n"]), "dpidServe(self);"], { type: "text/javascript" });
  return new Worker(URL.createObjectURL(source));
}

function dpidServe(scope) {
  const SLICE = 16; // milliseconds of computing between two looks at the messages
  const images = [];
  const waiting = [];
  let busy = false;

  function answer(id, content, transfer = []) {
    scope.postMessage({ id, ...content }, transfer);
  }

  // Let messages that have arrived be handled.
  function breathe() {
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    });
  }

  function keep({ pixels, width, height, channels, colours = [], note = "" }) {
    images.push({ ...Layouts.imageOf({ pixels, width, height, channels }), colours });
    return { image: images.length - 1, width, height, channels, note };
  }

  function enqueue(request) {
    const { lane } = request;
    const older = lane === undefined ? -1 : waiting.findIndex((other) => other.lane === lane && !other.task);
    if (older >= 0) answer(waiting.splice(older, 1)[0].id, { dropped: true });
    waiting.push({ id: request.id, lane, later: request.later === true, request, task: null });
    if (!busy) work();
  }

  async function work() {
    busy = true;
    for (; waiting.length > 0; await breathe()) {
      const next = waiting.find((item) => !item.later) ?? waiting[0];
      try {
        await advance(next);
      } catch (error) {
        waiting.splice(waiting.indexOf(next), 1);
        answer(next.id, { error: error.message });
      }
    }
    busy = false;
  }

  async function advance(item) {
    const image = images[item.request.image];
    item.task ??= new Engine.Task(image, item.request);
    const { task, request, id } = item;
    for (const end = performance.now() + SLICE; !task.done && performance.now() < end; ) task.computeRow();
    if (!task.done) return;
    waiting.splice(waiting.indexOf(item), 1);
    const { pixels, region, found } = task;
    if (!request.png) {
      answer(id, { pixels, region, found }, [pixels.buffer]);
      return;
    }
    const [left, top, right, bottom] = region;
    const output = { pixels, width: right - left, height: bottom - top, channels: image.raster.channels };
    answer(id, { png: await Png.encoded(output, image.colours), found });
  }

  scope.onmessage = async ({ data }) => {
    try {
      if (data.file) answer(data.id, keep(await Opener.opened(data.file)));
      else if (typeof data.image === "object") answer(data.id, keep(data.image));
      else if ("close" in data) {
        images[data.close] = undefined;
        answer(data.id, {});
      } else enqueue(data);
    } catch (error) {
      answer(data.id, { error: error.message });
    }
  };
}
