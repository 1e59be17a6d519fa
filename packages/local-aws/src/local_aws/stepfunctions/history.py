"""The histories of executions: written quickly, and limited as on AWS."""

import datetime
from typing import Any

from local_aws.core.patching import add, set_value

# "Maximum number of events in a single execution history: 25,000"
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_EVENTS = 25_000
MAX_DATA_BYTES = 256 << 20
"""Of a history's inputs, outputs and causes, which stay in memory: AWS's quotas allow 6 GB."""
# So much data of a history counts as one more event.
_EVENT_BYTES = 4_096
_MANAGER = "moto.stepfunctions.parser.asl.eval.event.event_manager.EventManager"
_WHY = "has no limit, takes events after the end, and copies all when it is read"


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
        if manager.when_full is None or not _is_full(manager):
            event_id = _append(manager, context, event_type, event_details, timestamp)
            if update_source_event_id:
                context.source_event_id = event_id
            return event_id
    manager.when_full()
    return int(context.last_published_event_id)


def _is_full(manager: Any) -> bool:
    is_long = len(manager._history_event_list) >= MAX_EVENTS - 1
    return is_long or has_too_much_data(manager)


def has_too_much_data(manager: Any) -> bool:
    """Return whether a history has more data than is kept of one."""
    return bool(manager.data_bytes > MAX_DATA_BYTES)


def size_of(manager: Any) -> int:
    """Return the size of a history: its number of events, and its data as further ones."""
    return len(manager._history_event_list) + int(manager.data_bytes) // _EVENT_BYTES


def _data_bytes(details: Any) -> int:
    """Return the length of all texts of an event, within its details and their variables."""
    if isinstance(details, dict):
        return sum(map(_data_bytes, details.values()))
    return len(details) if isinstance(details, str) else 0


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
    manager.data_bytes += _data_bytes(event_details)
    session = manager._cloud_watch_logging_session
    if session is not None:
        session.publish(event, now)
    return event_id


def _events(manager: Any) -> list[dict[str, Any]]:
    with manager._mutex:
        return list(manager._history_event_list)


def without_data(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as `includeExecutionData` false has it."""
    hidden = ("input", "inputDetails", "output", "outputDetails", "parameters")
    return {
        name: {k: v for k, v in value.items() if k not in hidden}
        if isinstance(value, dict)
        else value
        for name, value in event.items()
    }


add(f"{_MANAGER}.closed", why=_WHY)(False)
add(f"{_MANAGER}.when_full", why=_WHY)(None)
add(f"{_MANAGER}.data_bytes", why=_WHY)(0)
set_value(f"{_MANAGER}.add_event", _add, why=_WHY)
add(f"{_MANAGER}.close", why=_WHY)(_close)
set_value(f"{_MANAGER}.get_event_history", _events, why=_WHY)
