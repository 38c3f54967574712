// Runs once, when the reader is there. `element` is the reader, `trigger` calls Python.
const phone = matchMedia("(max-width: 760px)");
const reader = document.getElementById("source");
const talk = document.getElementById("talk");
let walk = []; // ids of the quotes, or of the passages, that the opened citation stands among
let origin = null; // the chip that gets the focus back
let shown = null; // the citation id in the reader
const UNREACHABLE =
  '<div class="source-head"><nav class="steps"><button type="button" class="close">Close</button></nav></div>' +
  '<p class="source-problem" tabindex="-1">The source cannot be fetched: Pincite does not answer. ' +
  "Start it again with <code>pincite chat</code>.</p>";

const citationOf = (link) => new URL(link.href).searchParams.get("cite");
const asked = () => new URLSearchParams(location.search).get("cite");
const box = () => document.querySelector("#box textarea");
const chips = (card) => (card ? [...card.querySelectorAll("a.chip")] : []);
const visibleChips = (card) => chips(card).filter((chip) => chip.checkVisibility());

function open(id, remember = true) {
  const wasOpen = reader.classList.contains("open");
  reader.classList.add("open");
  talk.inert = phone.matches;
  if (remember) {
    const url = new URL(location.href);
    url.searchParams.set("cite", id);
    history[wasOpen ? "replaceState" : "pushState"](null, "", url);
  }
  highlightChip(id);
  if (id === shown) return reveal();
  show(id);
}

// Not through a Gradio event: its queue takes longer than everything else between a click and the quote.
async function show(id) {
  shown = id;
  element.setAttribute("aria-busy", "true");
  const html = await fetch("/api/v1/reader", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ cite: id, walk }),
  }).then((r) => (r.ok ? r.text() : null)).catch(() => null);
  if (id !== shown) return; // another one was opened meanwhile
  if (html === null) shown = null; // so that the next try asks again
  element.innerHTML = html ?? UNREACHABLE;
  element.removeAttribute("aria-busy");
  reveal();
}

function close() {
  reader.classList.remove("open");
  talk.inert = false;
  const url = new URL(location.href);
  url.searchParams.delete("cite");
  history.replaceState(null, "", url);
  (origin?.isConnected ? origin : box())?.focus();
}

function highlightChip(id) {
  for (const chip of document.querySelectorAll("a.chip")) chip.classList.toggle("current", citationOf(chip) === id);
}

function reveal() {
  const target = element.querySelector("mark, .source-problem");
  if (!target) return;
  focus(target);
  center(target);
  settling.disconnect();
  settling.observe(element.querySelector(".source-text") ?? target);
}

// The browser refuses the focus to what it has not laid out yet, as a quote that came within a frame of its sheet.
function focus(target, tries = 20) {
  target.focus({ preventScroll: true });
  const isRefused = document.activeElement === document.body && target.isConnected;
  if (isRefused && tries) requestAnimationFrame(() => focus(target, tries - 1));
}

// Blocks take their real height only when they come into view; until the person scrolls, the mark stays in its place.
const settling = new ResizeObserver(() => {
  const target = element.querySelector("mark");
  if (target) center(target);
});
for (const moved of ["wheel", "touchmove", "pointerdown", "keydown"]) {
  element.addEventListener(moved, () => settling.disconnect(), { passive: true });
}

function center(target) {
  const room = element.getBoundingClientRect();
  const place = target.getBoundingClientRect();
  const head = element.querySelector(".source-head").offsetHeight;
  const above = Math.max(0, (room.height - head - place.height) / 3); // a long quote starts at the top
  element.scrollTop += place.top - room.top - head - above;
}

function openChip(chip) {
  putPreviewAway(); // the source itself is shown, and the next citation may lie under it
  origin = chip;
  const group = chip.closest(".related");
  const all = chips(group ?? chip.closest(".answer")).filter((other) => other.closest(".related") === group);
  walk = chip.matches(".copy") ? [citationOf(chip)] : [...new Set(all.map(citationOf))];
  open(citationOf(chip));
}

function step(rel) {
  const link = element.querySelector(`a.step[rel=${rel}]`);
  if (!link) return;
  const id = citationOf(link);
  origin = chips(origin?.closest(".answer")).find((chip) => citationOf(chip) === id) ?? origin;
  open(id);
}

document.addEventListener("click", (event) => {
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.("a.chip, a.copy, a.step");
  if (event.target.closest?.("#source .close")) return close();
  if (!link) return;
  event.preventDefault();
  link.matches(".step") ? step(link.rel) : openChip(link);
}, true);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const inField = event.target.closest?.("input, textarea, select, [contenteditable=true]");
  if (event.key === "Escape") putPreviewAway();
  if (event.key === "Escape" && (reader.classList.contains("open") && !inField)) close();
  else if (inField) return;
  else if (event.key === "/") box()?.focus();
  else if (event.key === "n") step("next");
  else if (event.key === "p") step("prev");
  else if (/^[1-9]$/.test(event.key)) {
    const chip = visibleChips([...document.querySelectorAll(".answer")].at(-1))[event.key - 1];
    if (!chip) return;
    openChip(chip);
  } else return;
  event.preventDefault();
});

window.addEventListener("popstate", () => (asked() ? open(asked(), false) : close()));
phone.addEventListener("change", () => (talk.inert = phone.matches && reader.classList.contains("open")));

element.tabIndex = 0; // it scrolls
element.setAttribute("role", "region");
element.setAttribute("aria-label", "Source");

// The newest question comes to the top of the chat. Gradio's own live region would read every step aloud.
let newest = null;
new MutationObserver(() => {
  const log = document.querySelector("#chat [role=log]");
  log?.setAttribute("aria-live", "off");
  log?.setAttribute("tabindex", "0"); // it scrolls
  // it would read the answer's markup aloud
  for (const row of document.querySelectorAll("#chat .message > [aria-label]")) row.removeAttribute("aria-label");
  const reply = [...document.querySelectorAll("#chat .searching, #chat .problem, #chat .answer")].at(-1);
  if (!reply || reply === newest) return;
  newest = reply;
  if (document.activeElement === document.body && !phone.matches) box()?.focus(); // an example button is gone now
  [...document.querySelectorAll("#chat .asked")].at(-1)?.scrollIntoView({ block: "start" });
}).observe(talk, { childList: true, subtree: true });

if (asked()) setTimeout(() => open(asked(), false));

// What can be done with an answer and its quotes. Python knows the turn by its place in the chat.
const turnOf = (inside) =>
  [...document.querySelectorAll("#chat .bot-row")].indexOf(inside.closest(".bot-row"));

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button.act, button.drop, button.only, button.update, button.help, button.library");
  if (!button) return;
  const turn = button.matches(".act") ? turnOf(button) : 0;
  if (button.matches(".as-typed")) trigger("astyped", { turn });
  else if (button.matches(".judgement")) {
    const citation = citationOf(button.closest(".quote").querySelector("a.chip"));
    trigger("judge", { turn, citation, judgement: button.textContent });
    button.setAttribute("aria-pressed", "true");
  } else if (button.matches(".act")) trigger("takeaway", { turn, form: button.classList[1] });
  else if (button.matches(".drop")) trigger("narrow", { drop: button.dataset.kind, value: button.dataset.value });
  else if (button.matches(".only")) trigger("narrow", { add: "document", value: button.value });
  else if (button.matches(".update")) fetch("/api/v1/update", { method: "POST" }).then(lookForNews);
  else if (button.matches(".library")) openLibrary(button);
  else document.getElementById("keys").showModal();
});

// What a citation shows before it is opened. Esc puts it away and leaves the focus where it is.
let previews = 0;
document.addEventListener("focusin", (event) => {
  const preview = event.target.closest?.(".cite")?.querySelector(".preview");
  if (preview) event.target.setAttribute("aria-describedby", (preview.id ||= `preview-${++previews}`));
});
function putPreviewAway() {
  const shown = document.querySelectorAll(".cite:is(:hover, :has(:focus-visible)) .preview");
  [...shown].find((preview) => preview.checkVisibility())?.closest(".cite").classList.add("quiet");
}

for (const left of ["pointerout", "focusout"]) {
  document.addEventListener(left, (event) => {
    const cite = event.target.closest?.(".cite");
    const stays = cite?.contains(event.relatedTarget) || (left === "focusout" && cite?.matches(":hover"));
    if (!stays) cite?.classList.remove("quiet");
  });
}

document.addEventListener("submit", (event) => {
  if (!event.target.closest("#narrowing")) return;
  event.preventDefault();
  for (const [add, value] of new FormData(event.target)) if (value) return trigger("narrow", { add, value });
});

// New documents: asked for every few seconds, in every tab that is looked at.
let updating = false;
let newsTimer = null;

let said = "";
let isPending = false;

function say(words) {
  said = words;
  const place = document.querySelector(".news-words");
  if (place && place.textContent !== words) place.textContent = words;
  const button = document.querySelector("button.update");
  if (button) button.hidden = !isPending;
}
new MutationObserver(() => say(said)).observe(document.getElementById("strip"), { childList: true, subtree: true });

// The index that the strip tells of: "" for none, null while there is no strip.
function shownIndex() {
  const strip = document.querySelector("#strip .strip");
  return strip && (strip.querySelector("code")?.title ?? "");
}

let looks = 0; // only what the newest one finds is said

async function lookForNews() {
  clearTimeout(newsTimer);
  const look = ++looks;
  let state = null;
  if (!document.hidden) state = await fetch("/api/v1/update").then((r) => (r.ok ? r.json() : null)).catch(() => null);
  if (look !== looks) return;
  if (state) {
    isPending = state.state === "pending";
    say(state.sentence + (isPending ? ":" : ""));
    const isOther = shownIndex() !== null && state.index_id !== shownIndex();
    const hasEnded = updating && state.state !== "running"; // other files may be skipped now, in the same index
    if (isOther || hasEnded || document.querySelector(".welcome .looking")) trigger("fresh", {});
    updating = state.state === "running";
  }
  newsTimer = setTimeout(lookForNews, updating || document.querySelector(".welcome .looking") ? 700 : 4000);
}
document.addEventListener("visibilitychange", () => document.hidden || lookForNews());
setTimeout(lookForNews, 500);

// Files dropped anywhere, or chosen: each goes to the corpus folder as it is.
async function upload(files) {
  const told = [];
  for (const file of files) {
    say(`adding ${file.name} …`);
    const answer = await fetch(`/api/v1/uploads?name=${encodeURIComponent(file.name)}`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: file,
    }).then((r) => r.json()).catch(() => ({ error: "it could not be sent" }));
    told.push(answer.error ? `${file.name}: ${answer.error}` : answer.sentence);
  }
  looks += 1;
  say(told.join(" "));
  clearTimeout(newsTimer);
  newsTimer = setTimeout(lookForNews, told.some((line) => line.includes(": ")) ? 8000 : 1500);
  if (document.querySelector(".drop-zone")) await fetch("/api/v1/update", { method: "POST" });
}
let leaving = null;
document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dragging");
  clearTimeout(leaving);
  leaving = setTimeout(() => document.body.classList.remove("dragging"), 300);
});
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  upload(event.dataTransfer.files);
});
document.addEventListener("change", (event) => {
  if (event.target.matches?.(".add input")) upload(event.target.files);
});

// The keys, on "?".
const keys = document.createElement("dialog");
keys.id = "keys";
keys.setAttribute("aria-label", "Keys");
keys.innerHTML =
  "<h2>Keys</h2><dl><dt><kbd>/</kbd></dt><dd>ask</dd><dt><kbd>Enter</kbd></dt><dd>send</dd><dt><kbd>1</kbd>–<kbd>9</kbd></dt>" +
  "<dd>open a citation</dd><dt><kbd>n</kbd> <kbd>p</kbd></dt><dd>next, previous</dd><dt><kbd>Esc</kbd></dt>" +
  "<dd>back to the answer</dd></dl><form method=dialog><button>Close</button></form>";
document.querySelector(".gradio-container").append(keys);
document.addEventListener("keydown", (event) => {
  if (event.key === "?" && !event.target.closest?.("input, textarea")) keys.showModal();
});
