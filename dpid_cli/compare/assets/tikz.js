"use strict";

// This view for LaTeX: TikZ code, and the pixels of each image as a PNG, in a ZIP.

const Tikz = (() => {
  const isKnown = (c) => (c >= " " && c <= "~") || (c >= "\u00c0" && c <= "\u017f");
  const escaped = (text) => [...text].map((c) => data.tex.special[c] ?? (isKnown(c) ? c : "?")).join("");
  // A comment ends with its line.
  const comment = (text) => `% ${text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "?")}`;

  function label({ text, ends, at }, shared, width) {
    const style = [`anchor=south ${ends ? "east" : "west"}`, "font=\\footnotesize"];
    if (shared) style.push(`text width=0.48\\dpidwidth,align=${ends ? "right" : "left"}`);
    return `\\node[${style.join(",")}] at (${ends ? width : at},-4) {\\strut ${escaped(text)}};`;
  }

  function code(figure, names, notes) {
    const { panels, labels, top, height } = figure;
    const last = panels[panels.length - 1];
    const width = last.x + last.image.width;
    const high = height - top;
    const colours = { "#000000": "black", "#ffffff": "white" };
    const nodes = panels.map(({ image, x }, k) => {
      const size = `width=${image.width}\\dpidpixel,height=${high}\\dpidpixel`;
      return `\\node[anchor=north west] at (${x},0) {\\includegraphics[${size}]{${names[k]}}};`;
    });
    const lines = Figure.dividerOf(figure).map(([colour, x, , wide]) => `\\fill[${colours[colour]}] (${x},0) rectangle (${x + wide},${high});`);
    return [
      ...notes.map(comment),
      comment("Compile this file, or \\input it into a document that has \\usepackage{tikz}. Set \\dpidwidth before to change its width."),
      data.tex.preamble.trimEnd(),
      "\\providecommand{\\dpidwidth}{\\linewidth}",
      "\\ifdefined\\dpidpixel\\else\\newdimen\\dpidpixel\\fi",
      `\\dpidpixel=\\dimexpr\\dpidwidth/${width}\\relax`,
      "\\ifdefined\\dpidend\\noindent\\fi",
      "\\begin{tikzpicture}[x=\\dpidpixel,y=-\\dpidpixel,inner sep=0pt,outer sep=0pt]",
      ...nodes,
      ...lines,
      ...labels.map((one) => label(one, labels.length > 1, width)),
      "\\end{tikzpicture}",
      "\\ifdefined\\dpidend\\expandafter\\dpidend\\fi",
      "",
    ].join("\n");
  }

  // A file name that needs no care in LaTeX.
  const plain = (stem) => stem.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "") || "figure";

  async function zipped(figure, stem, notes) {
    const name = plain(stem);
    const names = figure.panels.map((_, k) => `${name}-${k + 1}.png`);
    const images = await Promise.all(figure.panels.map(async ({ image }) => new Uint8Array(await (await Png.encoded(image)).arrayBuffer())));
    const text = new TextEncoder().encode(code(figure, names, notes));
    return Archive.zipped([[`${name}.tex`, text], ...images.map((content, k) => [names[k], content])]);
  }

  return { zipped };
})();
