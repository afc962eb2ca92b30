"use strict";

// From a file to upright pixels of 8 bits. PNGs are decoded here. Other formats are decoded by the browser, and
// read without a canvas where it can do that, since some browsers falsify what is read from one.

const Opener = (() => {
  const MOST_PIXELS = 64e6;
  const ORIENTATION = 0x0112; // EXIF's tag
  const TURNS = [[1, 6, 3, 8], [2, 5, 4, 7]]; // as EXIF numbers them, by quarters, without and with a flip
  const JPEG_PROFILE = "ICC_PROFILE\0";

  // An error for the user, in one sentence.
  class Refused extends Error {}

  function text(bytes, at, length) {
    return String.fromCharCode(...bytes.subarray(at, at + length));
  }

  // How to turn an image, 1 to 8, from EXIF that begins with the header of a TIFF.
  function orientationOf(exif) {
    if (!exif || exif.length < 8) return 1;
    const numbers = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
    const little = text(exif, 0, 2) === "II";
    const directory = numbers.getUint32(4, little);
    if (directory + 2 > exif.length) return 1;
    const count = numbers.getUint16(directory, little);
    for (let k = 0; k < count; k++) {
      const at = directory + 2 + 12 * k;
      if (at + 12 > exif.length) return 1;
      if (numbers.getUint16(at, little) !== ORIENTATION) continue;
      const value = numbers.getUint16(at + 8, little);
      return value >= 1 && value <= 8 ? value : 1;
    }
    return 1;
  }

  function upright(image, orientation) {
    if (orientation === 1) return image;
    const { pixels, channels } = image;
    const swaps = orientation > 4;
    const [width, height] = swaps ? [image.height, image.width] : [image.width, image.height];
    const [across, down] = [[2, 3, 6, 7].includes(orientation), [3, 4, 7, 8].includes(orientation)];
    const turned = new Uint8Array(pixels.length);
    for (let y = 0, q = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [column, row] = [across ? width - 1 - x : x, down ? height - 1 - y : y];
        const p = (swaps ? column * image.width + row : row * image.width + column) * channels;
        for (let j = 0; j < channels; j++) turned[q++] = pixels[p + j];
      }
    }
    return { ...image, width, height, pixels: turned };
  }

  // Number of channels of a JPEG and its colour profile; nothing for other files.
  function jpegFacts(bytes) {
    const facts = { channels: 0, profile: [] };
    if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return facts;
    for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
      const marker = bytes[at + 1];
      if (marker === 0xff) {
        at += 1;
        continue;
      }
      const length = bytes[at + 2] * 256 + bytes[at + 3];
      const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
      if (isFrame) facts.channels = bytes[at + 9];
      if (marker === 0xe2 && text(bytes, at + 4, 12) === JPEG_PROFILE) {
        facts.profile[bytes[at + 16] - 1] = bytes.slice(at + 18, at + 2 + length);
      }
      if (marker === 0xda) break;
      at += 2 + length;
    }
    return facts;
  }

  // The chunk of a PNG that holds a colour profile.
  async function profileChunk(parts) {
    const profile = new Uint8Array(await new Blob(parts).arrayBuffer());
    const data = await Png.deflated([profile]);
    return ["iCCP", Uint8Array.from([...new TextEncoder().encode("ICC profile"), 0, 0, ...data])];
  }

  // BGRA becomes RGBA.
  function swapEnds(pixels) {
    for (let p = 0; p < pixels.length; p += 4) {
      const first = pixels[p];
      pixels[p] = pixels[p + 2];
      pixels[p + 2] = first;
    }
  }

  // Upright RGBA of a bitmap; null if the browser cannot copy it. In some browsers a frame is stored as the file
  // stores it, and says how to flip and rotate it; in others it is upright.
  async function readByFrame(bitmap) {
    const frame = new VideoFrame(bitmap, { timestamp: 0 });
    try {
      const { codedWidth: width, codedHeight: height, format } = frame;
      if (!["RGBA", "RGBX", "BGRA", "BGRX"].includes(format)) return null;
      const stored = new Uint8Array(frame.allocationSize());
      const [{ offset, stride }] = await frame.copyTo(stored);
      const pixels = new Uint8Array(4 * width * height);
      for (let y = 0, from = offset; y < height; y++, from += stride) {
        pixels.set(stored.subarray(from, from + 4 * width), 4 * y * width);
      }
      if (format.startsWith("B")) swapEnds(pixels);
      if (format.endsWith("X")) for (let p = 3; p < pixels.length; p += 4) pixels[p] = 255;
      const orientation = TURNS[frame.flip ? 1 : 0][(frame.rotation ?? 0) / 90];
      const turned = upright({ pixels, width, height, channels: 4 }, orientation);
      return turned.width === bitmap.width && turned.height === bitmap.height ? turned.pixels : null;
    } finally {
      frame.close();
    }
  }

  function readByCanvas(bitmap) {
    const { width, height } = bitmap;
    const pixels = Canvases.pixelsOf(width, height, (context) => context.drawImage(bitmap, 0, 0));
    if (pixels) return pixels;
    throw new Refused("this browser protects against fingerprinting and changes its pixels: open a PNG instead");
  }

  // RGBA without what says nothing: alpha that is opaque, and colours of a gray image.
  function compacted(pixels, width, height, isGray) {
    let opaque = true;
    for (let p = 3; p < pixels.length && opaque; p += 4) opaque = pixels[p] === 255;
    const channels = opaque ? (isGray ? 1 : 3) : 4;
    if (channels === 4) return { pixels, width, height, channels };
    const kept = new Uint8Array(width * height * channels);
    for (let p = 0, q = 0; p < pixels.length; p += 4) {
      for (let j = 0; j < channels; j++) kept[q++] = pixels[p + j];
    }
    return { pixels: kept, width, height, channels };
  }

  async function byBrowser(file, bytes) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    } catch {
      throw new Refused("this browser cannot read it as an image: use a PNG, JPEG or WebP");
    }
    try {
      const { width, height } = bitmap;
      checkPixels(width, height);
      const direct = typeof VideoFrame === "function" ? await readByFrame(bitmap).catch(() => null) : null;
      const { channels, profile } = jpegFacts(bytes);
      const image = compacted(direct ?? readByCanvas(bitmap), width, height, channels === 1);
      return { ...image, colours: profile.length > 0 ? [await profileChunk(profile)] : [], note: "" };
    } finally {
      bitmap.close();
    }
  }

  function checkPixels(width, height) {
    if (width * height > MOST_PIXELS) {
      throw new Refused(`it has more than ${MOST_PIXELS / 1e6} million pixels, the limit here: use dpid downscale`);
    }
  }

  async function byHand(bytes) {
    const header = PngReader.headerOf(bytes);
    checkPixels(header.width, header.height);
    if (header.bits > 8) return null;
    const { exif, ...image } = await PngReader.decoded(bytes);
    return { ...upright(image, orientationOf(exif)), note: "" };
  }

  // Width, height, channels, pixels, the chunks about colours for a PNG of the output, and a note or nothing.
  async function opened(file) {
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      if (!PngReader.isPng(bytes)) return await byBrowser(file, bytes);
      const image = await byHand(bytes);
      const note = "It has 16 bits a channel, of which 8 are used here.";
      return image ?? { ...(await byBrowser(file, bytes)), note };
    } catch (error) {
      if (error instanceof PngReader.Damaged) throw new Refused(`${file.name}: ${error.message}: open another file`);
      if (error instanceof Refused) throw new Refused(`${file.name}: ${error.message}`);
      throw new Refused(`${file.name}: it cannot be read: open another file`);
    }
  }

  return { opened };
})();
