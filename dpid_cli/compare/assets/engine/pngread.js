"use strict";

// A PNG decoder for up to 8 bits: exact bytes, whatever the browser does to those of a canvas.

const PngReader = (() => {
  const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }; // by colour type
  const COLOURS = ["cICP", "iCCP", "sRGB", "gAMA", "cHRM"]; // chunks that say how colours look
  // Left and upper edge, and distances between columns and rows, of the passes of an interlaced image.
  const PASSES = [
    [0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2],
  ];

  class Damaged extends Error {}

  function isPng(bytes) {
    return Png.SIGNATURE.every((byte, k) => bytes[k] === byte);
  }

  function chunksOf(bytes) {
    const numbers = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const chunks = [];
    for (let at = 8; at + 12 <= bytes.length; ) {
      const length = numbers.getUint32(at);
      const end = at + 8 + length;
      if (end + 4 > bytes.length) break;
      const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
      const isCritical = (bytes[at + 4] & 0x20) === 0;
      if (isCritical && Png.checksum(bytes.subarray(at + 4, end)) !== numbers.getUint32(end)) {
        throw new Damaged(`its chunk ${name} has a wrong checksum`);
      }
      chunks.push({ name, content: bytes.subarray(at + 8, end) });
      if (name === "IEND") break;
      at = end + 4;
    }
    return chunks;
  }

  function headerOf(bytes) {
    const [first] = chunksOf(bytes.subarray(0, 33));
    if (!first || first.name !== "IHDR" || first.content.length !== 13) throw new Damaged("its header is missing");
    const numbers = new DataView(first.content.buffer, first.content.byteOffset, 13);
    const [width, height] = [numbers.getUint32(0), numbers.getUint32(4)];
    const [bits, type, , , interlace] = first.content.subarray(8);
    if (width === 0 || height === 0 || !(type in CHANNELS)) throw new Damaged("its header is damaged");
    return { width, height, bits, type, interlaced: interlace === 1 };
  }

  // Decompress to as many bytes as expected; a hostile file may hold more.
  async function inflated(parts, length) {
    const result = new Uint8Array(length);
    const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
    const reader = stream.getReader();
    let at = 0;
    try {
      for (let next = await reader.read(); !next.done && at < length; next = await reader.read()) {
        const part = next.value.subarray(0, length - at);
        result.set(part, at);
        at += part.length;
      }
    } catch {
      if (at < length) throw new Damaged("its pixels are damaged");
    }
    reader.cancel().catch(() => {});
    if (at < length) throw new Damaged("it is truncated");
    return result;
  }

  // Undo the filters of rows of `stride` bytes in place; returns the position behind them.
  function unfilter(data, at, rows, stride, step) {
    let before = new Uint8Array(stride);
    for (let y = 0; y < rows; y++, at += stride + 1) {
      const rule = data[at];
      const row = data.subarray(at + 1, at + 1 + stride);
      if (rule > 4) throw new Damaged("its pixels are damaged");
      for (let k = 0; k < stride && rule > 0; k++) {
        const a = k >= step ? row[k - step] : 0;
        const b = before[k];
        const c = k >= step ? before[k - step] : 0;
        row[k] += rule === 1 ? a : rule === 2 ? b : rule === 3 ? (a + b) >> 1 : Png.predicted(a, b, c);
      }
      before = row;
    }
    return at;
  }

  // The passes that have pixels, with the bytes of their rows.
  function passesOf({ width, height, bits, type, interlaced }) {
    return (interlaced ? PASSES : [[0, 0, 1, 1]])
      .map(([left, top, across, down]) => {
        const columns = Math.ceil((width - left) / across);
        const rows = Math.ceil((height - top) / down);
        return { left, top, across, down, columns, rows, stride: Math.ceil((columns * CHANNELS[type] * bits) / 8) };
      })
      .filter(({ columns, rows }) => columns > 0 && rows > 0);
  }

  // Samples of up to 8 bits, one a byte, in the order of the image.
  function samplesOf(header, data) {
    const { width, height, bits, type } = header;
    const channels = CHANNELS[type];
    const samples = new Uint8Array(width * height * channels);
    let at = 0;
    for (const { left, top, across, down, columns, rows, stride } of passesOf(header)) {
      const end = unfilter(data, at, rows, stride, Math.max(1, (channels * bits) >> 3));
      for (let y = 0; y < rows; y++, at += stride + 1) {
        for (let x = 0; x < columns; x++) {
          const target = ((top + y * down) * width + left + x * across) * channels;
          if (bits === 8) {
            for (let j = 0; j < channels; j++) samples[target + j] = data[at + 1 + x * channels + j];
          } else {
            const position = x * bits;
            const shift = 8 - bits - (position & 7);
            samples[target] = (data[at + 1 + (position >> 3)] >> shift) & ((1 << bits) - 1);
          }
        }
      }
      at = end;
    }
    return samples;
  }

  // Look up a palette: RGB, or RGBA if an entry is transparent.
  function lookedUp(indices, palette, transparency) {
    const channels = transparency ? 4 : 3;
    const pixels = new Uint8Array(indices.length * channels);
    for (let k = 0; k < indices.length; k++) {
      for (let j = 0; j < 3; j++) pixels[k * channels + j] = palette[3 * indices[k] + j] ?? 0;
      if (transparency) pixels[4 * k + 3] = transparency[indices[k]] ?? 255;
    }
    return pixels;
  }

  // Add alpha: 0 for pixels of one colour.
  function withTransparentColour(samples, channels, colour) {
    const pixels = new Uint8Array((samples.length / channels) * (channels + 1));
    for (let p = 0, q = 0; p < samples.length; p += channels) {
      let same = true;
      for (let j = 0; j < channels; j++) {
        pixels[q++] = samples[p + j];
        same = same && samples[p + j] === colour[j];
      }
      pixels[q++] = same ? 0 : 255;
    }
    return pixels;
  }

  function pixelsOf({ bits, type }, samples, contents) {
    const transparency = contents.get("tRNS");
    if (type === 3) {
      const palette = contents.get("PLTE");
      if (!palette) throw new Damaged("its palette is missing");
      return lookedUp(samples, palette, transparency);
    }
    const most = (1 << bits) - 1;
    if (bits < 8) for (let k = 0; k < samples.length; k++) samples[k] *= 255 / most;
    if (!transparency || type > 3) return samples;
    const colour = Array.from({ length: CHANNELS[type] }, (_, j) => (transparency[2 * j + 1] & most) * (255 / most));
    return withTransparentColour(samples, CHANNELS[type], colour);
  }

  // The image in a PNG of up to 8 bits: width, height, channels, pixels, chunks about colours, and EXIF.
  async function decoded(bytes) {
    const header = headerOf(bytes);
    const chunks = chunksOf(bytes);
    if (chunks.at(-1).name !== "IEND") throw new Damaged("it is truncated");
    const contents = new Map(chunks.map(({ name, content }) => [name, content]));
    const length = passesOf(header).reduce((sum, { rows, stride }) => sum + rows * (stride + 1), 0);
    const compressed = chunks.filter(({ name }) => name === "IDAT").map(({ content }) => content);
    const pixels = pixelsOf(header, samplesOf(header, await inflated(compressed, length)), contents);
    const { width, height } = header;
    const colours = COLOURS.filter((name) => contents.has(name)).map((name) => [name, contents.get(name).slice()]);
    return { width, height, channels: pixels.length / (width * height), pixels, colours, exif: contents.get("eXIf") };
  }

  return { Damaged, isPng, headerOf, decoded };
})();
