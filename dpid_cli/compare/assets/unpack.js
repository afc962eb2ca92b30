"use strict";

// Pixels without a canvas: text to streams, streams to pixels (embedding.py).

const Unpack = (() => {
  const TILE = 32;
  const LEVELS = [6, 24, 80];

  // Fill a channel of interleaved pixels, from the predictor of each tile and the streams of errors; `around` adds
  // up their sizes, as far as levels tell them apart. Only two rows are kept aside.
  function unpackPlane(pixels, channel, channels, [width, height], tiles, streams, around) {
    const columns = Math.ceil(width / TILE);
    const next = new Uint32Array(streams.length);
    const rows = Array.from({ length: 2 }, () => ({ values: new Uint8Array(width + 2), sizes: new Uint8Array(width + 2) }));
    for (let y = 0; y < height; y++) {
      const row = rows[y % 2];
      const line = tiles.subarray((y >> 5) * columns, ((y >> 5) + 1) * columns);
      unpackRow(row, rows[1 - (y % 2)], width, line, streams, next, around.subarray(y * width, (y + 1) * width));
      for (let x = 1, at = y * width * channels + channel; x <= width; x++, at += channels) pixels[at] = row.values[x];
    }
  }

  function unpackRow({ values, sizes }, { values: above, sizes: sizesAbove }, width, tiles, [first, second, third, fourth], next, around) {
    let [a, b, c, d] = next;
    let [left, size] = [above[1], 0];
    values[0] = left;
    for (let x = 1; x <= width; x++) {
      const activity = 2 * (size + sizesAbove[x] + sizesAbove[x - 1] + sizesAbove[x + 1]) + 3 * around[x - 1];
      let error = 0;
      if (activity <= LEVELS[0]) error = first[a++];
      else if (activity <= LEVELS[1]) error = second[b++];
      else if (activity <= LEVELS[2]) error = third[c++];
      else error = fourth[d++];
      const tile = tiles[(x - 1) >> 5];
      left = (tile === 0 ? error : error + predicted(tile, left, above[x], above[x - 1], above[x + 1])) & 255;
      values[x] = left;
      size = error < 128 ? error : 256 - error;
      sizes[x] = size;
      around[x - 1] = Math.min(255, around[x - 1] + size);
    }
    values[width + 1] = left;
    next.set([a, b, c, d]);
  }

  function predicted(tile, left, above, corner, right) {
    if (tile === 1) return (left + above) >> 1;
    if (tile === 2) return Math.min(Math.max(left + above - corner, Math.min(left, above)), Math.max(left, above));
    if (tile === 3) return (left + 2 * above + right) >> 2;
    return (left + above + corner + right) >> 2;
  }

  function crc32(bytes) {
    const table = crc32.table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
      for (let i = 0; i < 8; i++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
      return byte;
    });
    let crc = -1;
    for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]) & 255];
    return ~crc >>> 0;
  }

  // Green, red less green, blue less green to colours.
  function unmix(pixels, channels) {
    for (let i = 0; i < pixels.length; i += channels) {
      const green = pixels[i];
      pixels[i] = pixels[i + 1] + green;
      pixels[i + 1] = green;
      pixels[i + 2] += green;
    }
  }

  // Interleaved pixels of one image; `ok` says whether they are those that were embedded.
  async function unpacked({ size: [width, height], channels, mixed, counts, crc }, text) {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const data = await Packed.inflated(text, total);
    const around = new Uint8Array(width * height);
    const pixels = new Uint8Array(width * height * channels);
    let [at, part] = [0, 0];
    const take = () => data.subarray(at, (at += counts[part++]));
    for (let channel = 0; channel < channels; channel++) {
      unpackPlane(pixels, channel, channels, [width, height], take(), [take(), take(), take(), take()], around);
    }
    if (mixed) unmix(pixels, channels);
    return { pixels, width, height, channels, ok: crc32(pixels) === crc };
  }

  return { unpacked };
})();
