// The Vega views: embedded once per theme, then only their rows change.

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
    for (const { view, place, spec } of Object.values(this.made)) {
      const width = Math.floor(place.clientWidth) - spec.padding.left - spec.padding.right;
      if (width > 0 && view.width() !== width) view.width(width).run();
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
