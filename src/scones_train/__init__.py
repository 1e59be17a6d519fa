"""The classifier: training, evaluation, the model artifact, serving, and launching jobs."""

import os

# ONNX Runtime reports its use to its maker unless it finds this before it is first imported;
# an endpoint has nothing to say to anyone but its callers.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
