"""Events as patterns see them.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

# Several lists of objects multiply.
_MOST_ALTERNATIVES = 1000


def alternatives(event: Any) -> Iterator[Any]:
    """Yield the event with one object in the place of each list of objects, in every way.

    A pattern on a field of such a list holds if it does for one of its objects.
    """
    yield from itertools.islice(_alternatives(event), _MOST_ALTERNATIVES)


def _alternatives(value: Any) -> Iterator[Any]:
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            yield from _alternatives(item)
    elif isinstance(value, Mapping):
        for parts in itertools.product(*(list(alternatives(part)) for part in value.values())):
            yield dict(zip(value, parts, strict=True))
    else:
        yield value
