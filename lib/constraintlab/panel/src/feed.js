// The samples of one panel, shared by all its views: what a reload brought back and what comes in.

const KEEP = 300; // rows kept: 30 s at 10 Hz, like the kernel's own ring

class Feed {
  constructor(model) {
    this.model = model;
    this.rows = [];
    this.listeners = new Set();
    this.epoch = model.get("view").epoch;
    this.replayed = this.restore(model.get("history"));
    this.scene = { maps: [{}, []], lanes: [{}, []], stream: [{}, []], latency: [{}, []], ...model.get("scene") };
    this.take = (message, buffers) => this.frame(message, buffers);
    model.on("msg:custom", this.take);
  }

  // Rows are 64-bit floats: t, a share for each series, the kind of each one's source.
  get width() {
    return 1 + 2 * this.model.get("view").series.length;
  }

  restore(raw) {
    if (!raw || !raw.byteLength) return 0;
    const all = floats(raw);
    for (let i = 0; i + this.width <= all.length; i += this.width) this.rows.push(all.slice(i, i + this.width));
    return this.rows.length;
  }

  frame(message, buffers) {
    for (const name of Object.keys(this.scene)) {
      if (!message[name]) continue;
      this.scene[name] = [message[name], buffers];
      this.tell(name);
    }
    if (message.e === undefined || !buffers?.length) return;
    if (message.e !== this.epoch) {
      this.epoch = message.e;
      this.rows = [];
    }
    const row = floats(buffers[0]);
    if (this.rows.length && row[0] < this.last[0]) this.rows = [];
    this.rows.push(row);
    if (this.rows.length > KEEP) this.rows.shift();
    this.tell("rows");
  }

  tell(what) {
    for (const listener of this.listeners) listener(what);
  }

  get last() {
    return this.rows[this.rows.length - 1];
  }

  close() {
    this.model.off("msg:custom", this.take);
    this.listeners.clear();
  }
}

// Copies, since the bytes of a message need not be aligned for their numbers.
const copied = (raw) => raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength);
const floats = (raw) => new Float64Array(copied(raw));
const shorts = (raw) => new Uint16Array(copied(raw));
const bytes = (raw) => new Uint8Array(copied(raw));
