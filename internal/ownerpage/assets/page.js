// Keeps the page up to date: asks for its two parts that change, and replaces one only
// if it is another than before, so that the focus and a selection stay.

const every = 2000, first = 500, patience = 8000;
const words = document.body.dataset;
let tag = "";

document.documentElement.classList.add("js");

async function update() {
  if (document.hidden) {
    document.addEventListener("visibilitychange", update, { once: true });
    return;
  }
  let pause = every;
  try {
    const query = new URLSearchParams(location.search);
    query.set("language", document.documentElement.lang);
    query.set("live", "");
    const response = await fetch(location.pathname + "?" + query, {
      headers: tag ? { "If-None-Match": tag } : {}, signal: AbortSignal.timeout(patience), redirect: "error", cache: "no-store",
    });
    if (response.status === 404 || response.status === 410) { // the link has ended: its page says so
      location.reload();
      return;
    }
    if (response.status !== 304) {
      if (!response.ok) throw new Error(response.status);
      show(new DOMParser().parseFromString(await response.text(), "text/html"));
      tag = response.headers.get("ETag") ?? "";
    }
    stale("");
    if (document.querySelector("#status.pending")) pause = first;
  } catch {
    stale(words.stale);
  }
  setTimeout(update, pause);
}

function show(next) {
  for (const id of ["status", "where"]) {
    const old = document.getElementById(id), now = next.getElementById(id);
    if (!now) throw new Error("not the page");
    if (old.dataset.v !== now.dataset.v) old.replaceWith(document.importNode(now, true));
  }
  document.title = next.title;
  say([text("headline"), text("sentence")].filter(Boolean).join(". "));
}

function text(id) {
  return document.getElementById(id)?.textContent.trim() ?? "";
}

function say(text) {
  const e = document.getElementById("said");
  if (e.textContent !== text) e.textContent = text;
}

function stale(text) {
  const e = document.getElementById("stale");
  if (e.textContent !== text) e.textContent = text;
}

document.addEventListener("click", async event => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const from = button.parentElement.querySelector("code, pre");
  let word = words.copied;
  try {
    await navigator.clipboard.writeText(from.textContent);
  } catch { // not on a plain http:// address other than localhost
    getSelection().selectAllChildren(from);
    if (!document.execCommand("copy")) word = words.press;
  }
  const before = button.dataset.word ??= button.textContent;
  button.textContent = word;
  say(word);
  setTimeout(() => { button.textContent = before; }, 2000);
});

setTimeout(update, first);
