// Who has sent our mails, as their receiver finds out: `node authenticate.mjs RECORDS FILE.eml …` prints a JSON object by
// file name, with the results of mailauth. RECORDS is a JSON file, {name: {type: [answers]}}: all that the DNS knows.
//   dkim     one result a signature
//   spf      that of the envelope's domain
//   dmarc    that of the domain of From; none if From is not that of one sender
//   aligned  the domains by which SPF and DKIM count for that of From; false where they do not
// Mails say in Received and Return-Path from where they came. It opens no connection.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { authenticate } from "mailauth";

const [, , records, ...files] = process.argv;
const zone = JSON.parse(readFileSync(records));

async function resolver(name, type) {
  const answers = zone[name.toLowerCase()]?.[type];
  if (!answers) throw Object.assign(new Error(`${name} has no ${type}`), { code: "ENOTFOUND" });
  return type === "TXT" ? answers.map((answer) => [answer]) : answers;
}

const findings = {};
for (const file of files) {
  const { dkim, spf, dmarc } = await authenticate(readFileSync(file), {
    trustReceived: true,
    mta: "mx.example.org",
    disableArc: true,
    disableBimi: true,
    resolver,
  });
  findings[basename(file)] = {
    dkim: dkim.results.map((signature) => signature.status.result),
    spf: spf.status.result,
    dmarc: dmarc.status?.result ?? "none",
    aligned: { spf: dmarc.alignment?.spf.result ?? false, dkim: dmarc.alignment?.dkim.result ?? false },
  };
}
console.log(JSON.stringify(findings));
