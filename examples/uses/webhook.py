"""What every app that takes mxhook's webhooks needs: is it from mxhook, and is it new?"""

import base64
import hashlib
import hmac
import os
import re
import sqlite3
import time

SECRET = base64.b64decode(os.environ.get("MXHOOK_SECRET", "").removeprefix("whsec_"))
if not SECRET:
    raise SystemExit("MXHOOK_SECRET must be the sink's secret: whsec_ and base64")
TOLERANCE = 5 * 60  # seconds


def is_signed(headers, body: bytes) -> bool:
    """Whether who knows the secret has made this request, and lately (Standard Webhooks
    1.0.0)."""
    timestamp = headers.get("webhook-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    want = b"v1," + base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256))
    return any(hmac.compare_digest(got.encode(), want) for got in headers.get("webhook-signature", "").split(" "))


def database(tables: str) -> sqlite3.Connection:
    """The app's database. What one request writes becomes durable with its commit, all or
    nothing, together with the event's id: so a repeat is known."""
    folder = os.environ.get("FOLDER", "inbox")
    os.makedirs(folder, exist_ok=True)
    db = sqlite3.connect(os.path.join(folder, "app.sqlite3"), timeout=20)
    db.execute("PRAGMA foreign_keys = on")
    db.executescript("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY);" + tables)
    return db


def is_new(db: sqlite3.Connection, event: dict) -> bool:
    """Notes the event's id within the transaction that the caller commits; False for one
    that was kept before."""
    return db.execute("INSERT OR IGNORE INTO events VALUES (?)", [event["id"]]).rowcount == 1


def author(event: dict) -> tuple[str, bool]:
    """Who wrote the message, and whether his domain has said so. Without the second
    anybody may have written the first; with it somebody of that domain has."""
    mailboxes = event["message"]["from"]
    address = mailboxes[0]["address"].lower() if len(mailboxes) == 1 else ""
    return address, event["authentication"]["from_verified"]
