// Receives mail from mxhook with Express: it checks the signature, keeps each event
// once, and answers when it is on disk.
//
//     npm install && MXHOOK_SECRET=whsec_… node server.js
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs/promises");
const path = require("node:path");
const express = require("express");

const secret = Buffer.from((process.env.MXHOOK_SECRET || "").replace(/^whsec_/, ""), "base64");
if (secret.length === 0) throw new Error("MXHOOK_SECRET must be the sink's secret: whsec_ and base64");
const folder = process.env.FOLDER || "inbox";
const tolerance = 5 * 60; // seconds that a request may be old, and clocks may differ

// verify tells whether who knows the secret has made this request, and lately (Standard
// Webhooks 1.0.0). The header may hold several signatures, of a secret that is changed.
function verify(headers, body) {
  const timestamp = headers["webhook-timestamp"] || "";
  if (!/^\d+$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > tolerance) return false;
  const hmac = crypto.createHmac("sha256", secret).update(`${headers["webhook-id"]}.${timestamp}.`).update(body);
  const want = Buffer.from("v1," + hmac.digest("base64"));
  return (headers["webhook-signature"] || "").split(" ").some((signature) => {
    const got = Buffer.from(signature);
    return got.length === want.length && crypto.timingSafeEqual(got, want);
  });
}

// write makes a file whose octets are on disk.
async function write(name, content) {
  const file = await fs.open(name, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

// keep writes the event to a folder of its own, which appears whole or not at all. It
// returns false for an event that is there already.
async function keep(event, body) {
  if (!/^msg_[a-z2-7]{26}$/.test(event.id)) throw new Error("no event id");
  const final = path.join(folder, event.id);
  const temporary = await fs.mkdtemp(path.join(folder, ".new-"));
  try {
    await write(path.join(temporary, "event.json"), body);
    for (const [i, attachment] of event.message.attachments.entries()) {
      // attachment.filename is a stranger's word: show it, never make a path of it.
      await write(path.join(temporary, `attachment-${i + 1}`), Buffer.from(attachment.content, "base64"));
    }
    await fs.rename(temporary, final); // fails where the event is there: its folder isn't empty
    const names = await fs.open(folder);
    await names.sync();
    await names.close();
    return true;
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true });
    if (error.code === "ENOTEMPTY" || error.code === "EEXIST") return false;
    throw error;
  }
}

const app = express();

// The signature is over the octets, so the body stays as it came.
app.post("/inbound", express.raw({ type: () => true, limit: "64mb" }), async (request, response) => {
  if (!verify(request.headers, request.body)) {
    return response.status(401).send("wrong signature, or too old"); // the mail waits, and mxhook says why
  }
  const event = JSON.parse(request.body);
  const isNew = await keep(event, request.body);
  if (isNew) {
    const from = event.message.from.map((a) => a.address).join(", ");
    // Without from_verified anybody may have written the From field.
    console.log(`${event.id} from=${JSON.stringify(from)} verified=${event.authentication.from_verified} ` +
      `subject=${JSON.stringify(event.message.subject)} attachments=${event.message.attachments.length}`);
  }
  response.send(isNew ? "kept" : "known"); // 2xx is a promise: it is on disk
});

// What goes wrong here is no fault of the mail: 503, and its sender comes again. What
// Express says of a body (too large: 413) stays.
app.use((error, request, response, next) => {
  console.error(error.message);
  response.status(error.status >= 400 && error.status < 500 ? error.status : 503).send("not kept");
});

fs.mkdir(folder, { recursive: true }).then(() => {
  const server = app.listen(Number(process.env.PORT || 3000), process.env.HOST || "127.0.0.1", () => {
    console.log(`listening on http://${server.address().address}:${server.address().port}/inbound`);
  });
});
