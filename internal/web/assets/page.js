// Keeps the page up to date: fetches those of its parts that have changed, and replaces
// only what differs in them, so that the focus, a selection and opened parts stay.

const every = 2000, patience = 5000;
const most = 5;                // changes that are read out at once
const touched = new WeakSet(); // <details> that the reader has opened or closed
let good = new Date();         // when this page was last up to date
let tag = "";                  // of what it shows

document.documentElement.classList.add("js");

async function update() {
  if (document.hidden) {
    document.addEventListener("visibilitychange", update, { once: true });
    return;
  }
  try {
    const headers = { "Signpost-Have": [...document.querySelectorAll("#live [data-v]")].map(e => e.id + "=" + e.dataset.v).join(" ") };
    if (tag) headers["If-None-Match"] = tag;
    const response = await fetch(address(), { headers, signal: AbortSignal.timeout(patience), redirect: "error" });
    if (response.status === 304) {
      seen(response.headers.get("Signpost-At"));
    } else {
      const text = await response.text();
      const next = new DOMParser().parseFromString(text, "text/html").getElementById("live");
      if (!response.ok || !next) throw new Error("not the page");
      show(next);
      tag = response.headers.get("ETag") ?? "";
    }
    good = new Date();
    stale("");
  } catch {
    stale("This page is out of date since " + good.toLocaleTimeString() + ": Signpost cannot be reached. Trying again; if your login has ended, reload the page.");
  }
  setTimeout(update, every);
}

// address is that of the changing parts of this page. An answer of the form is not
// among them.
function address() {
  const query = new URLSearchParams(location.search);
  if (query.has("domain") || !location.search) return location.pathname + "?fragment";
  return location.pathname + location.search + "&fragment";
}

// seen says when the server looked last.
function seen(at) {
  const e = document.getElementById("at");
  if (!e || !at || e.textContent === at) return;
  e.textContent = at;
  e.dateTime = at.replace(" UTC", "Z").replace(" ", "T");
}

function show(next) {
  const live = document.getElementById("live");
  const before = sayings(live);
  morph(live, next);
  seen(live.dataset.at);
  document.title = live.dataset.title;
  const news = [...sayings(live)].filter(([id, text]) => before.get(id) !== text);
  say(news.slice(0, most).map(([, text]) => text).join(". ")); // the headline is the first
}

// sayings are the texts whose changes are read out.
function sayings(live) {
  return new Map([...live.querySelectorAll("[data-say]")].map(e => {
    const of = e.dataset.say || e.closest("li")?.querySelector("a").textContent;
    return [e.id, (of ? of + ": " : "") + e.textContent.replace(/\s+/g, " ").trim()];
  }));
}

function say(text) {
  if (text) document.getElementById("said").textContent = text;
}

function stale(text) {
  const e = document.getElementById("stale");
  if (e.textContent !== text) e.textContent = text;
  document.documentElement.classList.toggle("out-of-date", text !== "");
}

// morph makes the node `from` like `to`, changing as little as it can.
function morph(from, to) {
  if (to.dataset?.same !== undefined || from.isEqualNode(to)) return; // the server has not sent what is the same
  if (from.nodeType !== Node.ELEMENT_NODE) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !kept(from, name)) from.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (from.getAttribute(name) !== value && !kept(from, name)) from.setAttribute(name, value);
  }
  if (from.matches("button.copy")) return; // it may be saying "Copied"
  let at = from.firstChild;
  for (const child of [...to.childNodes]) {
    const match = find(from, at, child);
    if (!match) {
      from.insertBefore(document.importNode(child, true), at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else from.insertBefore(match, at);
    morph(match, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// find looks for what becomes `child`: the one with its id, else the next of its kind.
function find(from, at, child) {
  if (child.id) {
    for (let n = at; n; n = n.nextSibling) if (n.id === child.id) return n;
    return null;
  }
  for (let n = at; n; n = n.nextSibling) {
    if (n.id) return null;
    if (n.nodeName === child.nodeName && n.className === child.className) return n;
  }
  return null;
}

function kept(element, name) {
  return name === "open" && touched.has(element);
}

async function copy(button) {
  const code = button.parentElement.querySelector("code");
  const text = code.textContent;
  try {
    await navigator.clipboard.writeText(text);
    done(button, "Copied");
  } catch { // not on a plain http:// address other than localhost
    getSelection().selectAllChildren(code);
    done(button, document.execCommand("copy") ? "Copied" : "Press Ctrl+C");
  }
}

function done(button, word) {
  button.textContent = word;
  say(word);
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

document.addEventListener("click", event => {
  const button = event.target.closest("button.copy");
  if (button) copy(button);
  const summary = event.target.closest("summary");
  if (summary) touched.add(summary.parentElement);
});

// A link to a closed part opens it.
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    touched.add(target);
    target.open = true;
  }
}
addEventListener("hashchange", open);
open();

setTimeout(update, every);
