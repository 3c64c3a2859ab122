// Boxes with content wider than themselves can be scrolled with the keyboard too.
const reachable = () => {
  for (const box of document.querySelectorAll(".highlight pre, .scroller, p:has(> img), table.docutils, details pre")) {
    const wide = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    wide ? box.setAttribute("tabindex", "0") : box.removeAttribute("tabindex");
  }
};
addEventListener("load", reachable);
addEventListener("resize", reachable);

// Sphinx marks captions of the menu as headings without a level.
addEventListener("load", () => {
  for (const caption of document.querySelectorAll("[role=heading]:not([aria-level])")) caption.setAttribute("aria-level", "2");
});

// On a phone a table that is wider than the screen, or whose cells are towers of short lines, is read row by row;
// site.css shows the heads, which stand in data-head.
const PHONE = window.matchMedia("(max-width: 40em)");
const TALLEST = 6;

function fitTables() {
  for (const table of document.querySelectorAll("table.docutils")) {
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])].map((cell) => cell.textContent.trim());
    table.classList.remove("row-by-row");
    const fits = widest(table) <= table.parentElement.clientWidth + 1 && !hasTower(table);
    if (heads.length === 0 || !PHONE.matches || fits) continue;
    for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, place) => (cell.dataset.head = heads[place] ?? ""));
    table.classList.add("row-by-row");
  }
}

function widest(table) {
  return Math.max(table.scrollWidth, ...[...table.rows].slice(0, 1).map((row) => row.scrollWidth));
}

// Whether a cell that is narrower than half its table has more lines than it may; `scrollHeight` is that of the whole row.
function hasTower(table) {
  const line = parseFloat(getComputedStyle(table).lineHeight) || 24;
  const narrow = [...table.querySelectorAll("td")].filter((cell) => cell.clientWidth < table.clientWidth / 2);
  return narrow.some((cell) => [...cell.children].reduce((sum, part) => sum + part.offsetHeight, 0) > TALLEST * line);
}

PHONE.addEventListener("change", fitTables);
for (const fold of document.querySelectorAll("details")) fold.addEventListener("toggle", fitTables);
fitTables();
