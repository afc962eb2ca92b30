"""The box filter, DPID and DPP of bytes in linear light, row by row: kernels look up the light of each pixel.

The output at a window is ``sum(c w L) / sum(c w)``, encoded again, where L is the light of a pixel. Its
coverage c and its weight w are those of encoded values (see `rewards`). Planes are those of `tiles`.
"""

from __future__ import annotations

from dpid_cli.kernels import tiles
from dpid_cli.kernels.flags import choice, count, helper, is_set
from dpid_cli.kernels.pixels import level, samples
from dpid_cli.kernels.rewards import BOX, distances, weights
from dpid_cli.kernels.tiles import BUFFER, LIGHT, PLANE, SHORT, SUM, TILE, WEIGHT, add
from dpid_cli.kernels.windows import area_of, differences, gather, prepare


@helper
def look_up(row, n, layout, tables, lights):
    """Write the light of n pixels to planes."""
    c = count(layout.channels)
    for k in range(n):
        lights[k] = tables.light[0, level(row, k, 0, layout)]
        if c > 1:
            lights[PLANE + k] = tables.light[1, level(row, k, 1, layout)]
        if c > 2:
            lights[2 * PLANE + k] = tables.light[2, level(row, k, 2, layout)]


@helper
def add_light(lights, scratch, n, covers, layout):
    """Add the light of n pixels in each of two rows to the planes SUM."""
    c = count(layout.channels)
    a, b = lights
    for k in range(n):
        v0 = v1 = v2 = covers[0] * a[k] + covers[1] * b[k]
        if c > 1:
            v1 = covers[0] * a[PLANE + k] + covers[1] * b[PLANE + k]
        if c > 2:
            v2 = covers[0] * a[2 * PLANE + k] + covers[1] * b[2 * PLANE + k]
        add(scratch, SUM + k, (v0, v1, v2, v2), c)


@helper
def add_weighted(rows, lights, scratch, n, covers, alpha, layout, reward):
    """Add weights, and light times weights, of n pixels in each of two rows to the planes WEIGHT and SUM."""
    c = count(layout.channels)
    zero = scratch.dtype.type(0)
    for k in range(n):
        f0 = f1 = f2 = e0 = e1 = e2 = zero
        for r in range(2):
            u = distances(differences(rows[r], scratch, k, k, layout), reward)
            f = weights(u, covers[r], reward, layout.channels)
            share = covers[r] * alpha
            w0, w1, w2 = f[0] + share, f[1] + share, f[2] + share
            f0, e0 = f0 + w0, e0 + w0 * lights[r][k]
            if c > 1:
                f1, e1 = f1 + w1, e1 + w1 * lights[r][PLANE + k]
            if c > 2:
                f2, e2 = f2 + w2, e2 + w2 * lights[r][2 * PLANE + k]
        add(scratch, WEIGHT + k, (f0, f1, f2, f2), 1 if is_set(reward.joint) else c)
        add(scratch, SUM + k, (e0, e1, e2, e2), c)


@helper
def add_rows(rows, n, covers, task, layout, reward, alpha, tables, scratch):
    """Add n pixels in each of two rows to the planes."""
    lights = scratch[LIGHT:], scratch[LIGHT + 4 * PLANE :]
    look_up(rows[0], n, layout, tables, lights[0])
    look_up(rows[1], n, layout, tables, lights[1])
    if choice(task) == BOX:
        add_light(lights, scratch, n, covers, layout)
    else:
        add_weighted(rows, lights, scratch, n, covers, alpha, layout, reward)


@helper
def light_row(
    pixels, ys, row, xs, guide, task, layout, reward, alpha, tables, scratch, straddlers, total, weight
):  # fmt: skip
    """Sum up the windows of one output row: light, and weights; for BOX these are the area."""
    zero = scratch.dtype.type(0)
    total[:] = 0
    weight[:] = area_of(ys, xs, xs.first[-1], zero)
    if choice(task) != BOX:
        weight[:] = 0
    c0 = 0
    while c0 < xs.first[-1]:
        tile = tiles.tile_at(c0, xs, len(straddlers) > 0, SHORT)
        _, _, _, c1, m = tile
        if choice(task) == BOX:
            tiles.clear(scratch, SUM, len(total), tile)
        else:
            prepare(scratch, guide, guide, xs, tile, task, layout, len(weight))
        y, stop = tiles.begin_of(ys, row), ys.first[row + 1]
        at, others = samples(layout) * c0, straddlers[len(straddlers) // 2 :]
        while y < stop:
            z = min(y + 1, stop - 1)
            covers = tiles.coverage(ys, row, y), tiles.coverage(ys, row, z) if z > y else zero
            rows = pixels[y][at:], pixels[z][at:]
            add_rows(rows, c1 - c0, covers, task, layout, reward, alpha, tables, scratch)
            if m > 0:
                gather(pixels[y], straddlers, xs, tile, layout)
                gather(pixels[z], others, xs, tile, layout)
                part = scratch[TILE:]
                add_rows((straddlers, others), m, covers, task, layout, reward, alpha, tables, part)
            y += 2
        tiles.fold(scratch[SUM:], scratch[BUFFER:], total, xs, tile)
        if choice(task) != BOX:
            tiles.fold(scratch[WEIGHT:], scratch[BUFFER:], weight, xs, tile)
        c0 = c1


@helper
def divide_light(total, weight, guide, light):
    """Turn sums into means; without weight, all pixels equal the guidance."""
    zero = total.dtype.type(0)
    lacking = 0
    for i in range(len(total)):
        lacking += 0 if weight[i] > zero else 1
        total[i] /= weight[i] if weight[i] > zero else zero + 1
    for i in range(len(total) if lacking > 0 else 0):
        if not weight[i] > zero:
            total[i] = light[min(max(int(guide[i] + 0.5), 0), 255)]


@helper
def encode_plane(means, tables, j, plane):
    """Write the levels of the light of channel j."""
    limits, steps, scale = tables.limits[j], tables.steps[j], tables.scale[j]
    least, last = tables.light[j, 0], len(steps) - 1
    for i in range(len(plane)):
        light = means[i]
        reached = int(steps[min(max(int((light - least) * scale), 0), last)])
        reached += 1 if light >= limits[reached] else 0  # seldom more, and no branch
        while light >= limits[reached]:
            reached += 1
        plane[i] = reached
