"use strict";

// Several files in one: a ZIP that stores them as they are.

const Archive = (() => {
  const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50];
  const UTF8 = 0x0800; // a flag: names are in UTF-8
  const FIRST_DAY = 0x21; // 1 January 1980: the same files give the same bytes

  function fields(...pairs) {
    const bytes = new Uint8Array(pairs.reduce((sum, [length]) => sum + length, 0));
    const numbers = new DataView(bytes.buffer);
    let at = 0;
    for (const [length, value] of pairs) {
      if (length === 4) numbers.setUint32(at, value, true);
      else numbers.setUint16(at, value, true);
      at += length;
    }
    return bytes;
  }

  // What the local and the central header of a file have in common.
  const facts = ({ name, content }) => [
    [2, UTF8], [2, 0], [2, 0], [2, FIRST_DAY], [4, Png.checksum(content)], [4, content.length], [4, content.length], [2, name.length], [2, 0],
  ];

  // `files`: names and contents as bytes.
  function zipped(files) {
    const entries = files.map(([name, content]) => ({ name: new TextEncoder().encode(name), content }));
    const [parts, directory] = [[], []];
    let at = 0;
    for (const entry of entries) {
      const header = fields([4, LOCAL], [2, 20], ...facts(entry));
      directory.push(fields([4, CENTRAL], [2, 20], [2, 20], ...facts(entry), [2, 0], [2, 0], [2, 0], [4, 0], [4, at]), entry.name);
      parts.push(header, entry.name, entry.content);
      at += header.length + entry.name.length + entry.content.length;
    }
    const length = directory.reduce((sum, part) => sum + part.length, 0);
    const end = fields([4, END], [2, 0], [2, 0], [2, entries.length], [2, entries.length], [4, length], [4, at], [2, 0]);
    return new Blob([...parts, ...directory, end], { type: "application/zip" });
  }

  return { zipped };
})();
