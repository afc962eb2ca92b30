"use strict";

// Colours multiplied by alpha while they are averaged, and divided by it afterwards: dpid_cli/convert/alpha.py.

const Alpha = (() => {
  const { round } = Single;
  const [FULL, INVISIBLE] = [65535, 2 ** -24];

  function isOpaque(pixels, channels) {
    for (let p = channels - 1; p < pixels.length; p += channels) if (pixels[p] < 255) return false;
    return true;
  }

  // 16 bits, enough to undo it.
  function premultiplied(pixels, channels) {
    const products = new Uint16Array(pixels.length);
    for (let p = 0; p < pixels.length; p += channels) {
      const alpha = pixels[p + channels - 1];
      for (let j = 0; j < channels - 1; j++) {
        products[p + j] = Math.floor((pixels[p + j] * alpha * 257 + 127) / 255);
      }
      products[p + channels - 1] = alpha * 257;
    }
    return products;
  }

  function byte(intensity) {
    return Math.floor(round(round(Math.min(Math.max(intensity, 0), 1) * 255) + 0.5));
  }

  // A colour of 16 bits, divided by the alpha of its pixel.
  function straight(colour, alpha) {
    const share = round(alpha / FULL);
    return share >= INVISIBLE ? byte(round(round(colour / FULL) / share)) : 0;
  }

  function opacity(alpha) {
    return byte(round(alpha / FULL));
  }

  // Bytes of pixels of 16 bits.
  function unpremultiply(levels, channels, bytes) {
    for (let p = 0; p < bytes.length; p += channels) {
      const alpha = levels[p + channels - 1];
      for (let j = p; j < p + channels - 1; j++) bytes[j] = straight(levels[j], alpha);
      bytes[p + channels - 1] = opacity(alpha);
    }
  }

  return { isOpaque, premultiplied, straight, opacity, unpremultiply };
})();
