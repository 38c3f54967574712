// The documents, in a panel at the left: which there are, and which of them may answer. Read a page at a time.
const LISTED = 100;
const library = document.createElement("aside");
library.id = "library";
library.hidden = true;
library.setAttribute("aria-label", "Documents");
library.innerHTML =
  '<div class="library-head"><h2>Documents</h2><button type="button" class="shut">Close</button></div><ol></ol>' +
  '<button type="button" class="more" hidden>Show more</button>';
document.getElementById("desk").prepend(library);
const shelf = library.querySelector("ol");
const more = library.querySelector(".more");
let libraryButton = null;

function element_of(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function row(entry) {
  const item = document.createElement("li");
  const only = element_of("button", "Ask only this", "only");
  only.type = "button";
  only.value = entry.doc_id;
  only.setAttribute("aria-label", `Ask only this document: ${entry.title}`);
  const facts = [entry.path, entry.date, `${entry.characters.toLocaleString("en")} characters`].filter(Boolean);
  item.append(element_of("bdi", entry.title, "title"), element_of("span", facts.join(" · "), "facts"), only);
  return item;
}

async function listMore() {
  const offset = shelf.children.length;
  const page = await fetch(`/api/v1/documents?offset=${offset}&limit=${LISTED}`)
    .then((r) => (r.ok ? r.json() : null)).catch(() => null);
  if (!page) return;
  shelf.append(...page.documents.map(row));
  more.hidden = shelf.children.length >= page.total || !page.documents.length;
}

async function openLibrary(button) {
  if (!library.hidden) return shutLibrary();
  libraryButton = button;
  shelf.replaceChildren(); // an update may have changed them
  library.hidden = false;
  await listMore();
  library.querySelector(".shut").focus();
}

function shutLibrary() {
  library.hidden = true;
  (libraryButton?.isConnected ? libraryButton : document.querySelector("button.library"))?.focus();
}

more.addEventListener("click", listMore);
library.querySelector(".shut").addEventListener("click", shutLibrary);
library.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  event.stopPropagation();
  shutLibrary();
});
