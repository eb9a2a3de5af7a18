// Parses the messages whose paths stand on standard input with postal-mime and prints
// one line of JSON for each: text, html, attachments, subject, addresses.
'use strict';
const fs = require('fs');
const readline = require('readline');
const crypto = require('crypto');
const PostalMime = require('postal-mime').default;

const list = (a) => (a || []).flatMap((x) => (x.group ? x.group : [x])).map((x) => [x.name || '', x.address || '']);

// Line ends count for nothing: parsers write those of text as they like.
function digest(content) {
  const b = Buffer.from(content).filter((c) => c !== 13);
  let n = b.length;
  while (n > 0 && b[n - 1] === 10) n--;
  return crypto.createHash('sha256').update(b.subarray(0, n)).digest('hex');
}

async function read(path) {
  const m = await PostalMime.parse(fs.readFileSync(path), { attachmentEncoding: 'arraybuffer' });
  return {
    text: m.text || '',
    html: m.html || '',
    subject: m.subject || '',
    from: list(m.from ? [m.from] : []),
    to: list(m.to),
    attachments: m.attachments.map((a) => ({
      type: a.mimeType,
      name: a.filename || '',
      sha256: digest(a.content),
    })),
  };
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let result;
    try {
      result = await read(line);
    } catch (e) {
      result = { error: String(e) };
    }
    process.stdout.write(JSON.stringify(result) + '\n');
  }
})();
