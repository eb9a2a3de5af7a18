"""Receives mail from mxhook with Flask: it checks the signature, keeps each event once,
and answers when it is on disk.

    pip install flask && MXHOOK_SECRET=whsec_… python receiver.py
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import tempfile
import time

from flask import Flask, request
from werkzeug.serving import make_server

SECRET = base64.b64decode(os.environ.get("MXHOOK_SECRET", "").removeprefix("whsec_"))
if not SECRET:
    raise SystemExit("MXHOOK_SECRET must be the sink's secret: whsec_ and base64")
FOLDER = pathlib.Path(os.environ.get("FOLDER", "inbox"))
TOLERANCE = 5 * 60  # seconds that a request may be old, and clocks may differ

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 << 20


def is_signed(headers, body: bytes) -> bool:
    """Whether who knows the secret has made this request, and lately (Standard Webhooks
    1.0.0). The header may hold several signatures, of a secret that is changed."""
    timestamp = headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    want = b"v1," + base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256))
    return any(hmac.compare_digest(got.encode(), want) for got in headers.get("webhook-signature", "").split(" "))


def write(path: pathlib.Path, content: bytes) -> None:
    """Makes a file whose octets are on disk."""
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def keep(event: dict, body: bytes) -> bool:
    """Writes the event to a folder of its own, which appears whole or not at all. False
    for an event that is there already."""
    if not re.fullmatch(r"msg_[a-z2-7]{26}", event["id"]):
        raise ValueError("no event id")
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=".new-", dir=FOLDER))
    try:
        write(temporary / "event.json", body)
        for number, attachment in enumerate(event["message"]["attachments"], 1):
            # attachment["filename"] is a stranger's word: show it, never make a path of it.
            write(temporary / f"attachment-{number}", base64.b64decode(attachment["content"]))
        try:
            temporary.rename(FOLDER / event["id"])  # fails where the event is there
        except OSError:
            if (FOLDER / event["id"]).is_dir():
                return False
            raise
        names = os.open(FOLDER, os.O_RDONLY)
        try:
            os.fsync(names)
        finally:
            os.close(names)
        return True
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@app.post("/inbound")
def inbound():
    body = request.get_data()  # as it came: the signature is over the octets
    if not is_signed(request.headers, body):
        return "wrong signature, or too old", 401  # the mail waits, and mxhook says why
    event = json.loads(body)
    try:
        is_new = keep(event, body)
    except OSError as error:
        app.logger.error("not kept: %s", error)
        return "not kept", 503  # the sender comes again
    if is_new:
        author = ", ".join(a["address"] for a in event["message"]["from"])
        # Without from_verified anybody may have written the From field.
        print(f"{event['id']} from={author!r} verified={event['authentication']['from_verified']} "
              f"subject={event['message']['subject']!r} attachments={len(event['message']['attachments'])}", flush=True)
    return "kept" if is_new else "known"  # 2xx is a promise: it is on disk


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    # For production: gunicorn receiver:app
    server = make_server(os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "3000")), app, threaded=True)
    print(f"listening on http://{server.host}:{server.port}/inbound", flush=True)
    server.serve_forever()
