from local_aws.iam.access_decisions import Decisions
from local_aws.iam.policy_evaluation import Access, Denial, Policies

ACCESS = Access("logs:PutLogEvents", "arn:aws:logs:us-east-1:1:log-group:g")
ALLOW = {"Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}]}
CONDITION = {"Bool": {"aws:SecureTransport": "true"}}


class Deciding:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked, self.decisions = 0, Decisions()

    def __call__(self, policies: Policies, access: Access = ACCESS) -> Denial | None:
        return self.decisions.of("session", access, policies, self._decide)

    def _decide(self) -> Denial:
        self.asked += 1
        return Denial("identity-based policy", explicit=False)


def test_the_same_policies_are_asked_once() -> None:
    decide = Deciding()
    assert (
        decide(Policies([ALLOW]))
        == decide(Policies([ALLOW]))
        == Denial("identity-based policy", explicit=False)
    )
    assert decide.asked == 1


def test_another_policy_resource_or_boundary_is_evaluated_again() -> None:
    decide = Deciding()
    decide(Policies([ALLOW]))
    decide(Policies([dict(ALLOW)]))
    decide(Policies([ALLOW]), Access(ACCESS.action, "arn:other"))
    decide(Policies([ALLOW], boundary=[ALLOW]))
    decide(Policies([ALLOW], boundary=[]))
    decide(Policies([ALLOW, ALLOW]))
    assert decide.asked == 6


def test_a_decision_that_hangs_on_the_request_is_not_remembered() -> None:
    decide = Deciding()
    conditional = {"Statement": [{**ALLOW["Statement"][0], "Condition": CONDITION}]}
    variable = {"Statement": [{**ALLOW["Statement"][0], "Resource": "arn:${aws:username}"}]}
    for document in (conditional, variable):
        decide(Policies([document]))
        decide(Policies([document]))
    assert decide.asked == 4
