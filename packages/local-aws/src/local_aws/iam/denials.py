"""Denials in AWS's words.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from local_aws.iam.policy import Access, Denial

# The codes are those of the services' own API references; most say AccessDeniedException.
_CODES = {
    "autoscaling": "AccessDenied",
    "cloudformation": "AccessDenied",
    "cloudwatch": "AccessDenied",
    "ec2": "UnauthorizedOperation",
    "iam": "AccessDenied",
    "s3": "AccessDenied",
    "sns": "AuthorizationError",
    "sqs": "AccessDenied",
    "sts": "AccessDenied",
}


class AccessDenied(Exception):
    """A request that the caller's policies do not permit; the text is AWS's sentence."""


def denial_code(service: str) -> str:
    """Return the error code of a denied request; `service` is the prefix of its actions."""
    return _CODES.get(service, "AccessDeniedException")


def denial_message(caller: str, access: Access, denial: Denial) -> str:
    """Return the sentence that names the caller's ARN, the action, the resource and the reason."""
    action = _spelt(access.action)
    quoted = f'"{access.resource}"' if action.startswith("s3:") else access.resource
    sentence = f"User: {caller} is not authorized to perform: {action} on resource: {quoted}"
    if denial.kind == "trust policy":
        return sentence
    if denial.explicit:
        return f"{sentence} with an explicit deny in a{_n(denial.kind)} {denial.kind}"
    return f"{sentence} because no {denial.kind} allows the {action} action"


def _spelt(action: str) -> str:
    service, _, name = action.partition(":")
    # These two spell their actions in their own way.
    return {"sqs": f"sqs:{name.lower()}", "sns": f"SNS:{name}"}.get(service, action)


def _n(word: str) -> str:
    return "n" if word[0] in "aeiou" else ""
