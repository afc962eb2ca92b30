"use strict";

// An image for the engine, and the windows of one output of it, with the means that have been computed.

const Layouts = (() => {
  const KEPT = 2; // outputs of an image and guidances of an output whose means are kept

  // The pixels that kernels read: of a transparent image, those with colours multiplied by alpha.
  function imageOf({ pixels, width, height, channels }) {
    const hasAlpha = channels === 2 || channels === 4;
    const weighted = hasAlpha && !Alpha.isOpaque(pixels, channels);
    const raster = {
      values: weighted ? Alpha.premultiplied(pixels, channels) : pixels,
      width,
      height,
      channels,
      unit: weighted ? 65535 : 255,
      single: !weighted && channels !== 2, // whether a pixel is one number for the kernels
    };
    return { weighted, raster, layouts: new Map() };
  }

  function remembered(map, key, make, most = KEPT) {
    const found = map.get(key) ?? make();
    map.delete(key);
    map.set(key, found); // as the last that was used
    if (map.size > most) map.delete(map.keys().next().value);
    return found;
  }

  // Rows hold channel j of window i at j * width + i.
  class Layout {
    constructor(raster, width, height) {
      Object.assign(this, { raster, width, height });
      this.d = raster.single ? Grid.grouped(raster.width, width) : 1;
      this.ys = Grid.axis(raster.height, height);
      this.xs = Grid.axis(raster.width / this.d, width);
      this.area = (raster.width / width) * (raster.height / height);
      this.length = raster.channels * width;
      this.known = new Map();
      this.distances = new Map();
    }

    // A row of what `fill(values, at)` computes, once.
    rowOf(name, row, fill) {
      const { height, length } = this;
      const make = () => ({ values: new Float32Array(height * length), done: new Uint8Array(height) });
      const kept = remembered(this.known, name, make);
      if (!kept.done[row]) fill(kept.values, row * length);
      kept.done[row] = 1;
      return kept.values.subarray(row * length, (row + 1) * length);
    }

    // `narrow`: in the order of the kernels for windows near 1:1.
    meansOf(row, narrow) {
      return this.rowOf(`means ${narrow}`, row, (means, at) =>
        Sums.meanRow(this.raster, this.ys, row, this.xs, this.d, narrow, means, at),
      );
    }

    guideOf(row, narrow, filter, name) {
      if (!filter) return this.meansOf(row, narrow);
      return this.rowOf(`${name} ${narrow}`, row, (guide, at) => {
        const { width, height, raster } = this;
        const near = [Math.max(row - 1, 0), row, Math.min(row + 1, height - 1)];
        const rows = near.map((y) => this.meansOf(y, narrow));
        const vertical = (row > 0 ? 2 : 0) + (row < height - 1 ? 1 : 0);
        for (let j = 0; j < raster.channels; j++) {
          const means = rows.map((line) => line.subarray(j * width, (j + 1) * width));
          Sums.filterRow(means, filter.kernels[j][vertical], filter.bias[j], guide, at + j * width, width);
        }
      });
    }

    // Those of the last reward are kept: they take more memory than anything else.
    distancesOf(reward, guidance) {
      const { joint, asymmetric, offset, floor } = reward;
      const name = JSON.stringify([guidance, joint, asymmetric, ...offset, ...floor]);
      return remembered(this.distances, name, () => new Quick.Distances(this, reward), 1);
    }

    spanOf() {
      const { values, channels, width } = this.raster;
      const here = { x0: 0, x1: 0, y0: 0, y1: 0, left: 1, right: 1, upper: 1, lower: 1 };
      return { values, channels, stride: width * channels, ...here };
    }

    // Set a span to the pixels of a window, and to how much of those at its edges belongs to it: first the rows.
    placeRow(span, row) {
      const { ys } = this;
      span.y0 = Grid.begin(ys, row);
      span.y1 = ys.first[row + 1];
      span.upper = Grid.coverage(ys, row, span.y0);
      span.lower = Grid.coverage(ys, row, span.y1 - 1);
    }

    placeColumns(span, i) {
      const { xs, d } = this;
      const head = xs.head[i];
      const tail = Math.fround(1 - xs.head[i + 1]);
      span.x0 = d * xs.first[i] - (head > 0 ? 1 : 0);
      span.x1 = d * xs.first[i + 1];
      span.right = tail;
      span.left = head > 0 ? head : span.x1 - span.x0 === 1 ? tail : 1;
    }
  }

  function layoutOf(image, width, height) {
    return remembered(image.layouts, `${width} ${height}`, () => new Layout(image.raster, width, height));
  }

  return { imageOf, layoutOf };
})();
