// The strip of dots and the numbers on it. Nothing here knows the room.

const SVG = "http://www.w3.org/2000/svg";
const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** An element with attributes, and a text or children. Text is never read as HTML. */
export function make(name, attributes = {}, ...children) {
    const svg = ["line", "circle", "text"].includes(name);
    const made = svg ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
}

/** `×1.52`, `12%`, `3.4k tokens/s`: the unit's first sign or its whole, three digits. */
export function number(value, unit) {
    const [size, prefix] = PREFIXES.find(([least]) => value >= 10 * least) ?? [1, ""];
    const digits = `${Number((value / size).toPrecision(3))}${prefix}`;
    if (unit.startsWith("×")) return `×${digits}`;
    if (unit.startsWith("%")) return `${digits}%`;
    return `${digits} ${unit}`;
}

/** [low, high] of an axis that has room on both sides. */
export function domain(values) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = Math.max((high / low) ** 0.08, high / low < 1.5 ? 1.3 : 1.12);
    return [low / room, high * room];
}

/** Round values of a log axis, at most eight: 1, 2, 5 of each decade, or closer, or further. */
export function ticks(low, high) {
    let found = [];
    for (const steps of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]]) {
        const next = [];
        for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++)
            for (const s of steps) next.push(Number((s * 10 ** e).toPrecision(3)));
        const inside = next.filter((t) => t >= low && t <= high);
        if (inside.length > 8) break;
        found = inside;
    }
    if (found.length >= 3) return found;
    const rough = (high - low) / 4, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((s) => s * power >= rough) * power;
    found = [];
    for (let t = Math.ceil(low / step) * step; t <= high; t += step)
        found.push(Number(t.toPrecision(6)));
    return found;
}

/** [[x, level]] of dots of a width, from the left: one that would touch another goes on top. */
export function stacked(xs, width) {
    const ends = [];
    return xs.map((x) => {
        let level = ends.findIndex((end) => x - end >= width);
        if (level < 0) level = ends.push(0) - 1;
        ends[level] = x;
        return [x, level];
    });
}

/** Sorted values as dots over a log axis, the median marked. */
export function strip(svg, values, median, unit) {
    const { width, height } = svg.getBoundingClientRect();
    const em = parseFloat(getComputedStyle(svg).fontSize);
    const left = 2 * em, right = width - 2 * em, floor = height - 1.6 * em;
    const top = 1.5 * em;
    const [low, high] = domain(values);
    const x = (v) => left + ((right - left) * Math.log(v / low)) / Math.log(high / low);
    let r = 0.42 * em, placed = stacked(values.map(x), 2 * r);
    const levels = () => 1 + Math.max(...placed.map(([, level]) => level));
    while (r > 2 && levels() * 2 * r > floor - top) {
        r *= 0.9;
        placed = stacked(values.map(x), 2 * r);
    }
    const parts = [];
    for (const t of ticks(low, high)) {
        parts.push(make("line", { class: "grid", x1: x(t), x2: x(t), y1: top, y2: floor }));
        parts.push(make("text", { x: x(t), y: height - 0.3 * em }, number(t, unit)));
    }
    parts.push(make("line", { class: "axis", x1: left, x2: right, y1: floor, y2: floor }));
    for (const [at, level] of placed)
        parts.push(make("circle", { cx: at, cy: floor - r - 2 * r * level, r }));
    const m = x(median), said = `median ${number(median, unit)}`;
    parts.push(make("line", { class: "median", x1: m, x2: m, y1: top, y2: floor }));
    const inner = Math.min(Math.max(m, left + 3 * em), right - 3 * em);
    parts.push(make("text", { class: "said", x: inner, y: top - 0.4 * em }, said));
    svg.replaceChildren(...parts);
    const span = `from ${number(values[0], unit)} to ${number(values.at(-1), unit)}`;
    svg.setAttribute("aria-label", `${values.length} laptops, ${said}, ${span}`);
}
