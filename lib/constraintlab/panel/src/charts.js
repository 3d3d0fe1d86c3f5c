// The Vega views: embedded once per theme, then only their rows change.

const NARROW = 460, SHORT = 64; // px: of a card on a phone; right of a line there, for its mark and share
const narrow = (place) => place.clientWidth < NARROW;

class Charts {
  constructor(cards) {
    this.cards = cards;
    this.made = {};
  }

  async embed(theme) {
    const made = {};
    for (const [name, { chart }] of Object.entries(this.cards)) {
      const place = node("div", "cl-canvas");
      chart.append(place);
      made[name] = await vegaEmbed(place, SPECS[theme][name], {
        actions: false, renderer: "canvas", defaultStyle: false, tooltip: { theme },
      });
      made[name].place = place;
    }
    this.close();
    this.made = made;
    this.fit();
  }

  // tables: {name: rows}. Synchronous, so that a slow page never has a queue of frames.
  set(name, tables) {
    const view = this.made[name]?.view;
    if (!view) return;
    for (const [table, rows] of Object.entries(tables)) view.data(table, rows);
    view.run();
  }

  // Vega follows the window's size only; a side bar that opens does not change that.
  fit() {
    for (const [name, { view, place, spec }] of Object.entries(this.made)) {
      const right = name === "timeline" && narrow(place) ? SHORT : spec.padding.right;
      const width = Math.floor(place.clientWidth) - spec.padding.left - right;
      if (width > 0 && view.width() !== width) view.padding({ ...spec.padding, right }).width(width).run();
    }
  }

  close() {
    for (const { finalize, place } of Object.values(this.made)) {
      finalize();
      place.remove();
    }
    this.made = {};
  }
}

// The dots with how far along the roof's log axis each one is, from 0 to 1.
function along(dots, roof) {
  const [low, high] = [Math.min, Math.max].map((end) => Math.log(end(...roof.map((r) => r.x))));
  return dots.map((d) => ({ ...d, at: (Math.log(d.x) - low) / (high - low) }));
}
