"""Endpoints as the page shows them: variants with weights, latencies, requests, errors."""

import math
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.sagemaker.models import sagemaker_backends

from local_aws.core.context import Context

# Latencies are those of so many last requests of a variant.
WINDOW = 500


@dataclass(slots=True)
class _Tally:
    requests: int = 0
    errors: int = 0
    milliseconds: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))


class Latencies:
    """Requests since the server started, by endpoint and variant. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[tuple[str, str], _Tally] = {}

    def note(self, endpoint: str, variant: str, status: int, microseconds: float) -> None:
        """Count one request; the latency is counted where the model answered."""
        with self._lock:
            tally = self._tallies.setdefault((endpoint, variant), _Tally())
            tally.requests += 1
            tally.errors += status >= 400
            if status < 400:
                tally.milliseconds.append(microseconds / 1000)

    def of(self, endpoint: str, variant: str) -> dict[str, Any]:
        """Return `requests`, `errors`, and `p50_ms`, `p95_ms` (None without any)."""
        with self._lock:
            tally = self._tallies.get((endpoint, variant), _Tally())
            times = sorted(tally.milliseconds)
            counts = {"requests": tally.requests, "errors": tally.errors}
        return {**counts, "p50_ms": quantile(times, 0.5), "p95_ms": quantile(times, 0.95)}


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value that this share of ordered values does not exceed; None without any."""
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(len(ordered) * share) - 1)], 2)


LATENCIES = Latencies()


def endpoints(context: Context) -> list[dict[str, Any]]:
    """Return every endpoint with its variants."""
    backend: Any = sagemaker_backends[context.account_id][context.region]
    return [_endpoint(endpoint) for endpoint in list(backend.endpoints.values())]


def _endpoint(endpoint: Any) -> dict[str, Any]:
    name = endpoint.endpoint_name
    return {
        "name": name,
        "status": endpoint.endpoint_status,
        "configuration": endpoint.endpoint_config_name,
        "reason": endpoint.failure_reason or "",
        "variants": [
            {
                "name": variant["VariantName"],
                "weight": variant.get("CurrentWeight"),
                "instances": variant.get("CurrentInstanceCount"),
                **LATENCIES.of(name, variant["VariantName"]),
            }
            for variant in endpoint.production_variants or ()
        ],
    }


def jobs(context: Context) -> list[dict[str, Any]]:
    """Return the jobs of every kind, the newest first; training jobs with their last metrics."""
    backend: Any = sagemaker_backends[context.account_id][context.region]
    records = {
        "training": backend.training_jobs,
        "processing": backend.processing_jobs,
        "transform": backend.transform_jobs,
    }
    found = [(kind, job) for kind, known in records.items() for job in list(known.values())]
    found.sort(key=lambda pair: pair[1].creation_time, reverse=True)
    return [_job(kind, job) for kind, job in found]


def _job(kind: str, job: Any) -> dict[str, Any]:
    began, ended = (getattr(job, f"{kind}_{end}_time") for end in ("start", "end"))
    return {
        "kind": kind,
        "name": getattr(job, f"{kind}_job_name"),
        "status": getattr(job, f"{kind}_job_status"),
        "step": getattr(job, "secondary_status", ""),
        "seconds": round((ended - began).total_seconds()) if began and ended else None,
        "reason": job.failure_reason or "",
        "message": getattr(job, "exit_message", None) or "",
        "metrics": [
            {"name": metric["MetricName"], "value": metric["Value"]}
            for metric in getattr(job, "final_metric_data_list", ())
        ],
    }


def functions(context: Context) -> list[dict[str, Any]]:
    """Return the functions with their processes."""
    backend: Any = lambda_backends[context.account_id][context.region]
    owners = [child.owner for child in context.children.listed()]
    return [
        {
            "name": function.function_name,
            "runtime": function.run_time,
            "memory_mb": int(function.memory_size),
            "processes": owners.count(f"function/{function.function_name}"),
        }
        for function in backend.list_functions(None)
    ]
