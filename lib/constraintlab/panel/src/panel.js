// The panel in the browser. `vegaEmbed` and `vega` come with the bundle; nothing is fetched.
// State that changes rarely arrives as the trait `view`; each sample arrives as a binary message.

const WINDOW = 20;      // seconds on the timeline
const KEEP = 400;       // samples kept for it
const LIVE_EVERY = 5000; // ms between two announcements to a screen reader

function theme() {
  const jp = document.body.dataset.jpThemeLight;
  if (jp !== undefined) return jp === "true" ? "light" : "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function node(tag, name, text) {
  const e = document.createElement(tag);
  if (name) e.className = name;
  if (text !== undefined) e.textContent = text;
  return e;
}

function percent(share) {
  return share === null || Number.isNaN(share) ? "n/a" : `${Math.round(share * 100)}%`;
}

class View {
  constructor(model, el) {
    this.model = model;
    this.root = node("div", "cl-panel");
    this.root.setAttribute("role", "region");
    this.root.setAttribute("aria-label", "Constraint panel");
    el.appendChild(this.root);
    this.rows = [];
    this.charts = {};
    this.paused = false;
    this.frames = 0;
    this.stamps = [];
    this.spoken = 0;
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.build();
  }

  build() {
    const head = this.root.appendChild(node("div", "cl-head"));
    this.title = head.appendChild(node("span", "cl-title"));
    this.chips = head.appendChild(node("span", "cl-chips"));
    this.clock = head.appendChild(node("span", "cl-clock"));
    this.pause = this.button(head, "panel-pause", "Pause", () => this.setPaused(!this.paused));
    this.table = this.button(head, "panel-table", "Numbers", () => this.toggleTable());
    this.verdict = this.root.appendChild(node("p", "cl-verdict"));
    this.live = this.root.appendChild(node("div", "cl-spoken"));
    this.live.setAttribute("aria-live", "polite");
    const grid = this.root.appendChild(node("div", "cl-grid"));
    this.cards = {};
    for (const name of ["worth", "roofline", "timeline"]) this.cards[name] = this.card(grid, name);
    this.numbers = this.root.appendChild(node("div", "cl-card cl-numbers"));
    this.numbers.hidden = true;
    this.strip = this.root.appendChild(node("div", "cl-card cl-strip"));
  }

  button(parent, name, text, act) {
    const b = parent.appendChild(node("button", `cl-button ${name}`, text));
    b.type = "button";
    b.setAttribute("aria-pressed", "false");
    b.addEventListener("click", act);
    return b;
  }

  card(grid, name) {
    const box = grid.appendChild(node("div", `cl-card cl-${name}`));
    const heading = box.appendChild(node("div", "cl-heading"));
    const finding = heading.appendChild(node("b"));
    const shows = heading.appendChild(node("span", "cl-quiet"));
    const chart = box.appendChild(node("div", "cl-chart"));
    chart.setAttribute("role", "img");
    return { box, finding, shows, chart };
  }

  setPaused(on) {
    this.paused = on;
    this.pause.textContent = on ? "Resume" : "Pause";
    this.pause.setAttribute("aria-pressed", String(on));
    this.root.dataset.paused = String(on);
    if (!on) this.schedule();
  }

  toggleTable() {
    this.numbers.hidden = !this.numbers.hidden;
    this.table.setAttribute("aria-pressed", String(!this.numbers.hidden));
    this.drawNumbers();
  }

  async start() {
    this.paint();
    this.observer = new MutationObserver(() => this.retheme());
    this.observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    await this.embed();
    this.readHistory();
    this.draw();
  }

  async embed() {
    this.theme = theme();
    this.root.dataset.theme = this.theme;
    const specs = this.model.get("specs")[this.theme];
    for (const name of Object.keys(this.cards)) {
      this.charts[name]?.finalize();
      this.charts[name] = await vegaEmbed(this.cards[name].chart, specs[name], {
        actions: false, renderer: "canvas", tooltip: false,
      });
    }
    this.fill();
  }

  async retheme() {
    if (theme() === this.theme) return;
    await this.embed();
    this.paint();
    this.draw();
  }

  set(name, table, rows) {
    const view = this.charts[name]?.view;
    if (!view) return;
    view.change(table, vega.changeset().remove(() => true).insert(rows)).runAsync();
  }

  // Everything of `view` that is no chart.
  paint() {
    const v = this.model.get("view");
    this.title.textContent = v.title;
    this.chips.replaceChildren(...v.chips.map((c) => node("span", "cl-chip", c)));
    this.verdict.replaceChildren(...v.sentence.map((p) => this.piece(p)));
    this.announce(v.sentence.map((p) => p.t).join(""));
    for (const [name, title] of Object.entries(v.titles)) {
      this.cards[name].finding.textContent = title[0];
      this.cards[name].shows.textContent = ` ${title[1]}`;
      this.cards[name].chart.setAttribute("aria-label", `${title[0]}. ${title[1]}.`);
    }
    this.cards.worth.box.classList.toggle("cl-empty", v.worth.length === 0);
    this.paintStrip(v.strip);
    this.drawNumbers();
  }

  fill() {
    const v = this.model.get("view");
    this.set("worth", "worth", v.worth);
    this.set("roofline", "roof", v.roof);
    this.set("roofline", "dots", v.dots);
  }

  piece(p) {
    const e = node(p.b ? "b" : "span", "", p.r ? p.t.slice(1) : p.t);
    if (!p.r) return e;
    const mark = node("span", "cl-mark", p.t.slice(0, 1));
    mark.style.color = this.model.get("view").colours[p.r];
    e.prepend(mark);
    return e;
  }

  announce(text) {
    const now = Date.now();
    clearTimeout(this.speaking);
    const wait = Math.max(0, this.spoken + LIVE_EVERY - now);
    this.speaking = setTimeout(() => {
      this.spoken = Date.now();
      this.live.textContent = text;
    }, wait);
  }

  paintStrip(cells) {
    const head = node("div", "cl-heading");
    head.append(node("b", "", "Migration: where your constraint has been"),
      node("span", "cl-quiet", " your own measurements, lab by lab"));
    const row = node("div", "cl-cells");
    for (const c of cells) {
      const cell = node("div", c.done ? "cl-cell" : "cl-cell cl-later");
      cell.append(node("div", "cl-lab", `lab ${c.lab}`), node("div", "cl-note", c.note));
      if (c.done) {
        cell.style.background = c.colour;
        cell.style.color = c.ink;
      }
      if (c.here) cell.classList.add("cl-here");
      row.append(cell);
    }
    this.strip.replaceChildren(head, row);
  }

  // Samples: [t, value of each series …] as 64-bit floats, NaN where there is none.
  readHistory() {
    const raw = this.model.get("history");
    const width = this.model.get("view").series.length + 1;
    if (!raw || !raw.byteLength) return;
    const copy = raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength);
    const all = new Float64Array(copy);
    this.rows = [];
    for (let i = 0; i + width <= all.length; i += width) this.rows.push(all.slice(i, i + width));
    this.root.dataset.replayed = String(this.rows.length);
  }

  frame(buffer) {
    const copy = buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength);
    const row = new Float64Array(copy);
    if (this.rows.length && row[0] < this.rows[this.rows.length - 1][0]) this.rows = [];
    this.rows.push(row);
    if (this.rows.length > KEEP) this.rows.splice(0, this.rows.length - KEEP);
    this.schedule();
  }

  schedule() {
    if (this.paused || this.waiting) return;
    const pace = this.still ? 500 : 0;
    this.waiting = true;
    setTimeout(() => requestAnimationFrame(() => {
      this.waiting = false;
      if (this.paused) return;
      this.draw();
      this.count();
    }), pace);
  }

  count() {
    const now = performance.now();
    this.frames += 1;
    this.stamps.push(now);
    while (this.stamps[0] < now - 2000) this.stamps.shift();
    this.root.dataset.frames = String(this.frames);
    const span = (now - this.stamps[0]) / 1000;
    this.fps = span > 0.5 ? (this.stamps.length - 1) / span : NaN;
    if (span > 0.5) this.root.dataset.fps = this.fps.toFixed(1);
  }

  draw() {
    const v = this.model.get("view");
    if (!this.rows.length) return;
    const last = this.rows[this.rows.length - 1];
    const now = last[0];
    const from = this.rows.findIndex((r) => r[0] >= now - WINDOW);
    const lines = [];
    for (let i = from; i < this.rows.length; i++) {
      const r = this.rows[i];
      v.series.forEach((s, k) => {
        const y = r[k + 1];
        if (!Number.isNaN(y)) lines.push({ x: r[0] - now, y, s: s.label, colour: this.ink(s), busy: s.busy });
      });
    }
    this.set("timeline", "rows", lines);
    this.set("timeline", "ends", this.ends(v.series, last));
    this.titleTimeline(v.series, last);
    this.clock.textContent = `${now.toFixed(1)} s · ${this.fps ? this.fps.toFixed(0) : "–"} Hz`;
    if (!this.numbers.hidden) this.drawNumbers();
  }

  ink(s) {
    return s.busy ? getComputedStyle(this.root).getPropertyValue("--cl-quiet").trim() : s.colour;
  }

  // Names at the lines' ends, moved apart where they would overlap.
  ends(series, last) {
    const found = series.map((s, k) => {
      const y = last[k + 1];
      return { at: Number.isNaN(y) ? 0 : Math.min(y, 1.1), busy: s.busy, label: `${s.mark}${s.label} ${percent(y)}` };
    }).sort((a, b) => a.at - b.at);
    const gap = 0.1;
    for (let i = 1; i < found.length; i++) found[i].at = Math.max(found[i].at, found[i - 1].at + gap);
    const over = found.length ? found[found.length - 1].at - 1.1 : 0;
    if (over > 0) {
      let top = 1.1;
      for (let i = found.length - 1; i >= 0; i--) {
        found[i].at = Math.min(found[i].at, top);
        top = found[i].at - gap;
      }
    }
    return found;
  }

  titleTimeline(series, last) {
    const known = series.map((s, k) => ({ ...s, y: last[k + 1] })).filter((s) => !Number.isNaN(s.y));
    const real = known.filter((s) => !s.busy).sort((a, b) => b.y - a.y)[0];
    const busy = known.find((s) => s.busy);
    let text = "Waiting for samples";
    if (real) text = `${real.label}: ${percent(real.y)} of its ceiling`;
    if (real && busy) text += ` while ${busy.label} reads ${percent(busy.y)}`;
    const t = this.cards.timeline;
    if (t.finding.textContent !== text) t.finding.textContent = text[0].toUpperCase() + text.slice(1);
    t.shows.textContent = ` last ${WINDOW} s`;
    t.chart.setAttribute("aria-label", text);
  }

  drawNumbers() {
    if (this.numbers.hidden) return;
    const v = this.model.get("view");
    const last = this.rows[this.rows.length - 1];
    const table = node("table");
    const line = (tag, ...cells) => {
      const tr = table.appendChild(node("tr"));
      for (const c of cells) tr.appendChild(node(tag, "", c));
    };
    line("th", "resource", "now → without it", "share");
    for (const r of v.worth) line("td", r.label, r.text, r.share);
    line("th", "timeline", "share of its ceiling", "source");
    v.series.forEach((s, k) => line("td", s.label, last ? percent(last[k + 1]) : "n/a", s.source));
    this.numbers.replaceChildren(table);
  }

  stop() {
    this.observer?.disconnect();
    clearTimeout(this.speaking);
    for (const c of Object.values(this.charts)) c.finalize();
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  model.on("change:view", () => {
    if (view.paused) return;
    view.paint();
    view.fill();
  });
  model.on("msg:custom", (message, buffers) => {
    if (message.kind === "frame") view.frame(buffers[0]);
  });
  view.start();
  return () => view.stop();
}

export default { render };
