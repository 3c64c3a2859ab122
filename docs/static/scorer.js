// How the site's search ranks pages: the questions that readers ask before claims, tables and the theory.
// `var`: searchtools.js declares the name again.
var Scorer = {
  // [document, title, anchor, description, score, file]: a result of the search.
  score: (result) => result[4] + (/^questions\/(?!index)/.test(result[0]) ? 60 : 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
