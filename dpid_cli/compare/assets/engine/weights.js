"use strict";

// How much a pixel counts, and the weighted sums of a window in the order of the compiled kernels:
// dpid_cli/kernels/rewards.py and windows.py, dpid_cli/downscaling/rewards.py.

const Weights = (() => {
  const { round, fused } = Single;
  const SAFE_LAMBDA = 4; // up to it, no power underflows
  const [LARGEST_EXPONENT, LARGEST_EPSILON, LARGEST_SHARE] = [1e30, 1e9, 1e30];
  const root = (u) => round(Math.sqrt(u));
  // Powers that kernels for bytes compute as products of roots, by lambda.
  const PRODUCTS = new Map([
    [0.25, (u) => root(root(root(u)))],
    [0.5, (u) => root(root(u))],
    [0.75, (u) => round(root(root(u)) * root(root(root(u))))],
    [1.5, (u) => round(root(u) * root(root(u)))],
    [3, (u) => round(u * root(u))],
    [4, (u) => round(u * u)],
  ]);

  // The weight alpha + max(m**2 + offset, floor) ** exponent of a pixel that differs by m from its guidance.
  function rewardOf(raster, request) {
    const { lambda, alpha, epsilon, noise } = request;
    const { unit, channels } = raster;
    const joint = request.method === "dpid";
    const together = joint ? channels : 1;
    let variances = Array.from({ length: channels }, (_, j) => ((Array.isArray(noise) ? noise[j] : noise) * unit) ** 2);
    if (joint) variances = [variances.reduce((sum, v) => sum + v)];
    const epsilon2 = (Math.min(epsilon, LARGEST_EPSILON) * unit) ** 2;
    const exponent = Math.min(lambda / 2, LARGEST_EXPONENT);
    const scaled = lambda > SAFE_LAMBDA || epsilon > 1;
    const product = scaled || !raster.single ? undefined : PRODUCTS.get(lambda);
    const single = round(exponent);
    return {
      joint,
      distances: joint ? 1 : channels,
      exponent,
      alpha,
      offset: Float32Array.from(variances, (v) => epsilon2 - (1 + 4 / together) * v),
      floor: Float32Array.from(variances, (v) => epsilon2 + v),
      asymmetric: request.variant === "asym",
      scaled,
      fast: lambda !== 1 && lambda !== 2 && product === undefined,
      raised: lambda === 2 ? (u) => u : lambda === 1 ? root : product || ((u) => Single.power(u, single)),
    };
  }

  // The weight that alpha gives to a window, where u has been multiplied by a factor.
  function shareOf(reward, area, base) {
    if (reward.alpha === 0) return 0;
    const octaves = Math.log2(reward.alpha) + Math.log2(area);
    const power = octaves + reward.exponent * Math.log2(Math.max(base, 2 ** -1022));
    return round(2 ** Math.min(Math.max(power, -1000), Math.log2(LARGEST_SHARE)));
  }

  class Window {
    constructor({ raster, ys, xs, d }, reward) {
      Object.assign(this, { raster, ys, xs, d, reward });
      const [columns, { channels }] = [Math.ceil(xs.source / xs.target) + 1, raster];
      this.narrow = xs.narrow && !reward.scaled;
      this.totals = Array.from({ length: channels }, () => new Float32Array(columns + 1));
      this.weights = Array.from({ length: reward.distances }, () => new Float32Array(columns + 1));
      this.where = new Int32Array(8);
      this.covers = new Float32Array(8);
      this.u = new Float32Array(4);
      this.x = new Float32Array(4);
      this.scale = new Float32Array(4);
      this.f = new Float32Array(4); // of a bunch: weights and their sums, and sums of weighted differences
      this.g = new Float32Array(4);
      this.e = new Float32Array(4);
      this.first = new Float32Array(4);
      this.before = new Float32Array(4);
      this.total = new Float32Array(4);
      this.weight = new Float32Array(4);
    }

    // Differences and u of the pixel at an address.
    distance(address) {
      const { raster, reward, guide, u, x } = this;
      const { channels } = raster;
      for (let j = 0; j < channels; j++) {
        x[j] = raster.values[address + j] - guide[j];
        const m = reward.asymmetric && x[j] < 0 ? 0 : x[j];
        const k = reward.joint ? 0 : j;
        u[k] = fused(m, m, reward.joint && j > 0 ? u[0] : reward.offset[k]);
      }
      for (let k = 0; k < reward.distances; k++) u[k] = Math.max(u[k], reward.floor[k]);
    }

    // Add n pixels to a number of each plane: kernels add them up before they read the plane.
    addBunch(n, slot) {
      const { raster, reward, where, covers, u, x, scale } = this;
      const { channels } = raster;
      const { joint, distances, scaled, raised } = reward;
      const { f, g, e, first, before } = this;
      f.fill(0);
      for (let q = 0; q < n; q++) {
        this.distance(where[q]);
        for (let k = 0; k < distances; k++) {
          const part = scaled ? Math.min(round(u[k] * scale[k]), 1) : u[k];
          g[k] = covers[q] * raised(part);
          f[k] += g[k];
        }
        for (let j = 0; j < channels; j++) {
          const weight = joint ? g[0] : g[j];
          if (q === 0) {
            first[j] = weight;
            before[j] = x[j];
            e[j] = weight * x[j];
          } else if (q === 1) e[j] = fused(first[j], before[j], round(weight * x[j]));
          else e[j] = fused(weight, x[j], e[j]);
        }
      }
      for (let k = 0; k < distances; k++) this.weights[k][slot] += f[k];
      for (let j = 0; j < channels; j++) this.totals[j][slot] += e[j];
    }

    addPixel(n, y, x, cover) {
      const { width, channels } = this.raster;
      this.where[n] = (y * width + x) * channels;
      this.covers[n] = cover;
      return n + 1;
    }

    // Add a column of d pixels side by side to a slot.
    addColumn(row, x, d, slot) {
      const { ys, reward } = this;
      const stop = ys.first[row + 1];
      const inTurn = d > 1 && reward.fast && !reward.joint;
      const rows = d > 2 && !inTurn ? 1 : 2;
      for (let y = Grid.begin(ys, row); y < stop; y += rows) {
        const last = Math.min(y + rows, stop);
        for (let i = 0; i < (inTurn ? d : 1); i++) {
          let n = 0;
          for (let z = y; z < last; z++) {
            const cover = Grid.coverage(ys, row, z);
            if (inTurn) n = this.addPixel(n, z, x + i, cover);
            else for (let k = 0; k < d; k++) n = this.addPixel(n, z, x + k, cover);
          }
          this.addBunch(n, slot);
        }
      }
    }

    // Near 1:1, both pixels of a pair in one or two rows.
    addPair(row, x, first, second) {
      const { ys, reward, raster } = this;
      const [stop, rows] = [ys.first[row + 1], reward.fast ? 1 : 2];
      const next = Math.min(x + 1, raster.width - 1);
      for (let y = Grid.begin(ys, row); y < stop; y += rows) {
        let n = 0;
        for (let z = y; z < Math.min(y + rows, stop); z++) {
          const cover = Grid.coverage(ys, row, z);
          n = this.addPixel(n, z, x, round(cover * first));
          n = this.addPixel(n, z, next, round(cover * second));
        }
        this.addBunch(n, 0);
      }
    }

    // Set the factors by which u is divided by its largest value.
    rescale(row, i) {
      const { ys, xs, d, reward, scale, u, raster } = this;
      const rounding = 8 * 2 ** -23;
      const slack = reward.exponent * rounding > 0.01 ? 1 + rounding : 1;
      const largest = new Float32Array(4);
      const from = d * xs.first[i] - (xs.head[i] > 0 ? 1 : 0);
      for (let y = Grid.begin(ys, row); y < ys.first[row + 1]; y++) {
        for (let x = from; x < d * xs.first[i + 1]; x++) {
          this.distance((y * raster.width + x) * raster.channels);
          for (let k = 0; k < reward.distances; k++) largest[k] = Math.max(largest[k], u[k]);
        }
      }
      for (let k = 0; k < reward.distances; k++) scale[k] = largest[k] > 1e-37 ? slack / largest[k] : 0;
    }

    // What alpha's share follows, where u has been rescaled.
    baseOf(k) {
      return this.scale[k] > 0 ? this.scale[k] * this.raster.unit ** 2 : 1;
    }

    // Weighted differences from the guidance, `total`, and weights of a window.
    add(row, i, guide) {
      const { xs, d, reward, totals, weights } = this;
      const p = xs.first[i + 1] - xs.first[i];
      this.guide = guide;
      for (const plane of totals) plane.fill(0);
      for (const plane of weights) plane.fill(0);
      if (reward.scaled) this.rescale(row, i);
      if (this.narrow) {
        Sums.eachPair(xs, i, (x, first, second) => this.addPair(row, x, first, second));
        totals.forEach((plane, j) => (this.total[j] = plane[0]));
        weights.forEach((plane, k) => (this.weight[k] = plane[0]));
        return;
      }
      for (let k = 0; k < p; k++) this.addColumn(row, d * (xs.first[i] + k), d, k);
      const before = totals[0].length - 1;
      if (xs.cut && i > 0) this.addColumn(row, xs.first[i] - 1, 1, before);
      totals.forEach((plane, j) => (this.total[j] = Sums.folded(plane, 0, plane[before], xs, i, Sums.SHORT)));
      weights.forEach((plane, k) => (this.weight[k] = Sums.folded(plane, 0, plane[before], xs, i, Sums.SHORT)));
    }
  }

  return { rewardOf, shareOf, Window };
})();
