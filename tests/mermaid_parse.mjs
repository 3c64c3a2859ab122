// Parse each file with Mermaid's own parser. It expects the sanitizer of a browser, which plain text does not need.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const purify = (await import(pathToFileURL(`${folder}/node_modules/dompurify/dist/purify.es.mjs`).href)).default;
purify.sanitize ??= (text) => text;
purify.addHook ??= () => {};
const { default: mermaid } = await import(pathToFileURL(`${folder}/node_modules/mermaid/dist/mermaid.core.mjs`).href);
for (const file of files) {
  try {
    const { diagramType } = await mermaid.parse(readFileSync(file, "utf-8"));
    console.log(`${file}: ${diagramType}`);
  } catch (problem) {
    console.error(`${file}: ${problem.message}`);
    process.exitCode = 1;
  }
}
