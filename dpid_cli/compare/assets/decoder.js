"use strict";

// The worker that decodes pixels: { packed, text } is answered by the pixels, or by { error }.

onmessage = async ({ data: { packed, text } }) => {
  try {
    const image = await Unpack.unpacked(packed, text);
    postMessage(image, [image.pixels.buffer]);
  } catch (error) {
    postMessage({ error: error.message });
  }
};
