"use strict";

// PNG: chunks, and an encoder of 8 bits that filters rows as `dpid downscale` does.

const Png = (() => {
  const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
  const COLOUR_TYPES = [0, 0, 4, 2, 6]; // by channels
  const PART = 1 << 20; // bytes of filtered rows that are compressed at a time
  const remainders = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });

  function checksum(bytes) {
    let sum = 0xffffffff;
    for (let k = 0; k < bytes.length; k++) sum = remainders[(sum ^ bytes[k]) & 0xff] ^ (sum >>> 8);
    return (sum ^ 0xffffffff) >>> 0;
  }

  function chunk(name, content) {
    const bytes = new Uint8Array(content.length + 12);
    const numbers = new DataView(bytes.buffer);
    numbers.setUint32(0, content.length);
    for (let k = 0; k < 4; k++) bytes[4 + k] = name.charCodeAt(k);
    bytes.set(content, 8);
    numbers.setUint32(content.length + 8, checksum(bytes.subarray(4, content.length + 8)));
    return bytes;
  }

  function predicted(a, b, c) {
    const [left, up, corner] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
    if (left <= up && left <= corner) return a;
    return up <= corner ? b : c;
  }

  // Sum of absolute values of filtered bytes, as signed ones.
  function cost(line) {
    let sum = 0;
    for (let k = 1; k < line.length; k++) sum += line[k] < 128 ? line[k] : 256 - line[k];
    return sum;
  }

  // Filter a row by each rule, and keep the one with the smallest sum; the first byte is the number of the rule.
  function filterRow(row, before, step, lines, target) {
    const [none, sub, up, average, paeth] = lines;
    for (let k = 0; k < row.length; k++) {
      const value = row[k];
      const a = k >= step ? row[k - step] : 0;
      const b = before[k];
      const c = k >= step ? before[k - step] : 0;
      none[k + 1] = value;
      sub[k + 1] = value - a;
      up[k + 1] = value - b;
      average[k + 1] = value - ((a + b) >> 1);
      paeth[k + 1] = value - predicted(a, b, c);
    }
    let best = 0;
    const costs = lines.map(cost);
    for (let rule = 1; rule < 5; rule++) if (costs[rule] < costs[best]) best = rule;
    target.set(lines[best]);
  }

  // Parts of filtered rows, one at a time.
  function* filteredParts({ pixels, width, height, channels }) {
    const stride = width * channels;
    const lines = [0, 1, 2, 3, 4].map((rule) => new Uint8Array(stride + 1).fill(rule, 0, 1));
    let before = new Uint8Array(stride);
    const rows = Math.max(1, Math.floor(PART / (stride + 1)));
    for (let top = 0; top < height; top += rows) {
      const part = new Uint8Array(Math.min(rows, height - top) * (stride + 1));
      for (let at = 0, y = top; at < part.length; at += stride + 1, y++) {
        const row = pixels.subarray(y * stride, (y + 1) * stride);
        filterRow(row, before, channels, lines, part.subarray(at, at + stride + 1));
        before = row;
      }
      yield part;
    }
  }

  async function deflated(parts) {
    const stream = new CompressionStream("deflate");
    const result = new Response(stream.readable).arrayBuffer();
    const writer = stream.writable.getWriter();
    for (const part of parts) await writer.write(part);
    await writer.close();
    return new Uint8Array(await result);
  }

  // A PNG file of pixels with 1 to 4 channels. `chunks`: others to write before the pixels, as [name, content].
  async function encoded(image, chunks = []) {
    const header = new Uint8Array(13);
    const numbers = new DataView(header.buffer);
    numbers.setUint32(0, image.width);
    numbers.setUint32(4, image.height);
    header.set([8, COLOUR_TYPES[image.channels], 0, 0, 0], 8);
    const data = await deflated(filteredParts(image));
    const others = chunks.map(([name, content]) => chunk(name, content));
    const parts = [chunk("IHDR", header), ...others, chunk("IDAT", data), chunk("IEND", [])];
    return new Blob([Uint8Array.from(SIGNATURE), ...parts], { type: "image/png" });
  }

  return { SIGNATURE, checksum, predicted, deflated, encoded };
})();
