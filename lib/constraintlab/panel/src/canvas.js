// Cards with plain canvases: drawn in well under a frame, where a chart of so many marks is not.

class Canvases {
  constructor(grid, before) {
    Object.assign(this, { grid, before });
    this.made = { maps: new KVMaps(), lanes: new RequestLanes(), stream: new Streams(), latency: new Latencies() };
  }

  // which: names of those that changed, all if left out. titled: called after new words.
  show(scene, view, theme, titled, which = new Set(Object.keys(this.made))) {
    this.place(scene, view);
    for (const [name, card] of Object.entries(this.made)) {
      if (which.has(name)) card.show(scene[name], theme, view.inks, titled);
    }
  }

  // What shows nothing is not on the page. One pool stands where a roofline has nothing to show;
  // two need the whole width.
  place(scene, view) {
    const { pools = [] } = scene.maps[0];
    const look = pools.length && !view.roof.length ? `cl-grid cl-pools-${pools.length}` : "cl-grid";
    if (this.grid.className !== look) this.grid.className = look;
    const shown = Object.keys(this.made).filter((name) => scene[name][0].finding);
    if (String(shown) === this.shown) return;
    this.shown = String(shown);
    for (const { card } of Object.values(this.made)) card.box.remove();
    this.before.before(...shown.map((name) => this.made[name].card.box));
  }

  // Let the next words come at once.
  afresh() {
    for (const card of Object.values(this.made)) card.told = -RETITLE;
  }

  close() {
    for (const card of Object.values(this.made)) card.close();
  }
}

class CanvasCard {
  constructor(name) {
    this.card = card(name);
    this.card.chart.tabIndex = 0;
    this.drawn = 0;
    this.told = -RETITLE;
  }

  // [head, buffers] as last sent; an empty head shows nothing. Pictures change at once, all
  // words together and at most once a second: what changes faster can't be read.
  show([head, buffers], theme, inks, titled) {
    const pools = (h) => h?.pools?.length;
    this.head = head;
    clearTimeout(this.later);
    if (!head.finding) return;
    const wait = this.told + RETITLE - performance.now();
    const paint = () => this.paint(head, this.said, buffers, inks[theme]);
    if (wait <= 0 || pools(this.said) !== pools(head)) this.say(titled);
    else this.later = setTimeout(() => { this.say(titled); paint(); }, wait);
    paint();
    this.legend(theme, inks[theme]);
    this.card.chart.dataset.drawn = String(++this.drawn);
  }

  say(titled) {
    const { head, card: { finding, shows, chart } } = this;
    this.said = head;
    this.told = performance.now();
    write(finding, head.finding);
    write(shows, head.shows);
    chart.setAttribute("aria-label", [`${head.finding} (${head.shows})`, ...head.facts].join("; "));
    titled();
  }

  // [draw(context, ink), text] of each entry; sources stand behind them.
  legend(theme, ink) {
    const look = JSON.stringify([theme, this.keys(), this.head.sources]);
    if (look === this.look) return;
    this.look = look;
    this.card.foot.replaceChildren(...this.keys().map(([draw, text]) => {
      const e = node("span", "cl-key"), canvas = e.appendChild(node("canvas", "cl-swatch"));
      draw(surface(canvas, SWATCH, 14), ink);
      e.append(text);
      return e;
    }), ...this.head.sources.map(sourceChip));
  }

  close() {
    clearTimeout(this.later);
  }
}

const SWATCH = 26;

// The canvas at this size, cleared, its context in CSS pixels that are whole pixels of the screen.
function surface(canvas, width, height) {
  const scale = window.devicePixelRatio;
  resized(canvas, Math.round(width * scale), Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// Setting a size clears and allocates, so only where it changes.
function resized(canvas, width, height) {
  const scale = window.devicePixelRatio;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.style.width = `${width / scale}px`;
  canvas.style.height = `${height / scale}px`;
}
