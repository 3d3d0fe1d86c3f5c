// What the timeline draws: rows for the lines, labels at their ends, a title that states the finding.

const SECONDS = 20;
const TOP = 1.1;   // shares are drawn up to here
const GAP = 0.095; // least distance between two labels
const KINDS = ["measured", "counted", "recorded", "modelled", "n/a"];
const DASHES = { measured: [1, 0], counted: [9, 2], recorded: [5, 4], modelled: [2, 3], "n/a": [1, 0] };
const BUSY_DASH = [4, 4];

function lineRows(series, rows, theme) {
  const last = rows[rows.length - 1], now = last[0], drawn = [];
  let from = rows.length - 1;
  while (from > 0 && now - rows[from - 1][0] <= SECONDS) from--;
  series.forEach((s, k) => {
    const kind = KINDS[last[1 + series.length + k]] ?? s.kind;
    const look = {
      s: s.label, colour: s.colour[theme], rim: s.rim[theme], busy: !s.key,
      dash: s.key ? DASHES[kind] : BUSY_DASH,
    };
    for (let i = from; i < rows.length; i++) {
      const y = rows[i][k + 1];
      if (Number.isFinite(y)) drawn.push({ x: rows[i][0] - now, y: Math.max(0, y), ...look });
    }
  });
  return drawn;
}

// brief: a mark and a share, where there is no room for names.
function lineEnds(series, last, brief) {
  const ends = series.map((s, k) => {
    const y = last[k + 1];
    return {
      at: Number.isFinite(y) ? Math.min(Math.max(y, 0), TOP) : 0,
      busy: !s.key, label: brief ? `${s.mark}${percent(y)}` : `${s.mark}${s.label} ${percent(y)}`,
    };
  }).sort((a, b) => a.at - b.at);
  for (let i = 1; i < ends.length; i++) ends[i].at = Math.max(ends[i].at, ends[i - 1].at + GAP);
  let ceiling = TOP;
  for (let i = ends.length - 1; i >= 0; i--) {
    ends[i].at = Math.min(ends[i].at, ceiling);
    ceiling = ends[i].at - GAP;
  }
  return ends;
}

function lineTitle(series, rows) {
  const now = rows.length ? rows[rows.length - 1][0] : 0;
  const means = series.map((s, k) => {
    const seen = rows.filter((r) => now - r[0] <= 2 && Number.isFinite(r[k + 1])).map((r) => r[k + 1]);
    return { ...s, mean: seen.length ? seen.reduce((a, b) => a + b) / seen.length : NaN };
  }).filter((s) => Number.isFinite(s.mean));
  const top = means.filter((s) => s.key).sort((a, b) => b.mean - a.mean)[0];
  if (!top) return "Waiting for samples";
  const busy = means.find((s) => !s.key);
  const text = `${top.label}: ${percent(top.mean)} of its ceiling`
    + (busy ? ` while ${busy.label} reads ${percent(busy.mean)}` : "");
  return text[0].toUpperCase() + text.slice(1);
}

// The kinds of source among the lines, with the style that shows each.
function lineLegend(series) {
  const kinds = [...new Set(series.filter((s) => s.key).map((s) => s.kind))];
  const seen = kinds.map((k) => [k, DASHES[k]]).filter(([k]) => k !== "n/a");
  if (series.some((s) => !s.key)) seen.push(["how busy it looks, no resource", BUSY_DASH]);
  const names = series.map((s) => node("span", "cl-key cl-brief", `${s.mark}${s.label}`));
  return names.concat(seen.map(([text, dash]) => {
    const e = node("span", "cl-key");
    e.innerHTML = `<svg width="34" height="6" aria-hidden="true"><line x1="0" x2="34" y1="3" y2="3"
      stroke="currentColor" stroke-width="2" stroke-dasharray="${dash[1] ? dash : "none"}"/></svg>`;
    e.append(text);
    return e;
  }));
}
