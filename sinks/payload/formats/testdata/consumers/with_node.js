// Receives with what npm has for such apps: Twilio's verifier of signatures and parser of
// Inbound Parse, the SDK of CloudEvents, and express with multer for CloudMailin, whose own
// package is types alone. It prints its port, then a line of JSON for each message: what
// the app would have read.
const crypto = require("crypto");
const { Readable } = require("stream");
const { EventWebhook, EventWebhookHeader } = require("@sendgrid/eventwebhook");
const Parse = require("@sendgrid/inbound-mail-parser");
const { HTTP } = require("cloudevents");
const express = require("express");
const { simpleParser } = require("mailparser");
const multer = require("multer");

const app = express();
app.use(express.raw({ type: () => true, limit: "64mb" }));

const sha256 = (octets) => crypto.createHash("sha256").update(octets).digest("hex");
const say = (res, read) => {
  console.log(JSON.stringify(read));
  res.sendStatus(200);
};

// form reads the body again, as multer does.
const form = (storage, req) =>
  new Promise((resolve, reject) => {
    const again = Readable.from([req.body]);
    again.headers = req.headers;
    multer({ storage, defParamCharset: "utf8", limits: { fieldSize: 64 << 20 } }).any()(again, {}, (err) => (err ? reject(err) : resolve(again)));
  });

// signed asks Twilio's verifier, and Node's where the body is no UTF-8, which that one takes
// for granted.
const signed = (body, signature, timestamp) => {
  const utf8 = Buffer.from(body.toString()).equals(body);
  if (!utf8) {
    return crypto.verify("sha256", Buffer.concat([Buffer.from(timestamp), body]), process.env.SENDGRID_KEY, Buffer.from(signature, "base64"));
  }
  const webhook = new EventWebhook();
  return webhook.verifySignature(webhook.convertPublicKeyToECDSA(process.env.SENDGRID_KEY), body, signature, timestamp);
};

app.post("/sendgrid", async (req, res) => {
  const signature = req.get(EventWebhookHeader.SIGNATURE());
  const timestamp = req.get(EventWebhookHeader.TIMESTAMP());
  if (!signature || !signed(req.body, signature, timestamp)) return res.sendStatus(401);
  const request = await form(multer.diskStorage({ destination: process.argv[2] }), req);
  const parse = new Parse({ keys: ["from", "to", "subject", "text", "html", "envelope", "SPF", "email"] }, request);
  const value = parse.keyValues();
  const envelope = JSON.parse(value.envelope);
  parse.request.body.email = undefined; // the parser of raw mail that it has is of another version
  const files = [];
  parse._getAttachments((list) => {
    for (const file of list) {
      const content = Buffer.from(file.content, "base64");
      files.push({ filename: file.filename, content_type: file.type, sha256: sha256(content), size: content.length });
    }
  });
  say(res, {
    subject: value.subject, text: value.text, html: value.html, spf: value.SPF, envelope_from: envelope.from,
    envelope_to: envelope.to.join(" "), files, sha256: value.email ? sha256(value.email) : "", event_id: timestamp,
  });
});

app.post("/cloudevents", (req, res) => {
  const event = HTTP.toEvent({ headers: req.headers, body: req.body.toString() });
  event.validate();
  const { message, envelope, authentication } = event.data;
  say(res, {
    subject: message.subject, from: message.from, to: message.to, text: message.text, html: message.html,
    message_id: message.message_id, envelope_from: envelope.reverse_path, envelope_to: event.subject,
    event_id: event.id, spf: authentication.spf.result, stripped: message.reply.text,
    files: message.attachments.map((a) => {
      const content = Buffer.from(a.content, "base64");
      return { filename: a.filename, content_type: a.content_type, content_id: a.content_id, sha256: sha256(content), size: content.length };
    }),
  });
});

app.post("/cloudmailin", async (req, res) => {
  if (req.get("authorization") !== "Basic " + Buffer.from("user:pass").toString("base64")) return res.sendStatus(401);
  let mail, files;
  if (req.is("json")) {
    mail = JSON.parse(req.body);
    files = mail.attachments.map((a) => ({ name: a.file_name, type: a.content_type, id: a.content_id, content: Buffer.from(a.content, "base64") }));
  } else {
    const request = await form(multer.memoryStorage(), req);
    mail = request.body;
    files = request.files.map((f) => ({ name: f.originalname, type: f.mimetype, content: f.buffer }));
  }
  say(res, {
    subject: mail.headers.subject, text: mail.plain, html: mail.html, stripped: mail.reply_plain, message_id: mail.headers.message_id,
    envelope_from: mail.envelope.from, envelope_to: mail.envelope.recipients.join(" "), spf: mail.envelope.spf.result,
    files: files.map((f) => ({ filename: f.name, content_type: f.type, content_id: f.id || "", sha256: sha256(f.content), size: f.content.length })),
  });
});

// whole finds the message in each of the formats that carry it.
const whole = async (req) => {
  if (req.is("message/rfc822")) return req.body;
  if (req.is("json")) {
    const mail = JSON.parse(req.body);
    if (mail.RawEmail) return mail.RawEmail;
    return mail.receipt.action.encoding === "BASE64" ? Buffer.from(mail.content, "base64") : mail.content;
  }
  const fields = req.is("multipart/*") ? (await form(multer.memoryStorage(), req)).body : Object.fromEntries(new URLSearchParams(req.body.toString()));
  if (fields.mandrill_events) return JSON.parse(fields.mandrill_events)[0].msg.raw_msg;
  return fields.email || fields["body-mime"];
};

// mailparser reads the message itself, as apps do that take it whole.
app.post("/whole", async (req, res) => {
  const mail = await simpleParser(await whole(req), { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true, keepCidLinks: true });
  const mailboxes = (field) => (field ? field.value.map((a) => ({ name: a.name, address: a.address })) : null);
  say(res, {
    subject: mail.subject, from: mailboxes(mail.from), to: mailboxes(mail.to), text: mail.text || "", html: mail.html || "", message_id: mail.messageId,
    envelope_to: mail.headers.get("x-original-to"),
    files: mail.attachments.map((a) => ({
      filename: a.filename || "", content_type: a.contentType, content_id: (a.contentId || "").replace(/[<>]/g, ""), sha256: sha256(a.content), size: a.content.length,
    })),
  });
});

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
