"""Parses the messages whose paths stand on standard input with Python's email package
and prints one line of JSON for each: the leaves of the part tree, subject, addresses."""

import email
import email.policy
import hashlib
import json
import sys


def digest(data):
    """Line ends count for nothing: parsers write those of text as they like."""
    return hashlib.sha256(data.replace(b"\r", b"").rstrip(b"\n")).hexdigest()


def leaves(part, out):
    if part.is_multipart() and part.get_content_maintype() == "multipart":
        for kid in part.iter_parts():
            leaves(kid, out)
        return
    leaf = {"type": part.get_content_type(), "name": part.get_filename() or ""}
    if part.get_content_maintype() == "message":
        leaf["kind"] = "message"
    elif leaf["type"] in ("text/plain", "text/html"):
        leaf["kind"] = "text"
        leaf["text"] = part.get_content(errors="replace")
    else:
        leaf["kind"] = "octets"
        leaf["sha256"] = digest(part.get_payload(decode=True) or b"")
    out.append(leaf)


def addresses(message, name):
    out = []
    for field in message.get_all(name, []):
        for a in field.addresses:
            out.append([a.display_name, a.addr_spec])
    return out


def read(path):
    with open(path, "rb") as f:
        message = email.message_from_binary_file(f, policy=email.policy.default)
    out = {"leaves": []}
    leaves(message, out["leaves"])
    out["subject"] = str(message.get("subject", ""))
    out["from"] = addresses(message, "from")
    out["to"] = addresses(message, "to")
    return out


for line in sys.stdin:
    try:
        result = read(line.rstrip("\n"))
    except Exception as e:  # what it can't read is a result too
        result = {"error": type(e).__name__ + ": " + str(e)}
    print(json.dumps(result), flush=True)
