// Request lanes: a row a request over the last seconds; under them the batch and the queue.

const PHASES = ["queued", "prefill", "decode", "streaming", "paused", "preempted"];
const LANE = { row: 14, strip: 26, gap: 8, axis: 20, few: 6 };

class RequestLanes extends CanvasCard {
  constructor() {
    super("lanes");
    this.canvas = this.card.chart.appendChild(node("canvas"));
    this.rows = LANE.few;
    this.seen = new Set(["queued", "prefill", "decode"]);
  }

  paint(head, said, buffers, ink) {
    const width = this.card.chart.clientWidth;
    // A view that grows only: a row that ends must not move what stands below.
    this.rows = Math.max(this.rows, head.rows.length + Boolean(head.rest));
    const height = this.rows * LANE.row + 2 * (LANE.strip + LANE.gap) + LANE.axis;
    const c = surface(this.canvas, width, height), { seconds } = head;
    const names = Math.min(84, Math.max(52, 0.12 * width)), after = Math.min(100, Math.max(60, 0.14 * width));
    const inner = width - names - after;
    this.room = { names: names - 8, after: after - 8 };
    const x = (t) => names + inner * (1 + Math.min(Math.max(t, -seconds), 0) / seconds);
    c.font = `11px ${getComputedStyle(this.card.chart).fontFamily}`;
    c.textBaseline = "middle";
    timeAxis(c, seconds, x, height, ink);
    const ends = new Float64Array(head.rows.length).fill(-seconds);
    for (const [row, phase, start, end] of quads(floats(buffers[0]))) {
      const last = Number.isNaN(end) ? 0 : end;
      c.globalAlpha = head.rows[row].strength;
      this.seen.add(PHASES[phase]);
      bar(c, PHASES[phase], x(start), x(last), middle(row), ink);
      ends[row] = Math.max(ends[row], last);
    }
    c.globalAlpha = 1;
    head.rows.forEach(({ number, label, ended, strength }, row) => {
      // Bars fade, words do not: they must still be read.
      const fits = c.measureText(label).width <= names - 8, tone = strength < 1 ? ink.quiet : ink.text;
      words(c, fits ? label : String(number), names - 8, middle(row), tone, "right", names - 8);
      words(c, ended, x(ends[row]) + 5, middle(row), ink.quiet, "left", after - 6);
    });
    if (head.rest) words(c, head.rest, names, middle(head.rows.length), ink.quiet, "left", inner);
    this.strips(c, head, said, trail(floats(buffers[1])), x, ink);
  }

  strips(c, head, said, points, x, ink) {
    const peak = (k) => Math.max(1, ...points.map((p) => p[k]));
    const most = Math.max(head.slots, peak(1)), first = this.rows * LANE.row + LANE.gap;
    c.setLineDash([2, 2]);
    ruleAt(c, x, first + LANE.strip * (1 - head.slots / most), ink.quiet);
    c.setLineDash([]);
    this.strip(c, "running", said.running, first, x, ink);
    area(c, points, 1, x, first, most, ink.tones[1], ink.faint[2]);
    const second = first + LANE.strip + LANE.gap;
    this.strip(c, "waiting", said.waiting, second, x, ink);
    area(c, points, 2, x, second, peak(2), ink.quiet, ink.line, [3, 2]);
  }

  strip(c, name, value, top, x, ink) {
    const y = top + LANE.strip / 2;
    words(c, name, x(-Infinity) - 8, y, ink.text, "right", this.room.names);
    const bold = 1.15 * c.measureText(value).width;
    const shown = bold <= this.room.after ? value : value.replace(" slots", "");
    words(c, shown, x(0) + 8, y, ink.text, "left", this.room.after, true);
  }

  keys() {
    return PHASES.filter((p) => this.seen.has(p)).map((phase) => [
      (c, ink) => bar(c, phase, 0, SWATCH, 7, ink), phase]);
  }
}

const middle = (row) => row * LANE.row + LANE.row / 2;

// Each phase has a tone and a shape of its own: dashed, tall, plain, thin, a line, dotted.
function bar(c, phase, from, to, y, ink) {
  const width = Math.max(to - from, 2);
  if (phase === "queued") {
    c.setLineDash([3, 2]);
    c.strokeStyle = ink.quiet;
    c.lineWidth = 1;
    c.strokeRect(from + 0.5, y - 3.5, width - 1, 7);
  } else if (phase === "preempted" || phase === "paused") {
    c.setLineDash(phase === "preempted" ? [2, 3] : []);
    c.strokeStyle = ink.quiet;
    c.lineWidth = 2;
    line(c, from, y, to, y);
  } else {
    const [tone, tall] = { prefill: [0, 10], decode: [2, 8], streaming: [1, 4] }[phase];
    c.fillStyle = ink.tones[tone];
    c.fillRect(from, y - tall / 2, width, tall);
  }
  c.setLineDash([]);
}

function timeAxis(c, seconds, x, height, ink) {
  c.lineWidth = 1;
  for (const [t, align] of [[-seconds, "left"], [-seconds / 2, "center"], [0, "right"]]) {
    c.strokeStyle = ink.line;
    line(c, Math.round(x(t)) + 0.5, 0, Math.round(x(t)) + 0.5, height - LANE.axis + 4);
    words(c, t ? `−${-t} s` : "now", x(t), height - 7, ink.quiet, align, 60);
  }
  words(c, "time, s", x(-Infinity) - 8, height - 7, ink.quiet, "right", x(-Infinity) - 8);
}

// A title that reads upwards, beside an axis; y: its middle.
function upright(c, text, x, y, ink, room) {
  c.save();
  c.translate(x, y);
  c.rotate(-Math.PI / 2);
  words(c, text, 0, 0, ink, "center", room);
  c.restore();
}

// Steps from point to point up to now, filled; `dash` for the line on top.
function area(c, points, column, x, top, most, ink, fill, dash = []) {
  const y = (n) => top + LANE.strip * (1 - n / most), path = [];
  points.forEach((p, i) => {
    const next = i + 1 < points.length ? points[i + 1][0] : 0;
    path.push([x(p[0]), y(p[column])], [x(next), y(p[column])]);
  });
  const trace = () => path.forEach(([a, b], i) => (i ? c.lineTo(a, b) : c.moveTo(a, b)));
  c.beginPath();
  trace();
  c.lineTo(path[path.length - 1][0], top + LANE.strip);
  c.lineTo(path[0][0], top + LANE.strip);
  c.fillStyle = fill;
  c.fill();
  c.beginPath();
  trace();
  c.setLineDash(dash);
  c.strokeStyle = ink;
  c.lineWidth = 1.5;
  c.stroke();
  c.setLineDash([]);
  c.lineWidth = 1;
  ruleAt(c, x, top + LANE.strip, ink);
}

function ruleAt(c, x, y, ink) {
  c.strokeStyle = ink;
  c.lineWidth = 1;
  line(c, x(-Infinity), Math.round(y) + 0.5, x(0), Math.round(y) + 0.5);
}

function line(c, x0, y0, x1, y1) {
  c.beginPath();
  c.moveTo(x0, y0);
  c.lineTo(x1, y1);
  c.stroke();
}

// One line of text, cut with an ellipsis where there is no room for all of it.
function words(c, text, x, y, ink, align, room, bold) {
  const font = c.font;
  if (bold) c.font = `600 ${font}`;
  c.fillStyle = ink;
  c.textAlign = align;
  let shown = text;
  while (shown.length > 1 && c.measureText(shown).width > room) shown = `${shown.slice(0, -2)}…`;
  c.fillText(shown, x, y);
  c.font = font;
}

const quads = (all) => Array.from({ length: all.length / 4 }, (_, i) => all.subarray(4 * i, 4 * i + 4));
const trail = (all) => Array.from({ length: all.length / 3 }, (_, i) => all.subarray(3 * i, 3 * i + 3));
