// Runs once, when the reader is there. `element` is the reader, `trigger` calls Python, `watch` hears its answer.
const phone = matchMedia("(max-width: 760px)");
const reader = document.getElementById("source");
const talk = document.getElementById("talk");
let walk = []; // ids of the quotes, or of the passages, that the opened citation stands among
let origin = null; // the chip that gets the focus back
let shown = null; // the citation id in the reader

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
  shown = id;
  element.setAttribute("aria-busy", "true");
  trigger("cite", { id, walk });
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
  target.focus({ preventScroll: true });
  center(target);
  settling.disconnect();
  settling.observe(element.querySelector(".source-text") ?? target);
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

watch("value", () => {
  element.removeAttribute("aria-busy");
  reveal();
});

// The newest question comes to the top of the chat. Gradio's own live region would read every step aloud.
let newest = null;
new MutationObserver(() => {
  const log = document.querySelector("#chat [role=log]");
  log?.setAttribute("aria-live", "off");
  log?.setAttribute("tabindex", "0"); // it scrolls
  const reply = [...document.querySelectorAll("#chat .searching, #chat .problem, #chat .answer")].at(-1);
  if (!reply || reply === newest) return;
  newest = reply;
  if (document.activeElement === document.body && !phone.matches) box()?.focus(); // an example button is gone now
  [...document.querySelectorAll("#chat .asked")].at(-1)?.scrollIntoView({ block: "start" });
}).observe(talk, { childList: true, subtree: true });

if (asked()) setTimeout(() => open(asked(), false));
