"""Receives with django-anymail. It prints its port, then a line of JSON for each
message that anymail handed to its signal: what the app would have read.

SES: an SNS topic stands between Amazon SES and anymail. Its part is played here: the
notification is put into the envelope that SNS posts, as it came."""
import hashlib
import io
import json
import sys
import uuid

from django.conf import settings

settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, INSTALLED_APPS=["anymail"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=50 << 20,
    LOGGING={"version": 1, "disable_existing_loggers": True},
    ANYMAIL={
        "WEBHOOK_SECRET": "user:pass", "MAILGUN_WEBHOOK_SIGNING_KEY": "signing-key",
        "MANDRILL_WEBHOOK_KEY": "mandrill-key", "AMAZON_SES_AUTO_CONFIRM_SNS_SUBSCRIPTIONS": False,
    })

import django

django.setup()

from anymail.signals import inbound
from django.core.wsgi import get_wsgi_application
from django.urls import include, path
from wsgiref.simple_server import WSGIRequestHandler, make_server

urlpatterns = [path("anymail/", include("anymail.urls"))]


def mailboxes(value):
    if value is None:
        return []
    return [{"name": a.display_name, "address": a.addr_spec} for a in (value if isinstance(value, list) else [value])]


def files(message):
    for part in message.walk():
        if part.get_content_disposition() is None or part.get_content_maintype() == "multipart":
            continue
        content = b"" if part.get_content_maintype() == "message" else part.get_content_bytes()
        yield {
            "filename": part.get_filename() or "", "content_type": part.get_content_type(),
            "content_id": (part["Content-ID"] or "").strip("<>"), "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
        }


def got(event, esp_name, **_):
    m = event.message
    print(json.dumps({
        "consumer": esp_name, "subject": m.subject, "from": mailboxes(m.from_email), "to": mailboxes(m.to),
        "text": m.text, "html": m.html, "stripped": m.stripped_text, "message_id": m["Message-ID"] or "",
        "envelope_from": m.envelope_sender, "envelope_to": m.envelope_recipient,
        "event_id": event.event_id, "files": list(files(m)),
    }), flush=True)


inbound.connect(got, weak=False)
django_app = get_wsgi_application()


def app(environ, start_response):
    if environ["PATH_INFO"].startswith("/anymail/amazon_ses/"):
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        identifier = str(uuid.uuid4())
        body = json.dumps({
            "Type": "Notification", "MessageId": identifier, "TopicArn": "arn:aws:sns:eu-central-1:1:mail",
            "Subject": "Amazon SES Email Receipt Notification", "Message": body.decode("utf-8"),
            "Timestamp": "2026-11-21T10:00:00.000Z",
        }).encode()
        environ.update({
            "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "text/plain; charset=UTF-8",
            "HTTP_X_AMZ_SNS_MESSAGE_TYPE": "Notification", "HTTP_X_AMZ_SNS_MESSAGE_ID": identifier,
        })
    return django_app(environ, start_response)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
