// The page around the charts: header, verdict, cards, strip, table. Plain elements, no framework.

function node(tag, name, text) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  if (text !== undefined) e.textContent = text;
  return e;
}

function write(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// "◆ bandwidth" with its mark in the resource's colour; the letters keep the text's.
function piece(p, looks, theme) {
  if (!p.r) return node(p.b ? "b" : "span", "", p.t);
  const e = node("b", "cl-resource");
  e.append(mark(p.t.slice(0, 1), looks[p.r], theme), node("span", "cl-name", p.t.slice(2)));
  e.style.setProperty("--cl-resource", looks[p.r].colour);
  return e;
}

function mark(text, look, theme) {
  const e = node("span", "cl-mark", text);
  e.style.color = look.colour;
  if (look.edge[theme] !== look.colour) e.style.webkitTextStroke = `0.8px ${look.edge[theme]}`;
  return e;
}

function chip(text) {
  const kind = text.split(/[\s:]/)[0];
  return node("span", `cl-chip cl-from-${kind}`, text);
}

// "counted demands": where a chart's numbers come from, in the line style of that source.
function sourceChip({ kind, what }) {
  const e = node("span", `cl-chip cl-from-${kind}`);
  e.append(node("b", "", kind), ` ${what}`);
  return e;
}

function button(name, text, act) {
  const b = node("button", `cl-button ${name}`, text);
  b.type = "button";
  b.setAttribute("aria-pressed", "false");
  b.addEventListener("click", act);
  return b;
}

function card(name) {
  const box = node("section", `cl-card cl-${name}`);
  const heading = box.appendChild(node("div", "cl-heading"));
  const finding = heading.appendChild(node("b"));
  const shows = heading.appendChild(node("span", "cl-quiet"));
  const chart = box.appendChild(node("div", "cl-chart"));
  chart.setAttribute("role", "img");
  const foot = box.appendChild(node("div", "cl-foot"));
  return { box, finding, shows, chart, foot };
}

// shows: where the cells come from, if they are not the learner's own.
function strip(cells, shows) {
  const heading = node("div", "cl-heading");
  heading.append(node("b", "", `Migration: where ${shows ? "the" : "your"} constraint has been`),
    node("span", "cl-quiet", shows ?? "your own measurements, lab by lab"));
  const row = node("ol", "cl-cells");
  for (const c of cells) {
    const cell = row.appendChild(node("li", c.done ? "cl-cell" : "cl-cell cl-later"));
    cell.append(node("div", "cl-lab", `lab ${c.lab}`));
    if (c.where) cell.append(node("div", "cl-where", c.where.replace(" ", "\u00a0")));
    cell.append(node("div", "cl-note", c.note));
    if (c.done) Object.assign(cell.style, { background: c.colour, color: c.ink });
    if (c.here) {
      cell.classList.add("cl-here");
      cell.setAttribute("aria-current", "step");
    }
  }
  return [heading, row];
}

// Every number of the charts, in words: [[heading…], [cell…]…] for each table.
function tables(view, last, scene) {
  const worth = [["resource", "if its limit vanished", "share", ""],
    ...view.worth.map((r) => [r.label, r.text, r.share, r.quiet && r.text === "n/a" ? r.why : ""])];
  const dots = [["run on the roofline", "", "", ""], ...view.dots.map((d) => [d.name, d.why, "", ""])];
  const lines = [["timeline", "share of its ceiling", "source", ""], ...view.series.map((s, k) =>
    [`${s.mark}${s.label}`, percent(last ? last[k + 1] : NaN), s.source, ""])];
  const [maps] = scene.maps, [lanes] = scene.lanes, [stream] = scene.stream, [late] = scene.latency;
  const pools = [["KV pool", "", "", ""], ...(maps.pools ?? []).map((p) =>
    [p.name, p.holds, p.figures.map((f) => f.join(" ")).join(", "), ""])];
  const rows = [["request", "", "", ""], ...(lanes.rows ?? []).map((r) => [r.label, r.state, "", ""])];
  const way = [["streams", "", "source", ""], ...(stream.rows ?? []).map((r) => [...r, ""])];
  const tail = [["latency", ...(late.columns ?? [])], ...(late.curves ?? []).map((c) => [c.name, ...c.cells])];
  return [worth, dots, pools, rows, way, tail, lines].filter((t) => t.length > 1);
}

function tableNode(rows) {
  const table = node("table");
  rows.forEach((cells, i) => {
    const tr = table.appendChild(node("tr"));
    for (const text of cells) Object.assign(tr.appendChild(node(i ? "td" : "th", "", text)), i ? {} : { scope: "col" });
  });
  return table;
}

function percent(share) {
  if (!Number.isFinite(share)) return "n/a";
  const text = Math.abs(share) < 0.0995 && share !== 0 ? (100 * share).toFixed(1) : (100 * share).toFixed(0);
  return text === "0.0" ? "under 0.1%" : `${text}%`;
}
