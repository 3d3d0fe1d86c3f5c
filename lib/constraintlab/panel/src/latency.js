// How long requests took: the share this fast or faster over seconds on a log axis, percentiles beside.

const ECDF = { plot: 176, pad: 10, axis: 38, row: 18, names: 62, upright: 8, cell: 62, beside: 820 };

class Latencies extends CanvasCard {
  constructor() {
    super("latency");
    this.canvas = this.card.chart.appendChild(node("canvas"));
  }

  // The table stands beside the curves where there is room, else below.
  paint(head, said, buffers, ink) {
    const width = this.card.chart.clientWidth, { plot, pad, axis, row, names, cell, beside } = ECDF;
    const table = Math.min(width - 4, 128 + cell * said.columns.length);
    // Where names and figures have no room side by side, names stand over them.
    const stacked = table < 90 + 56 * said.columns.length, high = row * (1 + said.curves.length * (stacked ? 2 : 1));
    const wide = width >= beside, right = wide ? width - table - 34 : width - 8;
    const height = pad + plot + axis + (wide ? 0 : 10 + high);
    const c = surface(this.canvas, width, height), [low, end] = head.span;
    const x = (s) => names + (right - names) * Math.log(Math.max(s, low) / low) / Math.log(end / low);
    const y = (n) => pad + plot * (1 - Math.min(n, head.top) / head.top);
    c.font = `11px ${getComputedStyle(this.card.chart).fontFamily}`;
    c.textBaseline = "middle";
    this.axes(c, head, x, y, right, ink);
    const [along, up] = said.axes ?? ["seconds on a log axis", "this fast or faster, %"];
    upright(c, up, ECDF.upright, pad + plot / 2, ink.quiet, plot);
    words(c, along, (names + right) / 2, y(0) + 29, ink.quiet, "center", right - names);
    if (head.slo) this.limit(c, head.slo, x, y, ink);
    const ends = head.curves.map((curve, i) => this.curve(c, curve, pairs(floats(buffers[i])), x, y, ink));
    const taken = [];
    head.curves.forEach(({ name, tone }, i) => ends[i] && label(c, name, ends[i], [names, wide ? right + 26 : right, y(0)], taken, ink, ink.tones[tone]));
    this.table(c, said, wide ? right + 34 : 0, wide ? pad : pad + plot + axis + 10, table, stacked, ink);
  }

  axes(c, { span: [low, end], ticks, levels }, x, y, right, ink) {
    for (const [at, text] of levels) {
      c.strokeStyle = ink.line;
      line(c, x(low), Math.round(y(at)) + 0.5, right, Math.round(y(at)) + 0.5);
      words(c, text, x(low) - 7, y(at), ink.quiet, "right", ECDF.names - ECDF.upright - 14);
    }
    let free = -Infinity;
    for (const [at, text] of ticks) {
      c.strokeStyle = ink.line;
      line(c, Math.round(x(at)) + 0.5, y(0), Math.round(x(at)) + 0.5, y(0) + 4);
      const half = c.measureText(text).width / 2, place = Math.min(x(at), x(end) - half);
      if (place - half < free) continue;
      words(c, text, place, y(0) + 13, ink.quiet, "center", 60);
      free = place + half + 8;
    }
  }

  limit(c, [at, text], x, y, ink) {
    const top = y(Infinity), right = c.measureText(text).width + 8 < x(at) - ECDF.names;
    steps(c, [[[Math.round(x(at)) + 0.5, top], [Math.round(x(at)) + 0.5, y(0)]]], ink.text, [2, 2], 1);
    // At the foot, where curves are far to the left: their names stand at the top.
    words(c, text, x(at) + (right ? -5 : 5), y(0) - 8, ink.text, right ? "right" : "left", 200);
  }

  // Where it ends: the largest sample, which no other exceeds, so the axis has no place above it.
  curve(c, { tone, dash, wide, marks }, points, x, y, ink) {
    const corners = points.length ? [[x(points[0][0]), y(0)]] : [];
    let level = 0;
    for (const [seconds, beyond] of points) {
      corners.push([x(seconds), y(level)]);
      if (beyond > 0) level = -Math.log10(beyond);
      corners.push([x(seconds), y(level)]);
    }
    steps(c, [corners], ink.tones[tone], dash, wide);
    c.fillStyle = ink.tones[tone];
    for (const [seconds, n] of marks) {
      c.beginPath();
      c.arc(x(seconds), y(n), 3.5, 0, 2 * Math.PI);
      c.fill();
    }
    return corners[corners.length - 1];
  }

  table(c, { columns, curves }, left, top, width, stacked, ink) {
    const { row, cell } = ECDF, last = left + width;
    const each = Math.min(cell, (width - (stacked ? 0 : 90)) / columns.length);
    const at = (k) => last - each * (columns.length - 1 - k), room = stacked ? last : at(0) - 39;
    const middle = (i) => top + row * i + row / 2;
    columns.forEach((text, k) => words(c, text, at(k), middle(0), ink.quiet, "right", cell));
    curves.forEach(({ name, tone, dash, wide, cells }, i) => {
      const y = middle(1 + i * (stacked ? 2 : 1)), under = stacked ? y + row - 2 : y;
      ruleOver(c, left, last, y - row / 2, ink.line);
      steps(c, [[[left + 2, y], [left + SWATCH, y]]], ink.tones[tone], dash, wide);
      words(c, name, left + SWATCH + 7, y, ink.text, "left", room - left - SWATCH - 7, true);
      cells.forEach((text, k) => words(c, text, at(k), under, text.startsWith("n <") ? ink.quiet : ink.text, "right", cell));
    });
  }

  keys() {
    const dot = (c, ink) => { c.fillStyle = ink.tones[0]; c.beginPath(); c.arc(SWATCH / 2, 7, 3.5, 0, 2 * Math.PI); c.fill(); };
    const keys = [[dot, "percentiles of the table"]];
    if (this.head.slo) keys.push([(c, ink) => steps(c, [[[SWATCH / 2, 0], [SWATCH / 2, 14]]], ink.text, [2, 2], 1), "the slowest that is still good"]);
    return keys;
  }
}

function ruleOver(c, from, to, y, ink) {
  c.strokeStyle = ink;
  c.lineWidth = 1;
  line(c, from, Math.round(y) + 0.5, to, Math.round(y) + 0.5);
}

// A curve's name at its end, right or left of it, moved down until it covers no other name.
function label(c, text, [x, y], [left, right, foot], taken, ink, tone) {
  const wide = 1.15 * c.measureText(text).width;
  for (let down = 0; ; down += 14) {
    for (const [from, up] of [[x + 7, 0], [x - 7 - wide, 11]]) {
      const at = Math.max(y + down - up, 8);
      if (from < left || from + wide > right) continue;
      if (taken.some(([a, b, w]) => Math.abs(b - at) < 14 && from < a + w + 4 && a < from + wide + 4)) continue;
      taken.push([from, at, wide]);
      c.strokeStyle = ink.ground;
      c.lineWidth = 4;
      const { font } = c;
      c.font = `600 ${font}`;
      c.textAlign = "left";
      c.strokeText(text, from, at);
      c.font = font;
      return words(c, text, from, at, tone, "left", wide, true);
    }
    if (y + down > foot) return undefined;
  }
}

const pairs = (all) => Array.from({ length: all.length / 2 }, (_, i) => all.subarray(2 * i, 2 * i + 2));
