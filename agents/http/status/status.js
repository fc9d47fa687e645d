"use strict";
// Keeps the page up to date. It only sets texts: what comes from outside is never read as HTML.

const SILENT_AFTER_MS = 5000;
const ASK_AGAIN_MS = 10000;
const LEVELS = { true: ["serious", "Serious"], false: ["warning", "Warning"] };
const byId = (id) => document.getElementById(id);

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function make(name, attributes = {}, children = []) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// As many children as there are items, each filled with its item.
function fill(parent, items, makeChild, fillChild) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach((item, at) => {
    const child = parent.children[at] || parent.appendChild(makeChild(item));
    fillChild(child, item);
  });
}

function makeNotice() {
  return make("li", {}, [make("strong"), make("span"), make("span", { class: "remedy" })]);
}

function fillNotice(node, notice) {
  const [level, word] = LEVELS[notice.serious];
  node.dataset.level = level;
  [word, notice.what, notice.remedy].forEach((text, at) => say(node.children[at], text));
}

function makeFigure() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("viewBox", "0 0 100 24");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "polyline"));
  return make("div", {}, [
    make("dt"),
    make("dd", { class: "value" }),
    make("dd", { class: "note" }),
    make("dd", { class: "chart" }, [svg]),
  ]);
}

function fillFigure(node, figure) {
  const [label, value, note, chart] = node.children;
  say(label, figure.label);
  say(value, figure.value);
  say(note, figure.note);
  chart.hidden = !figure.chart;
  chart.firstElementChild.setAttribute("aria-label", figure.chart_says);
  chart.firstElementChild.firstElementChild.setAttribute("points", figure.chart);
}

function makeSection(section) {
  const heading = `h-${section.name}`;
  const table = make("table", {}, [make("thead", {}, [make("tr")]), make("tbody")]);
  return make("section", { "data-name": section.name, class: section.wide ? "wide" : "", "aria-labelledby": heading }, [
    make("h2", { id: heading }),
    make("div", { class: "scroll", role: "group", tabindex: "0", "aria-labelledby": heading }, [table]),
    make("p", { class: "note" }),
  ]);
}

function fillSection(node, section) {
  const [title, scroll, note] = node.children;
  const [head, body] = scroll.firstElementChild.children;
  say(title, section.title);
  say(note, section.table.note);
  fill(head.firstElementChild, section.table.columns, () => make("th", { scope: "col" }), say);
  fill(body, section.table.rows, () => make("tr"), (row, cells) =>
    fill(row, cells, () => (row.children.length ? make("td") : make("th", { scope: "row" })), say));
}

function fillSections(parent, sections) {
  const names = sections.map((section) => section.name);
  for (const node of [...parent.children]) if (!names.includes(node.dataset.name)) node.remove();
  sections.forEach((section, at) => {
    let node = parent.children[at];
    if (!node || node.dataset.name !== section.name) {
      node = parent.insertBefore(makeSection(section), node || null);
    }
    fillSection(node, section);
  });
}

function show(now) {
  document.title = `${now.state} · ${now.facts[0]} · Sluicegate`;
  const state = byId("state");
  const count = now.notices.length;
  const changed = state.textContent !== now.state || byId("notices").children.length !== count;
  say(state, now.state);
  state.dataset.level = now.level;
  fill(byId("facts"), now.facts, () => make("li"), say);
  fill(byId("notices"), now.notices, makeNotice, fillNotice);
  byId("nothing").hidden = count > 0;
  fill(byId("figures"), now.figures, makeFigure, fillFigure);
  fillSections(byId("sections"), now.sections);
  // A screen reader hears of changes of the state, not of every number.
  if (changed) say(byId("announce"), [now.state, ...now.notices.map((notice) => notice.what)].join(". "));
}

function sayLive(level, text) {
  byId("live").dataset.level = level;
  say(byId("live"), text);
}

let heardAt = Date.now();
let refused = false;
let shownAt = byId("live").textContent;

function watch() {
  const events = new EventSource("status/events");
  events.onmessage = (event) => {
    const now = JSON.parse(event.data);
    heardAt = Date.now();
    shownAt = now.at;
    refused = false;
    show(now);
    sayLive("good", `Live. ${now.at}`);
  };
  events.onerror = () => {
    if (events.readyState !== EventSource.CLOSED) return; // the browser asks again by itself
    sayLive("serious", "Live updates were refused: too many people watch this page, or your key is no longer accepted. "
      + `This page asks again every 10 s. What you see is of ${shownAt}`);
    refused = true;
    setTimeout(watch, ASK_AGAIN_MS);
  };
}

setInterval(() => {
  const silent = Date.now() - heardAt;
  if (silent < SILENT_AFTER_MS || refused) return;
  sayLive("serious", `The process has sent nothing for ${Math.round(silent / 1000)} s: it has ended, it hangs, or the `
    + `network is down. What you see is of ${shownAt}`);
}, 1000);

watch();
