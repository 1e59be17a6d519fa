"""The histories of executions: written quickly, limited as on AWS, and told page by page."""

import datetime
from typing import Any

from local_aws.core.patching import implement, replace, wrap

# "Maximum number of events in a single execution history: 25,000"
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_EVENTS = 25_000
MAX_PAGE = 1000
_PAGE = 100


def install() -> None:
    """Mend the event manager, and GetExecutionHistory."""
    _write()
    _read()


def _write() -> None:
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

    fault = "has no limit, takes events after the end, and copies all when it is read"
    implement(EventManager, "closed", fault=fault)(False)
    implement(EventManager, "when_full", fault=fault)(None)
    replace(EventManager, "add_event", _add, fault=fault)
    implement(EventManager, "close", fault=fault)(_close)
    replace(EventManager, "get_event_history", _events, fault=fault)


def _add(
    manager: Any,
    context: Any,
    event_type: Any,
    event_details: Any = None,
    *,
    timestamp: datetime.datetime | None = None,
    update_source_event_id: bool = True,
) -> int:
    with manager._mutex:
        if manager.closed:
            return int(context.last_published_event_id)
        full = manager.when_full is not None and len(manager._history_event_list) >= MAX_EVENTS - 1
        if not full:
            event_id = _append(manager, context, event_type, event_details, timestamp)
            if update_source_event_id:
                context.source_event_id = event_id
            return event_id
    manager.when_full()
    return int(context.last_published_event_id)


def _close(manager: Any, context: Any, event_type: Any, event_details: Any) -> None:
    with manager._mutex:
        if not manager.closed:
            _append(manager, context, event_type, event_details)
            manager.closed = True
            manager.when_full = None
        if manager._cloud_watch_logging_session is not None:
            manager._cloud_watch_logging_session.flush()


def _append(
    manager: Any,
    context: Any,
    event_type: Any,
    event_details: Any,
    timestamp: datetime.datetime | None = None,
) -> int:
    now = timestamp or datetime.datetime.now(datetime.UTC)
    event_id: int = manager._event_id_gen.get()
    event = {
        **(event_details or {}),
        "id": event_id,
        "previousEventId": context.source_event_id,
        "type": event_type,
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z",
    }
    context.last_published_event_id = event_id
    manager._history_event_list.append(event)
    session = manager._cloud_watch_logging_session
    if session is not None:
        session.publish(event, now)
    return event_id


def _events(manager: Any) -> list[dict[str, Any]]:
    with manager._mutex:
        return list(manager._history_event_list)


def _read() -> None:
    from moto.core.responses import ActionResult
    from moto.stepfunctions.responses import StepFunctionResponse

    fault = "answers with the whole history, whatever part was asked for"

    @wrap(StepFunctionResponse, "get_execution_history", fault=fault)
    def get_execution_history(original: Any, response: Any) -> Any:
        events = original(response).result["events"]
        if response._get_param("reverseOrder"):
            events = events[::-1]
        if response._get_param("includeExecutionData") is False:
            events = [_without_data(event) for event in events]
        start = int(response._get_param("nextToken") or 0)
        size = min(int(response._get_param("maxResults") or _PAGE) or _PAGE, MAX_PAGE)
        page = {"events": events[start : start + size]}
        if start + size < len(events):
            page["nextToken"] = str(start + size)
        return ActionResult(page)


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    hidden = ("input", "inputDetails", "output", "outputDetails", "parameters")
    return {
        name: {k: v for k, v in value.items() if k not in hidden}
        if isinstance(value, dict)
        else value
        for name, value in event.items()
    }
