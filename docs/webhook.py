"""Run a command when a version of a registered model becomes champion: a receiver of MLflow's webhooks.

WEBHOOK_SECRET=... python3 docs/webhook.py 8088 systemctl restart review-rating
"""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer

OLDEST = 300  # seconds: what was signed earlier may be a delivery that somebody recorded and sends again
LARGEST = 1_000_000  # bytes of a body


def genuine(headers: Message, body: bytes, secret: str) -> bool:
    """Return whether MLflow has just signed a body with the secret."""
    told = [headers.get(f"X-MLflow-{name}", "") for name in ("Delivery-Id", "Timestamp", "Signature")]
    signed = ".".join(told[:2]).encode() + b"." + body
    ours = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    fresh = told[1].isdecimal() and abs(time.time() - int(told[1])) < OLDEST
    return fresh and hmac.compare_digest(f"v1,{ours}", told[2])


class Receiver(BaseHTTPRequestHandler):
    """Answer 401 to what is not from MLflow, else 204, and run the command if there is a new champion."""

    secret, program = "", list[str]()

    def do_POST(self) -> None:
        """Read an event."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), LARGEST))
        if not genuine(self.headers, body, self.secret):
            self.send_error(401)
            return
        self.send_response(204)
        self.end_headers()
        event = json.loads(body)
        named = f"{event['entity']}.{event['action']}"
        print(named, event["data"], flush=True)
        if named == "model_version_alias.created" and event["data"]["alias"] == "champion":
            subprocess.run(self.program, check=False)


if __name__ == "__main__":
    Receiver.secret, Receiver.program = os.environ["WEBHOOK_SECRET"], sys.argv[2:]
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
