// Mermaid's own parser: prints for each file named a line of JSON, the type of the diagram or what is wrong with it.
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
