// Cards with plain canvases: drawn in well under a frame, where a chart of so many marks is not.

class Canvases {
  constructor(grid, before) {
    Object.assign(this, { grid, made: { maps: new KVMaps(), lanes: new RequestLanes() } });
    for (const { card } of Object.values(this.made)) before.before(card.box);
  }

  // which: names of those that changed, all if left out. titled: called after new words.
  show(scene, view, theme, titled, which = new Set(Object.keys(this.made))) {
    // One pool stands where a roofline has nothing to show; two need the whole width.
    const { pools = [] } = scene.maps[0];
    const place = pools.length && !view.roof.length ? `cl-grid cl-pools-${pools.length}` : "cl-grid";
    if (this.grid.className !== place) this.grid.className = place;
    for (const [name, card] of Object.entries(this.made)) {
      if (which.has(name)) card.show(scene[name], theme, view.inks, titled);
    }
  }

  close() {
    for (const card of Object.values(this.made)) card.close();
  }
}

class CanvasCard {
  constructor(name) {
    this.card = card(name);
    this.card.box.hidden = true;
    this.card.chart.tabIndex = 0;
    this.drawn = 0;
    this.told = -RETITLE;
  }

  // [head, buffers] as last sent; an empty head shows nothing and takes no room.
  show([head, buffers], theme, inks, titled) {
    const { box, chart } = this.card, on = Boolean(head.finding);
    if (box.hidden === on) box.hidden = !on;
    this.head = head;
    if (!on) return;
    this.paint(head, buffers, inks[theme]);
    this.retitle(theme, inks, titled);
    chart.dataset.drawn = String(++this.drawn);
  }

  // At most once a second, the last of a row of changes too: words that change faster can't be read.
  retitle(theme, inks, titled) {
    const look = JSON.stringify([theme, this.keys(), this.head.sources]);
    if (look !== this.look) this.legend(inks[theme]);
    this.look = look;
    if (this.later) return;
    this.later = setTimeout(() => {
      this.later = 0;
      this.told = performance.now();
      const { finding, shows, chart } = this.card, { head } = this;
      if (!head.finding) return;
      write(finding, head.finding);
      write(shows, head.shows);
      chart.setAttribute("aria-label", [`${head.finding} (${head.shows})`, ...head.facts].join("; "));
      titled();
    }, Math.max(0, this.told + RETITLE - performance.now()));
  }

  // [draw(context, ink), text] of each entry; sources stand behind them.
  legend(ink) {
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
