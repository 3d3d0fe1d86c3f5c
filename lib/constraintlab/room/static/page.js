// The room's page: asks the room every half second, shows its state, passes on what is decided.

import { make, strip } from "./draw.js";

const $ = (id) => document.getElementById(id);
const control = (name) => document.querySelector(`.room-${name}`);
const EVERY = 500;
let key = "", last = "", state = null, loop = 0;

function remembered(name, value) {
    try {
        if (value !== undefined) sessionStorage.setItem(name, value);
        return sessionStorage.getItem(name) ?? "";
    } catch {
        return value ?? "";
    }
}

async function ask(path, body) {
    const options = { headers: { authorization: `Bearer ${key}` }, signal: AbortSignal.timeout(4000) };
    if (body) Object.assign(options, { method: "POST", body: JSON.stringify(body) });
    const reply = await fetch(`api/${path}`, options);
    return [reply.status, await reply.text()];
}

async function look() {
    clearTimeout(loop);
    if (!key) return enter("");
    try {
        const [status, text] = await ask("state");
        if (status === 403) return enter(JSON.parse(text).error);
        if (status === 200) {
            trouble("");
            if (text !== last) show(JSON.parse((last = text)));
        } else trouble(JSON.parse(text).error);
    } catch {
        trouble("The room does not answer. This page goes on by itself when it does.");
    }
    loop = setTimeout(look, EVERY);
}

function trouble(line) {
    $("trouble").textContent = line;
    $("trouble").hidden = !line;
}

function enter(why) {
    key = "";
    $("room").hidden = $("controls").hidden = true;
    document.querySelector("header").hidden = true;
    $("enter").hidden = false;
    $("refused").textContent = why;
    $("host").textContent = $("host2").textContent = location.host;
    $("code").focus();
}

function show({ role, code, where, state: now }) {
    state = now;
    const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
    $("enter").hidden = true;
    $("room").hidden = document.querySelector("header").hidden = false;
    $("controls").hidden = role !== "instructor";
    $("joined").textContent = state.joined;
    $("joined-word").textContent = state.joined === 1 ? "laptop has joined" : "laptops have joined";
    $("join").textContent = `lab.join("${code}@${here && where ? where : location.host}")`;
    question(state.shown);
    list(state.questions, state.shown);
}

function question(q) {
    const mine = state.questions.filter(({ lab }) => lab === q.lab);
    const done = state.finished[q.lab] ?? 0;
    $("lab").textContent = `Lab ${q.lab}`;
    $("place").textContent = `· question ${1 + mine.findIndex((m) => m.key === q.key)} of `
        + `${mine.length} · ${done} of ${state.joined} have finished this lab`;
    $("question").textContent = q.question;
    $("room").classList.toggle("revealed", q.revealed);
    const most = Math.max(1, ...q.options.map((o) => Math.max(o.predicted, o.measured ?? 0)));
    const rows = q.options.map((o) => {
        const name = make("span", { class: `text${o.resource ? ` r-${o.resource}` : ""}` }, o.text);
        const bars = make("span", {}, bar("predicted", o.predicted, most));
        if (q.revealed) bars.append(bar("measured", o.measured, most));
        return make("li", {}, name, bars);
    });
    keep($("options"), rows, q.revealed);
    $("legend").replaceChildren(...(q.revealed
        ? [sample("predicted", "predicted"), sample("measured", "measured")] : []));
    $("legend").hidden = !q.revealed;
    const late = q.late ? ` ${q.late} more after the reveal, not counted.` : "";
    $("counts").textContent = `${q.answers} of ${state.joined} have predicted, `
        + `${q.measured} have measured.${late}`;
    measured(q);
}

function bar(kind, n, most) {
    const made = make("span", { class: "bar" });
    made.style.width = `${(88 * n) / most}%`;
    return make("span", { class: `row ${kind}`, "aria-label": `${n} ${kind}` },
        made, make("span", { class: "n" }, String(n)));
}

const sample = (kind, text) =>
    make("span", { class: kind }, make("span", { class: "bar" }), text);

/** New rows in place of the old ones; where they are as many, bars grow from where they were. */
function keep(list, rows, after) {
    const old = [...list.querySelectorAll(".bar")].map((b) => b.style.width);
    list.classList.toggle("after", after);
    list.replaceChildren(...rows);
    const bars = [...list.querySelectorAll(".bar")];
    if (old.length !== bars.length) return;
    const wanted = bars.map((b) => b.style.width);
    bars.forEach((b, i) => { b.style.width = old[i]; });
    list.getBoundingClientRect();
    bars.forEach((b, i) => { b.style.width = wanted[i]; });
}

function measured(q) {
    const some = q.revealed && q.values.length > 0;
    $("strip").hidden = !some;
    if (some) {
        const n = q.values.length === 1 ? "1 laptop" : `${q.values.length} laptops`;
        $("strip-title").textContent = `Measured by ${n}, a dot each: ${q.unit}, on a log axis.`;
        strip($("dots"), q.values, q.median, q.unit);
    }
    const bound = q.revealed ? q.binds : [];
    $("binds").hidden = !bound.length;
    const n = bound.reduce((sum, { laptops }) => sum + laptops, 0);
    $("binds-title").textContent = `What binds at the end of lab ${q.lab}, one mark a laptop (${n})`;
    $("marks").replaceChildren(...bound.map(({ resource, label, laptops }) => make("li", {},
        make("span", { class: "all", "aria-hidden": "true" },
            ...Array.from({ length: laptops }, () => make("span", { class: `r-${resource}` }))),
        make("span", {}, `${label}: ${laptops}`))));
}

function list(questions, shown) {
    const select = control("question");
    if (document.activeElement !== select || select.options.length !== questions.length)
        select.replaceChildren(...questions.map((q, i) => make("option", { value: i })));
    questions.forEach((q, i) => {
        select.options[i].textContent = `${q.lab} ${q.key} · ${q.answers} predicted, `
            + `${q.measured} measured${q.revealed ? ", revealed" : ""}`;
    });
    const at = questions.findIndex((q) => q.lab === shown.lab && q.key === shown.key);
    select.value = at;
    control("previous").disabled = at === 0;
    control("next").disabled = at === questions.length - 1;
    control("reveal").disabled = shown.revealed;
    control("reveal").textContent = shown.revealed ? "Revealed" : "Reveal";
    control("hide").hidden = !shown.revealed;
}

async function decide(what, { lab, key: name }) {
    try {
        const [status, text] = await ask("instruct", { do: what, lab, key: name });
        await look();
        if (status !== 200) trouble(JSON.parse(text).error);
    } catch {
        trouble("The room does not answer: try again.");
    }
}

function step(by) {
    if ($("controls").hidden) return;
    const at = by + state.questions.findIndex(
        (q) => q.lab === state.shown.lab && q.key === state.shown.key);
    if (state.questions[at]) decide("open", state.questions[at]);
}

function theme(name) {
    document.documentElement.dataset.theme = remembered("theme", name);
    control("theme").textContent = name === "dark" ? "Light" : "Dark";
}

control("previous").addEventListener("click", () => step(-1));
control("next").addEventListener("click", () => step(1));
control("question").addEventListener("change", () =>
    decide("open", state.questions[Number(control("question").value)]));
control("reveal").addEventListener("click", () => decide("reveal", state.shown));
control("hide").addEventListener("click", () => decide("hide", state.shown));
control("theme").addEventListener("click", () =>
    theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
document.addEventListener("keydown", (event) => {
    // What a presenter's clicker sends.
    if (event.target.matches("input, select")) return;
    const by = { PageDown: 1, PageUp: -1 }[event.key];
    if (by) {
        event.preventDefault();
        step(by);
    }
});
$("enter-form").addEventListener("submit", (event) => {
    event.preventDefault();
    key = remembered("key", $("code").value.trim());
    look();
});
window.addEventListener("resize", () => { if (state && key) measured(state.shown); });

const dark = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
theme(remembered("theme") || dark);
// The address may be on a wall: a key that came with it does not stay there.
if (location.hash.length > 1) {
    remembered("key", decodeURIComponent(location.hash.slice(1)));
    history.replaceState(null, "", location.pathname);
}
key = remembered("key");
look();
