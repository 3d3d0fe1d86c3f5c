// One view of a panel: paints what changes rarely, draws each sample, at most one a frame.

const SPEAK = 5000;  // ms between two announcements to a screen reader
const RETITLE = 1000; // ms between two changes of the timeline's title
const CALM = 500;    // ms between two frames where motion is to be reduced
const ENDED = 1500;  // ms without a sample after which the clock says so

class View {
  constructor(model, feed, el) {
    Object.assign(this, { model, feed, frames: 0, stamps: [], spoken: -SPEAK, titled: -RETITLE, drawn: -CALM });
    this.root = el.appendChild(node("div", "cl-panel"));
    this.root.setAttribute("role", "region");
    this.root.setAttribute("aria-label", "Constraint panel");
    this.build();
    this.charts = new Charts(this.cards);
    this.dirty = new Set();
    this.onRow = (what) => {
      this.dirty.add(what);
      this.schedule();
    };
    this.onView = () => this.repaint();
    feed.listeners.add(this.onRow);
    model.on("change:view", this.onView);
    this.unwatch = watchTheme(() => this.retheme());
    this.sight = new IntersectionObserver(([e]) => this.see(e.isIntersecting));
    this.sight.observe(this.root);
    this.size = new ResizeObserver(() => this.resize());
    this.size.observe(this.root);
    this.theme = theme();
    this.paint();
  }

  get view() {
    return this.model.get("view");
  }

  build() {
    const body = this.root.appendChild(node("div", "cl-body"));
    const head = body.appendChild(node("div", "cl-head"));
    this.title = head.appendChild(node("span", "cl-title"));
    this.chips = head.appendChild(node("span", "cl-chips"));
    this.clock = head.appendChild(node("span", "cl-clock"));
    this.pause = head.appendChild(button("panel-pause", "Pause", () => this.setPaused(!this.paused)));
    this.table = head.appendChild(button("panel-table", "Numbers", () => this.toggleTable()));
    this.verdict = body.appendChild(node("p", "cl-verdict"));
    this.live = body.appendChild(node("div", "cl-spoken"));
    this.live.setAttribute("aria-live", "polite");
    this.numbers = body.appendChild(node("section", "cl-card cl-numbers"));
    this.numbers.hidden = true;
    const grid = body.appendChild(node("div", "cl-grid"));
    this.cards = {};
    for (const name of ["worth", "roofline", "timeline"]) {
      this.cards[name] = card(name);
      grid.append(this.cards[name].box);
    }
    this.canvases = new Canvases(grid, this.cards.timeline.box);
    this.strip = body.appendChild(node("section", "cl-card cl-strip"));
  }

  // Charts need a width, and a view may be made before it is on the page.
  async resize() {
    if (!this.root.clientWidth || this.closed) return;
    this.paintCanvases();
    if (this.embedded) this.charts.fit();
    else await this.embed();
  }

  async embed() {
    this.embedded = true;
    await this.charts.embed(this.theme);
    if (this.closed) return this.charts.close();
    this.ready = true;
    this.fill();
    this.draw();
    this.paintCanvases();
    this.root.dataset.replayed = String(this.feed.replayed);
    this.root.dataset.ready = "true";
  }

  async retheme() {
    if (theme() === this.theme) return;
    this.theme = theme();
    this.paint();
    if (this.embedded) await this.embed();
  }

  see(visible) {
    this.visible = visible;
    this.root.dataset.visible = String(visible);
    if (!visible) return;
    // A theme that changed while it was out of sight embedded charts that had no width to fit.
    if (this.embedded) this.charts.fit();
    this.repaint();
  }

  setPaused(on) {
    this.paused = on;
    this.pause.textContent = on ? "Resume" : "Pause";
    this.pause.setAttribute("aria-pressed", String(on));
    this.root.dataset.paused = String(on);
    this.tick();
    if (!on) this.repaint();
  }

  // What is shown next does not follow from what was shown: no word of it waits for its pause.
  afresh() {
    this.titled = -RETITLE;
    this.canvases.afresh();
  }

  toggleTable() {
    this.numbers.hidden = !this.numbers.hidden;
    this.table.setAttribute("aria-pressed", String(!this.numbers.hidden));
    this.drawNumbers();
  }

  repaint() {
    if (this.paused || !this.visible) return;
    this.paint();
    this.fill();
    this.dirty = new Set(["rows", ...Object.keys(this.feed.scene)]);
    this.schedule();
  }

  // Everything that is no chart.
  paint() {
    const v = this.view;
    this.root.dataset.theme = this.theme;
    write(this.title, v.title);
    this.chips.replaceChildren(...v.chips.map(chip));
    this.verdict.replaceChildren(...v.sentence.map((p) => piece(p, v.looks, this.theme)));
    this.announce(v.sentence.map((p) => p.t).join(""));
    for (const [name, [finding, shows]] of Object.entries(v.titles)) this.entitle(name, finding, shows);
    this.describe("worth", v.worth.map((r) => r.why));
    this.describe("roofline", v.dots.map((d) => d.why));
    this.cards.worth.foot.replaceChildren(...v.sources.map(sourceChip));
    this.cards.worth.box.classList.toggle("cl-empty", !v.worth.length);
    this.cards.roofline.box.classList.toggle("cl-empty", !v.roof.length);
    this.cards.timeline.box.classList.toggle("cl-empty", !v.series.length);
    this.cards.timeline.foot.replaceChildren(...lineLegend(v.series));
    this.strip.replaceChildren(...strip(v.strip, v.shows));
    this.drawNumbers();
  }

  entitle(name, finding, shows) {
    write(this.cards[name].finding, finding);
    write(this.cards[name].shows, shows);
  }

  describe(name, facts) {
    const { finding, shows, chart } = this.cards[name];
    chart.setAttribute("aria-label", [`${finding.textContent} (${shows.textContent})`, ...facts].join("; "));
  }

  fill() {
    if (!this.ready) return;
    const v = this.view;
    this.charts.set("worth", { worth: v.worth });
    this.charts.set("roofline", { roof: v.roof, dots: along(v.dots, v.roof) });
  }

  announce(text) {
    clearTimeout(this.speaking);
    const wait = Math.max(0, this.spoken + SPEAK - performance.now());
    this.speaking = setTimeout(() => {
      this.spoken = performance.now();
      write(this.live, text);
    }, wait);
  }

  schedule() {
    if (this.waiting || this.paused || !this.visible || !this.ready) return;
    this.waiting = true;
    const pause = calm.matches ? Math.max(0, this.drawn + CALM - performance.now()) : 0;
    setTimeout(() => requestAnimationFrame(() => {
      this.waiting = false;
      if (this.paused || !this.visible || this.closed) return;
      this.drawn = performance.now();
      const { dirty } = this;
      this.dirty = new Set();
      if (dirty.has("rows") && this.draw()) this.count();
      this.paintCanvases(dirty);
    }), pause);
  }

  // Whether there was a sample to draw that this view had not drawn yet.
  draw() {
    const { rows, epoch } = this.feed, v = this.view;
    if (!this.ready || !rows.length || epoch !== v.epoch) {
      if (this.ready) this.charts.set("timeline", { rows: [], ends: [] });
      return false;
    }
    this.charts.set("timeline", { rows: lineRows(v.series, rows, this.theme), ends: lineEnds(v.series, this.feed.last, narrow(this.cards.timeline.chart)) });
    if (performance.now() - this.titled >= RETITLE) {
      this.titled = performance.now();
      this.entitle("timeline", lineTitle(v.series, rows), `last ${SECONDS} s, share of each ceiling`);
      this.describe("timeline", lineEnds(v.series, this.feed.last).map((e) => e.label));
      this.drawNumbers();
    }
    const drawn = this.feed.last !== this.shown;
    this.shown = this.feed.last;
    return drawn;
  }

  paintCanvases(which) {
    this.canvases.show(this.feed.scene, this.view, this.theme, () => this.drawNumbers(), which);
  }

  count() {
    const now = performance.now();
    this.stamps.push(now);
    while (this.stamps[0] < now - 2000) this.stamps.shift();
    const span = (now - this.stamps[0]) / 1000;
    this.fps = span > 0.5 ? (this.stamps.length - 1) / span : NaN;
    this.root.dataset.frames = String(++this.frames);
    this.root.dataset.fps = Number.isNaN(this.fps) ? "" : this.fps.toFixed(1);
    this.running = true;
    clearTimeout(this.ending);
    this.ending = setTimeout(() => {
      this.running = false;
      this.stamps = [];
      this.tick();
    }, ENDED);
    this.tick();
  }

  tick() {
    const pace = this.pace ? this.pace : this.paused ? "paused" : !this.running ? "ended" : this.fps ? `${this.fps.toFixed(0)} Hz` : "…";
    write(this.clock, this.feed.last ? `${this.feed.last[0].toFixed(1)} s · ${pace}` : "");
  }

  drawNumbers() {
    if (this.numbers.hidden) return;
    this.numbers.replaceChildren(...tables(this.view, this.feed.last, this.feed.scene).map(tableNode));
  }

  close() {
    this.closed = true;
    this.feed.listeners.delete(this.onRow);
    this.model.off("change:view", this.onView);
    this.unwatch();
    this.sight.disconnect();
    this.size.disconnect();
    clearTimeout(this.speaking);
    clearTimeout(this.ending);
    this.charts.close();
    this.canvases.close();
  }
}
