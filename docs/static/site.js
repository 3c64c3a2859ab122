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
