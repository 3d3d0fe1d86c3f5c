// A token's way to the client: its two waits over time, and under them what it passes.

const STREAM = { pad: 8, lines: 96, under: 16, apart: 14 };

class Streams extends CanvasCard {
  constructor() {
    super("stream");
    this.canvas = this.card.chart.appendChild(node("canvas"));
  }

  paint(head, said, buffers, ink) {
    const width = this.card.chart.clientWidth, { seconds } = head, { lines, pad, under } = STREAM;
    const strips = pad + lines + under, each = LANE.strip + LANE.gap;
    const height = strips + each * head.strips.length + LANE.axis;
    const c = surface(this.canvas, width, height);
    const names = Math.min(116, Math.max(104, 0.14 * width)), after = Math.min(140, Math.max(104, 0.17 * width));
    const inner = width - names - after;
    const x = (t) => names + inner * (1 + Math.min(Math.max(t, -seconds), 0) / seconds);
    const y = (v) => pad + lines * (1 - v / head.top);
    const points = ninths(floats(buffers[0]));
    c.font = `11px ${getComputedStyle(this.card.chart).fontFamily}`;
    c.textBaseline = "middle";
    timeAxis(c, seconds, x, height, ink);
    head.ticks.forEach((text, i) => {
      ruleAt(c, x, Math.round(y(head.top * (1 - i / 2))), ink.line);
      words(c, text, names - 8, y(head.top * (1 - i / 2)), ink.quiet, "right", names - 8);
    });
    words(c, "between tokens", names - 8, y(0.75 * head.top), ink.quiet, "right", names - 8);
    this.between(c, points, x, y, ink);
    const looks = { client: [ink.text, 2], server: [ink.quiet, 1.5] };
    for (const { name, column, dash } of head.lines) {
      steps(c, held(points, column, x, y), looks[name][0], dash, looks[name][1]);
    }
    const last = points[points.length - 1] ?? [];
    const ends = head.lines.map(({ name, column }, i) => [
      y(Number.isFinite(last[column]) ? last[column] : 0), `${name} ${said.lines[i].value}`, looks[name][0]]);
    for (const [at, text, tone] of apart(ends)) words(c, text, x(0) + 8, at, tone, "left", after - 8, true);
    head.strips.forEach((strip, i) => {
      const room = { names: names - 8, after: after - 8, top: strips + each * i };
      this.strip(c, strip, said.strips[i].values, points, x, room, ink);
    });
  }

  // What the client waits beyond what the server takes.
  between(c, points, x, y, ink) {
    c.fillStyle = ink.line;
    c.beginPath();
    points.forEach(([t, server, client], i) => {
      if (!(client > server) || i + 1 === points.length) return;
      c.rect(x(t), y(client), x(points[i + 1][0]) - x(t), y(server) - y(client));
    });
    c.fill();
  }

  strip(c, { name, mark, look, top, dash, column, limit }, values, points, x, room, ink) {
    const { edge, faint } = ink.looks[look], base = room.top + LANE.strip, middle = room.top + LANE.strip / 2;
    const y = (v) => base - LANE.strip * v / top;
    const runs = held(points, column, x, y);
    c.fillStyle = faint;
    for (const run of runs) {
      c.beginPath();
      run.forEach(([a, b], i) => (i ? c.lineTo(a, b) : c.moveTo(a, b)));
      c.lineTo(run[run.length - 1][0], base);
      c.lineTo(run[0][0], base);
      c.fill();
    }
    if (limit) steps(c, [[[x(-Infinity), Math.round(y(limit)) + 0.5], [x(0), Math.round(y(limit)) + 0.5]]], ink.quiet, [2, 2], 1);
    steps(c, runs, edge, dash, 1.5);
    ruleAt(c, x, base, edge);
    words(c, name, x(-Infinity) - 8, middle, ink.text, "right", room.names - 16);
    words(c, mark, 1, middle, edge, "left", 14);
    const fits = values.find((v) => 1.15 * c.measureText(v).width <= room.after);
    words(c, fits ?? values[values.length - 1], x(0) + 8, middle, ink.text, "left", room.after, true);
  }

  keys() {
    const between = (c, ink) => { c.fillStyle = ink.line; c.fillRect(0, 2, SWATCH, 10); };
    const limit = (c, ink) => steps(c, [[[0, 7], [SWATCH, 7]]], ink.quiet, [2, 2], 1);
    const keys = [[between, "waits on the way"]];
    if (this.head.strips.some((s) => s.limit)) keys.push([limit, "what the link can carry"]);
    return keys;
  }
}

// Runs of neighbouring points whose figure is known, as corners of steps.
function held(points, column, x, y) {
  const found = [];
  let run;
  points.forEach((p, i) => {
    if (!Number.isFinite(p[column])) run = undefined;
    else {
      if (!run) found.push(run = []);
      run.push([x(p[0]), y(p[column])], [x((points[i + 1] ?? p)[0]), y(p[column])]);
    }
  });
  return found;
}

function steps(c, runs, ink, dash, wide) {
  c.strokeStyle = ink;
  c.lineWidth = wide;
  c.setLineDash(dash[1] ? dash : []);
  for (const run of runs) {
    c.beginPath();
    run.forEach(([a, b], i) => (i ? c.lineTo(a, b) : c.moveTo(a, b)));
    c.stroke();
  }
  c.setLineDash([]);
}

// Two labels, moved apart where they would cover each other.
function apart(ends) {
  const [low, high] = [...ends].sort((a, b) => b[0] - a[0]);
  if (low[0] - high[0] < STREAM.apart) {
    high[0] = Math.min(high[0], STREAM.pad + STREAM.lines - STREAM.apart);
    low[0] = high[0] + STREAM.apart;
  }
  return [low, high];
}

const ninths = (all) => Array.from({ length: all.length / 9 }, (_, i) => all.subarray(9 * i, 9 * i + 9));
