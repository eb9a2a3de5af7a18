"""Reply by mail: the app sends notifications from reply+TOKEN@reply.example, and what
people answer becomes a comment.

The token tells the thread and the user, and nobody can make one who doesn't know the
app's key. The address of the author is looked at, too: a token may be forwarded.
"""

import base64
import hashlib
import hmac
import os

from flask import Flask, request
from werkzeug.serving import make_server

import webhook

KEY = hashlib.sha256(b"reply tokens" + webhook.SECRET).digest()  # an app of your own has a key for it
USERS = {1: "ann@sender.example", 2: "bob@sender.example"}

TABLES = """CREATE TABLE IF NOT EXISTS comments (
    thread INTEGER, user INTEGER, text TEXT, state TEXT, event TEXT UNIQUE REFERENCES events);"""

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 << 20


def token(thread: int, user: int) -> str:
    """What stands between reply+ and @. Mail systems change the case of a local part, so
    it is base32 in lower case."""
    mac = hmac.digest(KEY, f"{thread}.{user}".encode(), hashlib.sha256)[:10]
    return f"{thread}-{user}-{base64.b32encode(mac).decode().lower()}"


def read_token(text: str):
    """The thread and the user, or None for a token that this app didn't make."""
    thread, _, rest = text.lower().partition("-")
    user, _, _ = rest.partition("-")
    if not (thread.isascii() and thread.isdigit() and user.isascii() and user.isdigit()):
        return None
    good = hmac.compare_digest(token(int(thread), int(user)).encode(), text.lower().encode())
    return (int(thread), int(user)) if good and int(user) in USERS else None


@app.post("/replies")
def replies():
    body = request.get_data()
    if not webhook.is_signed(request.headers, body):
        return "wrong signature, or too old", 401
    event = request.get_json()
    [recipient] = event["envelope"]["recipients"]  # fan_out: recipient
    found = read_token(recipient["captures"]["token"])
    if found is None:
        # The sender's mail system tells him this line.
        return "No such thread. Please answer on the web page.", 406, {"Content-Type": "text/plain"}
    thread, user = found
    with webhook.database(TABLES) as db:
        if not webhook.is_new(db, event):
            return "known"
        if event["message"]["class"] != "normal":
            return "ignored"  # a vacation note, a bounce: no comment
        address, is_verified = webhook.author(event)
        state = "shown" if is_verified and address == USERS[user] else "held"  # for a person to look at
        # Not message.text: that has the quoted notification below it, too.
        db.execute("INSERT INTO comments VALUES (?, ?, ?, ?, ?)", [thread, user, event["message"]["reply"]["text"].strip(), state, event["id"]])
    return "kept"


if __name__ == "__main__":
    webhook.database(TABLES).close()
    server = make_server("127.0.0.1", int(os.environ.get("PORT", "3000")), app, threaded=True)
    for number, address in USERS.items():
        print(f"{address} answers thread 7 at reply+{token(7, number)}@reply.example", flush=True)
    print(f"listening on http://127.0.0.1:{server.port}/replies", flush=True)
    server.serve_forever()
