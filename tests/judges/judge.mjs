// What others make of our mails: `node judge.mjs FILE.eml …` prints a JSON object by file name. It opens no connection.
//   view    how mailparser reads the mail
//   html    what html-validate finds in its HTML
//   clients what mail programs do not know of its HTML, by caniemail's tables

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { caniemail } from "caniemail";
import { HtmlValidate } from "html-validate";
import { simpleParser } from "mailparser";

const CLIENTS = ["gmail.*", "outlook.*", "apple-mail.*", "yahoo.*", "samsung-email.*"];

// Mail programs keep only styles that stand in the element, and lay out by tables and their old attributes.
const RULES = { "no-inline-style": "off", "no-deprecated-attr": "off" };

const validator = new HtmlValidate({ extends: ["html-validate:standard"], rules: RULES });

async function view(source) {
  const mail = await simpleParser(source, { skipTextToHtml: true, skipImageLinks: true });
  return {
    subject: mail.subject,
    from: mail.from.value,
    to: mail.to.value,
    replyTo: mail.replyTo?.value ?? [],
    messageId: mail.messageId,
    references: [mail.references ?? []].flat(),
    inReplyTo: mail.inReplyTo ?? "",
    text: mail.text,
    html: mail.html,
    files: mail.attachments.map((file) => ({ name: file.filename, type: file.contentType, text: String(file.content) })),
  };
}

async function html(text) {
  const report = await validator.validateString(text);
  return report.results.flatMap((result) => result.messages.map((one) => `${one.line}: ${one.ruleId}: ${one.message}`));
}

function clients(text) {
  const { issues } = caniemail({ clients: CLIENTS, html: text });
  return [...new Set([...issues.errors.values()].flat().map((issue) => issue.title))].sort();
}

const verdicts = {};
for (const file of process.argv.slice(2)) {
  const seen = await view(readFileSync(file));
  verdicts[basename(file)] = { view: seen, html: await html(seen.html), clients: clients(seen.html) };
}
console.log(JSON.stringify(verdicts));
