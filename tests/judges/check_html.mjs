// What is wrong with pages of HTML that are mails: `node check_html.mjs FILE.html …` prints a JSON object by file name.
// It opens no connection.
//   faults   what html-validate finds
//   unknown  what mail programs do not know of it, by caniemail's tables

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { caniemail } from "caniemail";
import { HtmlValidate } from "html-validate";

const CLIENTS = ["gmail.*", "outlook.*", "apple-mail.*", "yahoo.*", "samsung-email.*"];

// Mail programs keep only styles that stand in the element, and lay out by tables and their old attributes.
const RULES = { "no-inline-style": "off", "no-deprecated-attr": "off" };

const validator = new HtmlValidate({ extends: ["html-validate:standard"], rules: RULES });

async function faults(html) {
  const report = await validator.validateString(html);
  return report.results.flatMap((result) => result.messages.map((one) => `${one.line}: ${one.ruleId}: ${one.message}`));
}

function unknown(html) {
  const { issues } = caniemail({ clients: CLIENTS, html });
  return [...new Set([...issues.errors.values()].flat().map((issue) => issue.title))].sort();
}

const verdicts = {};
for (const file of process.argv.slice(2)) {
  const html = readFileSync(file, "utf8");
  verdicts[basename(file)] = { faults: await faults(html), unknown: unknown(html) };
}
console.log(JSON.stringify(verdicts));
