"""The serving program: an image in, a JSON list of probabilities out."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from local_aws.core.untrusted_images import UndecodableImage
from local_aws.sagemaker.algorithms.image_classification.classifier import Classifier
from local_aws.sagemaker.algorithms.image_classification.features import (
    decode,
    features,
)

CONTENT_TYPES = ("application/x-image", "image/jpeg", "image/png")


def serve(folder: Path, port: int) -> None:
    """Answer `/ping` and `/invocations` until the process ends."""
    try:
        model = Classifier.load(folder)
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"The model data has no model of image-classification: {error}") from error

    class Handler(_Handler):
        classifier = model

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        print("listening", flush=True)
        server.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    classifier: Classifier

    def do_GET(self) -> None:
        self._send(200 if self.path == "/ping" else 404, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if self.path != "/invocations":
            self._send(404, b"")
        elif kind not in CONTENT_TYPES:
            known = ", ".join(CONTENT_TYPES)
            self._send(415, f"Content type {kind} is not supported; use {known}.".encode())
        else:
            self._classify(body)

    def _classify(self, body: bytes) -> None:
        try:
            pixels = decode(body)
        except UndecodableImage as error:
            self._send(400, f"Unable to decode payload: {error}".encode())
            return
        answer = self.classifier.probabilities(features(pixels[np.newaxis]))[0]
        content = json.dumps([float(p) for p in answer]).encode()
        self._send(200, content, "application/json")

    def _send(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log no request."""
