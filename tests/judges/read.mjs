// How mailparser reads our mails: `node read.mjs FILE.eml …` prints a JSON object by file name. It opens no connection.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { simpleParser } from "mailparser";

const readings = {};
for (const file of process.argv.slice(2)) {
  const mail = await simpleParser(readFileSync(file), { skipTextToHtml: true, skipImageLinks: true });
  readings[basename(file)] = {
    subject: mail.subject,
    from: mail.from.value,
    to: mail.to.value,
    replyTo: mail.replyTo?.value ?? [],
    messageId: mail.messageId,
    references: [mail.references ?? []].flat(),
    inReplyTo: mail.inReplyTo ?? "",
    text: mail.text,
    html: mail.html,
    files: mail.attachments.map((file) => ({ name: file.filename, text: String(file.content) })),
  };
}
console.log(JSON.stringify(readings));
