"""Support tickets: mail to support@help.example makes a ticket; what answers it goes to
the same one.

An answer is known by the token in its address (support+TICKET.KEY@, which the app writes
into Reply-To), or by the messages that it answers (In-Reply-To, References). Automatic
mail never makes a ticket and is never answered, so that two machines don't talk for ever.
"""

import base64
import os
import secrets

from flask import Flask, request
from werkzeug.serving import make_server

import webhook

TABLES = """
CREATE TABLE IF NOT EXISTS tickets (number INTEGER PRIMARY KEY, key TEXT, subject TEXT);
CREATE TABLE IF NOT EXISTS messages (
    event TEXT PRIMARY KEY REFERENCES events, ticket INTEGER REFERENCES tickets, message_id TEXT,
    author TEXT, verified INTEGER, text TEXT);
CREATE INDEX IF NOT EXISTS message_ids ON messages (message_id);
CREATE TABLE IF NOT EXISTS files (event TEXT REFERENCES messages, name TEXT, type TEXT, sha256 TEXT, content BLOB);
"""

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 << 20


def by_token(db, event):
    """The ticket whose number and key stand in the address. The key keeps strangers, who
    could count, out of other people's tickets."""
    for recipient in event["envelope"]["recipients"]:
        number, _, key = recipient["captures"].get("token", "").lower().partition(".")
        row = db.execute("SELECT number, key FROM tickets WHERE number = ?", [number]).fetchone()
        if row and secrets.compare_digest(row[1].encode(), key.encode()):
            return row[0]
    return None


def by_thread(db, event):
    """The ticket of the newest message that this one answers, if its author takes part in
    it: a message id is no secret."""
    address, is_verified = webhook.author(event)
    message = event["message"]
    for message_id in message["in_reply_to"] + message["references"][::-1]:
        row = db.execute("""SELECT m.ticket FROM messages m WHERE m.message_id = ? AND EXISTS
            (SELECT 1 FROM messages o WHERE o.ticket = m.ticket AND o.author = ? AND o.verified)""", [message_id, address]).fetchone()
        if row and is_verified:
            return row[0]
    return None


def new_ticket(db, event):
    key = secrets.token_hex(8)
    return db.execute("INSERT INTO tickets (key, subject) VALUES (?, ?)", [key, event["message"]["subject"]]).lastrowid


@app.post("/tickets")
def tickets():
    body = request.get_data()
    if not webhook.is_signed(request.headers, body):
        return "wrong signature, or too old", 401
    event = request.get_json()
    message = event["message"]
    with webhook.database(TABLES) as db:
        if not webhook.is_new(db, event):
            return "known"
        if message["class"] in ("auto_reply", "bounce", "feedback_report", "list"):
            return "ignored"
        ticket = by_token(db, event) or by_thread(db, event) or new_ticket(db, event)
        address, is_verified = webhook.author(event)
        # What an agent acts on is who wrote it: without is_verified that is not known.
        db.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)",
                   [event["id"], ticket, message["message_id"], address, is_verified, message["reply"]["text"].strip() or message["text"]])
        for file in message["attachments"]:
            db.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?)",
                       [event["id"], file["filename"], file["content_type"], file["sha256"], base64.b64decode(file["content"])])
    return f"ticket {ticket}"


if __name__ == "__main__":
    webhook.database(TABLES).close()
    server = make_server("127.0.0.1", int(os.environ.get("PORT", "3000")), app, threaded=True)
    print(f"listening on http://127.0.0.1:{server.port}/tickets", flush=True)
    server.serve_forever()
