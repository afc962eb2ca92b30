"use strict";

// Text to what it was before it was compressed (embedding.py).

const Packed = (() => {
  const LETTERS = (() => {
    const numbers = new Uint8Array(128);
    let next = 0;
    for (let code = 33; code < 127; code++) if (!'"\\<'.includes(String.fromCharCode(code))) numbers[code] = next++;
    return numbers;
  })();

  // Two characters stand for 13 bits, a last one for 6.
  function bytesOf(text) {
    const pairs = text.length >> 1;
    const last = text.length % 2;
    const bytes = new Uint8Array((13 * pairs + 6 * last) >> 3);
    let [bits, count, at] = [0, 0, 0];
    const take = (value, length) => {
      bits = (bits << length) | value;
      for (count += length; count >= 8; ) bytes[at++] = bits >> (count -= 8);
      bits &= (1 << count) - 1;
    };
    for (let i = 0; i < 2 * pairs; i += 2) take(LETTERS[text.charCodeAt(i)] * 91 + LETTERS[text.charCodeAt(i + 1)], 13);
    if (last) take(LETTERS[text.charCodeAt(2 * pairs)], 6);
    return bytes;
  }

  async function inflated(text, length) {
    const inflate = new DecompressionStream("deflate-raw");
    const stream = new Blob([bytesOf(text)]).stream().pipeThrough(inflate);
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    if (bytes.length !== length) throw new Error("the embedded data are incomplete");
    return bytes;
  }

  return { inflated };
})();
