import pytest

from local_aws.cloudwatch.composite_alarms import RuleError, alarms_in, parsed

STATES = {"up": "OK", "down": "ALARM", "new one": "INSUFFICIENT_DATA"}


def holds(rule: str) -> bool:
    return parsed(rule)(lambda name, state: STATES.get(name) == state)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('ALARM("down")', True),
        ("ALARM(down) AND OK(up)", True),
        ("alarm(up) or not ok(up)", False),
        ('INSUFFICIENT_DATA("new one")', True),
        ("TRUE AND NOT FALSE", True),
        ("ALARM(up) OR ALARM(down) AND OK(up)", True),
        ("(ALARM(up) OR ALARM(down)) AND NOT OK(up)", False),
        ('ALARM("arn:aws:cloudwatch:us-east-1:123456789012:alarm:down")', True),
    ],
)
def test_a_rule_is_true_by_its_alarms_states(rule: str, expected: bool) -> None:
    assert holds(rule) is expected


@pytest.mark.parametrize("rule", ["", "ALARM()", "ALARM(a) ALARM(b)", "(ALARM(a)", "AND", "maybe"])
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    with pytest.raises(RuleError, match="AlarmRule"):
        parsed(rule)


@pytest.mark.parametrize(
    "rule", ["(" * 3000 + "TRUE" + ")" * 3000, "NOT " * 2000 + "TRUE", "TRUE " * 400_000]
)
def test_a_rule_without_an_end_is_refused_at_once(rule: str) -> None:
    with pytest.raises(RuleError, match="AlarmRule: it "):
        parsed(rule)


def test_a_rule_may_have_many_alarms() -> None:
    assert holds(" OR ".join(["FALSE"] * 1000 + ["TRUE"])) is True


def test_the_alarms_of_a_rule_are_known() -> None:
    assert alarms_in('NOT ALARM("a") AND (OK(b) OR TRUE)') == ["a", "b"]
