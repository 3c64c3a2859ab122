// Mermaid's own parser: prints a line of JSON for each file, with the type of the diagram or the error.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("");
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");

for (const file of process.argv.slice(2)) {
  try {
    const { diagramType } = await mermaid.parse(readFileSync(file, "utf8"));
    console.log(JSON.stringify({ file, type: diagramType }));
  } catch (problem) {
    console.log(JSON.stringify({ file, problem: problem.message.slice(0, 500) }));
  }
}
