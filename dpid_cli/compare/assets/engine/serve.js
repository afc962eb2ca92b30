"use strict";

// The engine as a worker. The first message, { script }, may give it its own text, to share work with others.
// Further messages have an `id` that the answer repeats:
//   { id, image: { pixels, width, height, channels } }   keep an image         -> { id, image: number, ... }
//   { id, file }                                          open a file           -> { id, image: number, ... }
//   { id, image: number, size, method, ..., region }      compute pixels        -> { id, pixels, region, found }
//   { id, image: number, size, method, ..., png: true }   compute and encode    -> { id, png: Blob, found }
//   { id, close: number }                                 forget an image       -> { id }
// A request replaces older ones that have not begun, or would still take long, which are answered by
// { id, dropped: true }; pages that need several outputs give each a `lane` of its own. Requests with `later: true`
// wait for all others. Errors are answered by { id, error }.

const [SLICE, LONG] = [16, 100]; // milliseconds: of computing between two looks at the messages, and too long
const images = [];
const waiting = [];
let busy = false;

function answer(id, content, transfer = []) {
  self.postMessage({ id, ...content }, transfer);
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
  const copies = Helpers.keep({ pixels, width, height, channels });
  images.push({ ...Layouts.imageOf({ pixels, width, height, channels }), colours, copies });
  return { image: images.length - 1, width, height, channels, note };
}

function forget(number) {
  Helpers.forget(images[number].copies);
  images[number] = undefined;
}

function enqueue(request) {
  const { id, lane = "", later = false } = request;
  for (const other of waiting.filter((item) => item.lane === lane)) {
    if (other.task) other.overtaken = true;
    else drop(other);
  }
  waiting.push({ id, lane, later, request, task: null, parts: null, overtaken: false, spent: 0 });
  if (!busy) work();
}

function remove(item) {
  waiting.splice(waiting.indexOf(item), 1);
}

function drop(item) {
  remove(item);
  answer(item.id, { dropped: true });
}

async function work() {
  busy = true;
  for (; waiting.length > 0; await breathe()) {
    const next = waiting.find((item) => !item.later) ?? waiting[0];
    try {
      advance(next);
    } catch (error) {
      remove(next);
      answer(next.id, { error: error.message });
    }
  }
  busy = false;
}

// Compute some rows; the last of them may be computed by helpers meanwhile.
function advance(item) {
  const start = performance.now();
  if (!item.task) {
    const image = images[item.request.image];
    item.task = new Engine.Task(image, item.request);
    item.parts = Helpers.share(image, item.task, item.request);
    item.parts.catch(() => {}); // `finish` reports it, unless the item is dropped before
  }
  const { task } = item;
  while (!task.done && performance.now() < start + SLICE) task.computeRow();
  item.spent += performance.now() - start;
  if (task.done) {
    remove(item);
    finish(item).catch((error) => answer(item.id, { error: error.message }));
  } else if (item.overtaken && item.spent * (1 / task.progress - 1) > LONG) drop(item);
}

async function finish({ id, request, task, parts }) {
  if (!(await parts)) {
    answer(id, { dropped: true });
    return;
  }
  const { image, pixels, region, found } = task;
  if (!request.png) {
    answer(id, { pixels, region, found }, [pixels.buffer]);
    return;
  }
  const [left, top, right, bottom] = region;
  const output = { pixels, width: right - left, height: bottom - top, channels: image.raster.channels };
  answer(id, { png: await Png.encoded(output, image.colours), found });
}

self.onmessage = async ({ data }) => {
  try {
    if ("script" in data) Helpers.use(data.script);
    else if (data.file) answer(data.id, keep(await Opener.opened(data.file)));
    else if (typeof data.image === "object") answer(data.id, keep(data.image));
    else if ("close" in data) {
      forget(data.close);
      answer(data.id, {});
    } else enqueue(data);
  } catch (error) {
    answer(data.id, { error: error.message });
  }
};
