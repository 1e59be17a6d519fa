"""The rule of a composite alarm: alarms' states under AND, OR and NOT.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

import re
from collections.abc import Callable
from urllib.parse import unquote

# Returns whether the alarm of that name is in that state.
States = Callable[[str, str], bool]
Node = Callable[[States], bool]

_FUNCTIONS = ("ALARM", "OK", "INSUFFICIENT_DATA")
_TOKEN = re.compile(
    r"\s*(?:(?P<state>(?:ALARM|OK|INSUFFICIENT_DATA))\s*\(\s*(?:\"(?P<quoted>[^\"]+)\""
    r"|(?P<bare>[^\"\s()]+))\s*\)|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<sign>[()]))",
    re.IGNORECASE,
)


MAX_RULE_CHARACTERS = 10_240


class RuleError(Exception):
    """A rule that cannot be read."""


def parsed(rule: str) -> Node:
    """Return a function from the alarms' states to the rule's truth; raises RuleError."""
    tokens = _tokens(rule)
    try:
        node = _either(tokens)
    except RecursionError as error:
        raise RuleError("AlarmRule: it is nested too deeply") from error
    if tokens:
        raise RuleError(f"AlarmRule: {tokens[0][0]} is not expected there")
    return node


def alarms_in(rule: str) -> list[str]:
    """Return the names of the alarms that a rule refers to."""
    return [name for kind, name in _tokens(rule) if kind in _FUNCTIONS]


def _tokens(rule: str) -> list[tuple[str, str]]:
    if len(rule) > MAX_RULE_CHARACTERS:
        raise RuleError(f"AlarmRule: it has over {MAX_RULE_CHARACTERS:,} characters")
    tokens, at = [], 0
    while rule[at:].strip():
        found = _TOKEN.match(rule, at)
        if found is None:
            raise RuleError(f"AlarmRule: {rule[at:].strip()[:20]} cannot be read")
        name = found["quoted"] or found["bare"] or ""
        kind = (found["state"] or found["word"] or found["sign"]).upper()
        # An alarm may be named by its ARN as well.
        tokens.append((kind, unquote(name).rpartition(":alarm:")[2] if name else ""))
        at = found.end()
    return tokens


def _either(tokens: list[tuple[str, str]]) -> Node:
    nodes = [_both(tokens)]
    while tokens and tokens[0][0] == "OR":
        tokens.pop(0)
        nodes.append(_both(tokens))
    return nodes[0] if len(nodes) == 1 else lambda states: any(node(states) for node in nodes)


def _both(tokens: list[tuple[str, str]]) -> Node:
    nodes = [_one(tokens)]
    while tokens and tokens[0][0] == "AND":
        tokens.pop(0)
        nodes.append(_one(tokens))
    return nodes[0] if len(nodes) == 1 else lambda states: all(node(states) for node in nodes)


def _one(tokens: list[tuple[str, str]]) -> Node:
    if not tokens:
        raise RuleError("AlarmRule: it ends too early")
    kind, name = tokens.pop(0)
    if kind == "NOT":
        inner = _one(tokens)
        return lambda states: not inner(states)
    if kind == "(":
        node = _either(tokens)
        if not tokens or tokens.pop(0)[0] != ")":
            raise RuleError("AlarmRule: ) is missing")
        return node
    if kind in ("TRUE", "FALSE"):
        return lambda _: kind == "TRUE"
    if kind in _FUNCTIONS:
        return lambda states: states(name, kind)
    raise RuleError(f"AlarmRule: {kind} is not expected there")
