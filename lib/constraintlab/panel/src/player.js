// Recordings: tabs, the steps of a run, a slider, and the panel as it was at that moment.

const PLAY = 250; // ms between two moments while it plays

// What a panel's page reads of its kernel, held still: a View can't tell it from one that is live.
class Still {
  constructor(values) {
    Object.assign(this, { values, heard: new Map() });
  }

  get(name) {
    return this.values[name];
  }

  on(what, act) {
    this.heard.set(what, [...(this.heard.get(what) ?? []), act]);
  }

  off(what, act) {
    this.heard.set(what, (this.heard.get(what) ?? []).filter((a) => a !== act));
  }

  show(view) {
    this.values.view = view;
    for (const act of this.heard.get("change:view") ?? []) act();
  }
}

// All frames up to one: the view, rows and canvases of the panel that drew last.
function stateAt(frames, end) {
  const panels = new Map();
  let last;
  for (const f of frames.slice(0, end)) {
    if (!panels.has(f.panel)) panels.set(f.panel, { rows: [], scene: {} });
    last = panels.get(f.panel);
    if (f.do === "view") last.view = f.view;
    else if (f.do === "scene") last.scene[f.name] = [f.head, f.buffers];
    else {
      const before = last.rows[last.rows.length - 1];
      if (f.epoch !== last.epoch || (before && f.row[0] < before[0])) last.rows = [];
      last.epoch = f.epoch;
      last.rows.push(f.row);
    }
  }
  return last;
}

const unpacked = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const gaps = (row) => Float64Array.from(row, (x) => x ?? NaN);

class Player {
  constructor(el, raw) {
    this.root = el.appendChild(node("div", "cl-replay"));
    this.paint();
    this.unwatch = watchTheme(() => this.paint());
    this.open(raw);
  }

  async open(raw) {
    const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
    this.tabs = await new Response(stream).json();
    if (this.closed) return;
    const bar = this.root.appendChild(node("div", "cl-tabs"));
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Recordings");
    this.buttons = this.tabs.map(({ tab }, i) => bar.appendChild(button("replay-tab", tab, () => this.choose(i))));
    this.body = this.root.appendChild(node("div", "cl-played"));
    this.choose(Math.max(0, this.tabs.findIndex((t) => t.frames?.length)));
  }

  paint() {
    this.root.dataset.theme = theme();
  }

  choose(i) {
    this.stop();
    this.view?.close();
    this.feed?.close();
    this.view = this.feed = this.still = undefined;
    this.buttons.forEach((b, k) => b.setAttribute("aria-pressed", String(k === i)));
    this.tape = this.tabs[i];
    this.body.replaceChildren();
    if (this.tape.missing || !this.tape.frames.length) {
      const none = this.tape.missing ?? "Nothing was drawn in this recording.";
      this.body.append(node("p", "cl-missing", none));
      return;
    }
    this.build();
    this.seek(0, 0);
  }

  build() {
    const { tape, body } = this;
    body.append(node("p", "cl-about", tape.about), ...tape.notes.map((n) => node("p", "cl-about", n)));
    const list = body.appendChild(node("ol", "cl-steps"));
    this.steps = tape.steps.map((step, k) => {
      const item = list.appendChild(node("li"));
      const b = item.appendChild(button("replay-step", step.title, () => {
        this.stop();
        this.seek(step.moment, k);
      }));
      b.classList.add(`cl-step-${step.kind}`);
      b.title = step.text;
      return b;
    });
    const bar = body.appendChild(node("div", "cl-scrub"));
    this.playing = bar.appendChild(button("replay-play", "Play", () => (this.timer ? this.stop() : this.play())));
    this.slider = bar.appendChild(node("input", "replay-slider"));
    Object.assign(this.slider, { type: "range", min: 0, max: tape.moments.length - 1, step: 1 });
    this.slider.setAttribute("aria-label", "Moment of the recording");
    this.slider.addEventListener("input", () => {
      this.stop();
      this.seek(Number(this.slider.value));
    });
    this.when = bar.appendChild(node("span", "cl-when"));
    this.said = body.appendChild(node("section", "cl-said"));
    this.said.setAttribute("aria-live", "polite");
    this.place = body.appendChild(node("div"));
  }

  // The panel at a moment, beside the step that was reached by then, or the one that was asked for.
  seek(moment, step = this.tape.steps.findLastIndex((s) => s.moment <= moment)) {
    const { tape } = this, [t, end] = tape.moments[moment];
    const now = `${t.toFixed(1)} s of ${tape.moments[tape.moments.length - 1][0].toFixed(0)} s`;
    this.slider.value = String(moment);
    this.slider.setAttribute("aria-valuetext", now);
    this.moment = moment;
    this.root.dataset.moment = String(moment);
    write(this.when, now);
    this.steps.forEach((b, k) => b.setAttribute("aria-pressed", String(k === step)));
    this.tell(tape.steps[step]);
    const state = stateAt(tape.frames, end);
    if (state.view) this.draw(state);
  }

  tell(step) {
    if (this.told === step && this.said.childNodes.length) return;
    this.told = step;
    if (!step) return this.said.replaceChildren();
    const lines = node("ul");
    for (const [text, mark] of step.lines) {
      const line = lines.appendChild(node("li", mark ? `cl-${mark}` : "", mark ? "" : text));
      if (mark) line.append(node("span", "", mark === "yes" ? "✓ " : "✗ "), node("b", "", text));
    }
    this.said.replaceChildren(node("b", "", `${step.title}. `), node("span", "", step.text), lines);
  }

  draw({ view, rows, epoch, scene }) {
    if (!this.view) {
      this.still = new Still({ view, history: undefined, scene: {} });
      this.feed = new Feed(this.still);
      this.view = new View(this.still, this.feed, this.place);
      this.view.pace = "recorded";
    }
    const { feed } = this, empty = { maps: [{}, []], lanes: [{}, []], stream: [{}, []], latency: [{}, []] };
    feed.rows = rows.slice(-KEEP).map(gaps);
    feed.epoch = epoch ?? view.epoch;
    feed.scene = { ...empty };
    for (const [name, [head, buffers]] of Object.entries(scene)) feed.scene[name] = [head, buffers.map(unpacked)];
    this.view.afresh();
    this.still.show(view);
  }

  play() {
    const last = this.tape.moments.length - 1;
    if (this.moment === last) this.seek(0);
    this.playing.setAttribute("aria-pressed", "true");
    this.playing.textContent = "Stop";
    this.timer = setInterval(() => {
      this.seek(Math.min(last, this.moment + 1));
      if (this.moment === last) this.stop();
    }, PLAY);
  }

  stop() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.playing.setAttribute("aria-pressed", "false");
    this.playing.textContent = "Play";
  }

  close() {
    this.closed = true;
    this.stop();
    this.unwatch();
    this.view?.close();
    this.feed?.close();
  }
}
