// The KV map, pixel for pixel as `raster.py` draws it: who holds each block, and how full it is.

const SHARED = 65535, LARGEST = 26, HEIGHT = 190, DENSE = 6, WIDE = 12;
const FRAME = 5; // px of border and padding on each side of a map

class KVMaps extends CanvasCard {
  constructor() {
    super("maps");
    this.pools = [];
  }

  paint(head, said, buffers, ink) {
    const { chart } = this.card;
    chart.style.setProperty("--cl-pool", ink.pool);
    const scale = window.devicePixelRatio;
    while (this.pools.length > head.pools.length) this.pools.pop().box.remove();
    while (this.pools.length < head.pools.length) this.pools.push(poolNode(chart));
    head.pools.forEach((pool, i) => {
      const { box, title, name, holds, figures, canvas } = this.pools[i];
      write(name, pool.name);
      write(holds, said.pools[i].holds);
      said.pools[i].figures.forEach(([what, text], k) => { write(figures[k][0], what); write(figures[k][1], text); });
      const map = { size: pool.size, owners: shorts(buffers[2 * i]), filled: bytes(buffers[2 * i + 1]) };
      const g = grid(map.owners.length, Math.floor((box.clientWidth - 2 * FRAME) * scale), scale);
      resized(canvas, g.columns * g.cell, g.rows * g.cell);
      title.style.width = `${g.columns * g.cell / scale + 2 * FRAME}px`;
      canvas.getContext("2d").putImageData(pixels(map, g, ink), 0, 0);
    });
  }

  keys() {
    const two = (owner, filled) => (context, ink) => {
      const scale = window.devicePixelRatio, line = Math.max(1, Math.floor(scale + 0.5));
      const map = { size: 1, owners: [owner, owner], filled: [filled, filled] };
      const cells = { cell: Math.round(SWATCH * scale / 2), columns: 2, rows: 1, gap: 2 * line, line };
      context.putImageData(pixels(map, cells, ink), 0, 0);
    };
    const keys = [[two(1, 1), "filled (tones tell requests apart)"], [two(1, 0), "reserved, empty"], [two(0, 0), "free"]];
    if (this.head.pools.some((p) => p.shared)) keys.push([two(SHARED, 1), "shared by several"]);
    return keys;
  }
}

function poolNode(chart) {
  const box = chart.appendChild(node("div", "cl-pool")), title = box.appendChild(node("div", "cl-pool-title"));
  title.append(node("span", "cl-pool-mark", "■"));
  const name = title.appendChild(node("b")), holds = title.appendChild(node("span", "cl-quiet"));
  const row = title.appendChild(node("span", "cl-figures"));
  const figures = [0, 1, 2].map(() => {
    const e = row.appendChild(node("span", "cl-figure"));
    return [e.appendChild(node("span")), e.appendChild(node("b"))];
  });
  const canvas = box.appendChild(node("div", "cl-pool-frame")).appendChild(node("canvas"));
  return { box, title, name, holds, figures, canvas };
}

// The largest squares with which the blocks fit; all numbers in pixels of the screen.
function grid(blocks, width, scale) {
  const line = Math.max(1, Math.floor(scale + 0.5)), height = Math.floor(HEIGHT * scale);
  for (let cell = Math.floor(LARGEST * scale); ; cell--) {
    const rows = Math.ceil(blocks / Math.max(1, Math.floor(width / cell)));
    if (rows * cell > height && cell > 1) continue;
    const gap = cell < DENSE * scale ? 0 : cell < WIDE * scale ? line : 2 * line;
    return { cell, columns: Math.ceil(blocks / rows), rows, gap, line };
  }
}

function pixels({ owners, filled, size }, { cell, columns, rows, gap, line }, ink) {
  const width = columns * cell, image = new ImageData(width, rows * cell);
  const out = new Uint32Array(image.data.buffer), box = cell - gap, third = Math.floor(box / 3);
  const ground = packed(ink.ground), free = packed(ink.line), period = (gap ? 4 : 3) * line;
  const solids = [...ink.tones, ink.text].map(packed), faints = [...ink.faint, ink.quiet].map(packed);
  out.fill(ground);
  for (let i = 0; i < owners.length; i++) {
    const owner = owners[i], left = (i % columns) * cell, top = Math.floor(i / columns) * cell;
    const tone = owner === SHARED ? solids.length - 1 : owner % 3;
    const solid = solids[tone], faint = faints[tone], rim = gap > line ? solid : faint;
    const next = owner && owner < SHARED && (i + 1) % columns && owners[i + 1] === owner;
    const before = owner && owner < SHARED && i % columns && owners[i - 1] === owner;
    const full = columnsOf(filled[i], box, size);
    for (let v = 0; v < box; v++) {
      const at = (top + v) * width + left, end = v < line || v >= box - line;
      if (!owner) {
        if (!gap) break;
        if (end) out.fill(free, at, at + box);
        else out.fill(free, at, at + line).fill(free, at + box - line, at + box);
        continue;
      }
      if (gap && end) out.fill(rim, at + full, at + box);
      else {
        for (let u = full; u < box; u++) if ((left + u + top + v) % period < line) out[at + u] = faint;
        if (gap && !before && full < line) out.fill(rim, at + full, at + line);
        if (gap && !next) out.fill(rim, Math.max(at + full, at + box - line), at + box);
      }
      out.fill(solid, at, at + full);
      if (gap && owner === SHARED && v >= third && v < box - third)
        out.fill(ground, at + third, Math.max(at + third, at + Math.min(full, box - third)));
      if (gap && next) {
        if (full === box && filled[i + 1]) out.fill(faint, at + box, at + cell);
        else if (end) out.fill(rim, at + box, at + cell);
      }
    }
  }
  return image;
}

// Solid pixel columns: none only if the block is empty, all only if it is full.
function columnsOf(filled, box, size) {
  const rounded = Math.floor((2 * filled * box + size) / (2 * size));
  return box > 1 && filled > 0 && filled < size ? Math.min(Math.max(rounded, 1), box - 1) : rounded;
}

// "#rrggbb" as a pixel; every machine that runs a browser is little-endian.
function packed(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
}
