// How the site's search ranks pages: a page whose title has the words of the query, and the questions that readers ask before
// claims, tables and the theory. Where no page has all words, it lists those that have most of them.
const wordsOf = (text) => new Set(text.toLowerCase().match(/[a-z]+|[0-9]+/g));

// How near a title is to the query: the share of the query in it, and its share in the query; more where they are the same.
const nearness = (title, isPage) => {
  const asked = wordsOf(new URLSearchParams(location.search).get("q") ?? "");
  const has = wordsOf(title.split(" > ").pop().replace(/^[0-9]+\. /, ""));
  const both = [...asked].filter((word) => has.has(word)).length;
  const same = both === asked.size && both === has.size;
  return (30 * both) / Math.max(asked.size, 1) + (10 * both) / Math.max(has.size, 1) + (same ? (isPage ? 80 : 40) : 0);
};

// `var`: searchtools.js has declared the name.
var Scorer = {
  // [document, title, anchor, description, score, file]: a result of the search.
  score: (result) => {
    const question = /^questions\/(?!index)/.test(result[0]) ? 60 : 0;
    const isOption = result[3] !== null;
    return result[4] + question + (isOption ? 0 : nearness(result[1], !result[2]));
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

// Sphinx copies this text into language_data.js, which runs after searchtools.js and before the index is there.
{
  const withAll = Search.performTermsSearch;
  Search.performTermsSearch = (terms, excluded) => {
    const exact = withAll(terms, excluded);
    if (exact.length > 0 || terms.size < 2) return exact;
    const found = new Map();
    for (const term of terms) {
      for (const result of withAll(new Set([term]), excluded)) {
        const before = found.get(result[5]);
        found.set(result[5], { result: before?.result ?? result, count: (before?.count ?? 0) + 1 });
      }
    }
    const most = Math.max(0, ...[...found.values()].map((each) => each.count));
    if (most * 2 <= terms.size) return [];
    const note = document.createElement("p");
    note.textContent = "No page has all of these words. The following have most of them.";
    Search.output.before(note);
    return [...found.values()].filter((each) => each.count === most).map((each) => each.result);
  };
}
