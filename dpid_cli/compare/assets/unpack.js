"use strict";

// Pixels without a canvas: text to streams, streams to planes, planes to pixels (embedding.py).

const Unpack = (() => {
  const TILE = 32;
  const LEVELS = [6, 24, 80];

  const signed = (value) => (value << 24) >> 24;

  // Fill a plane, from the predictor of each tile and the streams of errors; `around` adds up their sizes.
  function unpackPlane(width, height, tiles, streams, around) {
    const across = width + 2;
    const plane = new Uint8Array(across * (height + 1));
    const sizes = new Uint8Array(across * (height + 1));
    const next = new Uint32Array(streams.length);
    const columns = Math.ceil(width / TILE);
    for (let y = 0; y < height; y++) {
      const start = (y + 1) * across;
      plane[start] = plane[start - across + 1];
      for (let x = 0; x < width; x++) {
        const at = start + x + 1;
        const above = at - across;
        const errors = sizes[at - 1] + sizes[above] + sizes[above - 1] + sizes[above + 1];
        const activity = 2 * errors + 3 * around[y * width + x];
        const level = activity > LEVELS[1] ? (activity > LEVELS[2] ? 3 : 2) : activity > LEVELS[0] ? 1 : 0;
        const error = streams[level][next[level]++];
        const tile = tiles[(y >> 5) * columns + (x >> 5)];
        plane[at] = error + (tile === 0 ? 0 : predicted(tile, plane[at - 1], plane[above], plane[above - 1], plane[above + 1]));
        const size = Math.abs(signed(error));
        sizes[at] = size;
        around[y * width + x] += size;
      }
      plane[start + width + 1] = plane[start + width];
    }
    return plane;
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

  // Interleaved pixels of one image; `ok` says whether they are those that were embedded.
  async function unpacked({ size: [width, height], channels, mixed, counts, crc, text }) {
    const total = counts.reduce((sum, count) => sum + count, 0);
    const data = await Packed.inflated(text, total);
    const around = new Uint16Array(width * height);
    const pixels = new Uint8Array(width * height * channels);
    let [at, part] = [0, 0];
    const take = () => data.subarray(at, (at += counts[part++]));
    const planes = [];
    for (let channel = 0; channel < channels; channel++) {
      const tiles = take();
      planes.push(unpackPlane(width, height, tiles, [take(), take(), take(), take()], around));
    }
    for (let y = 0, i = 0; y < height; y++) {
      for (let p = (y + 1) * (width + 2) + 1, end = p + width; p < end; p++, i += channels) {
        const first = planes[0][p];
        if (mixed) {
          pixels[i] = planes[1][p] + first;
          pixels[i + 1] = first;
          pixels[i + 2] = planes[2][p] + first;
        } else {
          for (let channel = 0; channel < Math.min(3, channels); channel++) pixels[i + channel] = planes[channel][p];
        }
        if (channels === 4) pixels[i + 3] = planes[3][p];
      }
    }
    return { pixels, width, height, channels, ok: crc32(pixels) === crc };
  }

  return { unpacked };
})();
