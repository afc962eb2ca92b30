"use strict";

// The windows of an output along one axis: dpid_cli/downscaling/grid.py.

const Grid = (() => {
  const WORTHWHILE_RUN = 8; // windows of the same length, from which kernels follow runs
  const FEW = 16; // at most one of so many windows has two columns, where kernels take pairs

  // Window i has the pixels first[i] .. first[i + 1] - 1, and the part head[i] of the pixel before them.
  function axis(source, target) {
    const first = new Int32Array(target + 1);
    const head = new Float32Array(target + 1);
    for (let i = 0; i <= target; i++) {
      first[i] = Math.ceil((i * source) / target);
      if (first[i] * target < i * source) first[i] += 1;
      if ((first[i] - 1) * target >= i * source) first[i] -= 1;
      head[i] = (first[i] * target - i * source) / target;
    }
    let runs = 1;
    for (let i = 1; i < target; i++) {
      if (first[i + 1] - first[i] !== first[i] - first[i - 1]) runs += 1;
    }
    const even = runs === 1 || runs * WORTHWHILE_RUN <= target;
    return {
      source,
      target,
      first,
      head,
      even,
      cut: source % target !== 0,
      narrow: even && source > target && FEW * (source - target) <= target,
    };
  }

  function begin(axis, i) {
    return axis.head[i] > 0 ? axis.first[i] - 1 : axis.first[i];
  }

  // How much of pixel k belongs to window i.
  function coverage(axis, i, k) {
    if (k < axis.first[i]) return axis.head[i];
    return k === axis.first[i + 1] - 1 ? Math.fround(1 - axis.head[i + 1]) : 1;
  }

  // How many columns of pixels count as one, where each pixel is one number.
  function grouped(source, target) {
    const [width, cut] = [Math.floor(source / target), source % target];
    return cut ? 1 : [4, 3, 2, 1].find((n) => width % n === 0);
  }

  return { axis, begin, coverage, grouped };
})();
