import json
from typing import Any

import pytest

from local_aws.core.patching import Patch
from local_aws.server.request_shapes import (
    explain_failure,
    parse_parameters,
    refuse_malformed,
)

RULE = {"Name": "r", "ScheduleExpression": "rate(1 day)"}


class Request:
    """A request to a service as moto has it, with the error that it was answered with."""

    method, automated_parameter_parsing, local_aws_unread = "POST", False, ""
    path = "/"

    def __init__(
        self,
        service: str,
        action: str,
        body: Any = None,
        content_type: str = "application/x-amz-json-1.1",
        querystring: dict[str, list[str]] | None = None,
    ):
        self.boto3_service_name, self.action = service, action
        self.body = body if isinstance(body, str) else json.dumps(body)
        self.headers, self.querystring = {"Content-Type": content_type}, querystring or {}
        self.params: Any = body

    def _get_action(self) -> str:
        return self.action

    def serialized(self, result: Any) -> Any:
        return 400, {}, (result.result.code, result.result.message)

    def answer(self) -> Any:
        answer = refuse_malformed(lambda _: "done", self)
        return answer if answer == "done" else answer[2]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"Name": 5}, "NUMBER_VALUE can not be converted to a String: 'name'"),
        ({"Name": ["r"]}, "START_ARRAY can not be converted to a String: 'name'"),
        ({"Name": True}, "TRUE_VALUE can not be converted to a String: 'name'"),
        ({"Tags": "t"}, "STRING_VALUE can not be converted to a list: 'tags'"),
        ({"Tags": ["t"]}, "STRING_VALUE can not be converted to a structure: 'tags.1.member'"),
        ({"Tags": [{"Key": {}}]}, "START_OBJECT can not be converted to a String"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_place(more: dict[str, Any], says: str) -> None:
    code, message = Request("events", "PutRule", {**RULE, **more}).answer()
    assert code == "SerializationException"
    assert says in message


@pytest.mark.parametrize(
    ("service", "action", "body", "code", "says"),
    [
        ("events", "PutRule", {"State": "ENABLED"}, "ValidationException", "null at 'name'"),
        ("events", "PutRule", {**RULE, "Name": None}, "ValidationException", "must not be null"),
        ("events", "PutRule", {**RULE, "Name": ""}, "ValidationException", "length greater than"),
        (
            "events",
            "PutTargets",
            {"Rule": "r", "Targets": [{"Id": "1"}, {"Arn": "a"}]},
            "ValidationException",
            "2 validation errors detected: Value null at 'targets.1.member.arn'",
        ),
        ("logs", "CreateLogGroup", {}, "InvalidParameterException", "null at 'logGroupName'"),
        ("sqs", "CreateQueue", {}, "MissingParameter", "null at 'queueName'"),
    ],
)
def test_what_is_missing_or_too_small_is_refused_in_the_services_words(
    service: str, action: str, body: dict[str, Any], code: str, says: str
) -> None:
    given = Request(service, action, body).answer()
    assert given[0] == code
    assert says in given[1]


@pytest.mark.parametrize(
    ("service", "action", "body"),
    [
        ("events", "PutRule", RULE),
        ("events", "PutRule", {**RULE, "Description": None, "Unknown": 5}),
        ("events", "NoSuchAction", {"a": 1}),
        ("events", "ListRules", ""),
        ("logs", "DescribeLogGroups", {"limit": 5}),
        ("s3", "PutObject", "<not json"),
    ],
)
def test_a_right_request_is_answered(service: str, action: str, body: Any) -> None:
    assert Request(service, action, body).answer() == "done"


def test_a_body_that_is_not_json_and_a_number_of_the_query_that_is_none_are_refused() -> None:
    code, message = Request("events", "PutRule", "{").answer()
    assert (code, "not JSON" in message) == ("SerializationException", True)
    listing = Request(
        "lambda", "ListFunctions", "", "application/json", querystring={"MaxItems": ["many"]}
    )
    assert listing.answer()[0] == "SerializationException"


def test_a_parameter_of_a_form_that_cannot_be_read_is_refused_with_its_action() -> None:
    request: Any = Request("iam", "ListRoles", {}, "application/x-www-form-urlencoded")
    request.automated_parameter_parsing = True

    def read(*_: object) -> None:
        raise ValueError("invalid literal for int(): 'many'")

    parse_parameters(read, request, None)
    code, message = request.answer()
    assert (code, "'many'" in message) == ("MalformedInput", True)


def failing(error: Exception) -> Any:
    def answer(_: object) -> Any:
        raise error

    return answer


@pytest.mark.parametrize(
    ("service", "action", "body", "code", "says"),
    [
        (
            "events",
            "PutRule",
            {**RULE, "State": "ON", "Name": "a b"},
            "ValidationException",
            "2 validation errors detected: Value 'a b' at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+; Value 'ON' at "
            "'state' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, ",
        ),
        (
            "application-autoscaling",
            "DescribeScalableTargets",
            {"ServiceNamespace": "s3"},
            "ValidationException",
            "Value 's3' at 'serviceNamespace' failed to satisfy constraint: Member must satisfy",
        ),
        (
            "stepfunctions",
            "CreateStateMachine",
            {"name": "m" * 81, "definition": "{}", "roleArn": "arn:aws:iam::1:role/r"},
            "ValidationException",
            "at 'name' failed to satisfy constraint: Member must have length less than or equal to "
            "80",
        ),
        (
            "logs",
            "CreateLogGroup",
            {"logGroupName": "my group"},
            "InvalidParameterException",
            "Value 'my group' at 'logGroupName' failed to satisfy constraint: Member must satisfy "
            "regular expression pattern: [\\.\\-_/#A-Za-z0-9]+",
        ),
        (
            "lambda",
            "CreateFunction",
            {
                "FunctionName": "f",
                "Role": "arn:aws:iam::123456789012:role/r",
                "Code": {},
                "Runtime": "python9.9",
                "Handler": "a b",
            },
            "ValidationException",
            "1 validation error detected: Value 'a b' at 'handler' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern",
        ),
        (
            "ecr",
            "CreateRepository",
            {"repositoryName": "Upper"},
            "InvalidParameterException",
            "at 'repositoryName' failed to satisfy constraint: 'Member must satisfy",
        ),
    ],
)
def test_what_is_too_large_or_no_choice_is_refused_in_the_services_words(
    service: str, action: str, body: dict[str, Any], code: str, says: str
) -> None:
    kind = "application/json" if service == "lambda" else "application/x-amz-json-1.1"
    given = Request(service, action, body, kind).answer()
    assert given[0] == code
    assert says in given[1]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"RoleName": "a/b"}, "The specified value for roleName is invalid. It must contain only"),
        ({"RoleName": "a", "Path": "p"}, "The specified value for path is invalid. It must begin"),
        ({"RoleName": "a" * 65}, "length less than or equal to 64"),
    ],
)
def test_iam_says_its_own_of_names_and_paths(body: dict[str, str], says: str) -> None:
    request = Request(
        "iam", "CreateRole", {**body, "AssumeRolePolicyDocument": "{}"}, "application/x-www-form"
    )
    request.automated_parameter_parsing = True
    code, message = request.answer()
    assert code == "ValidationError"
    assert says in message


@pytest.mark.parametrize(
    ("service", "action"), [("sqs", "GetQueueAttributes"), ("ssm", "DescribeParameters")]
)
def test_other_services_are_asked_for_no_more_than_boto3_asks(service: str, action: str) -> None:
    body = {"QueueUrl": "q", "AttributeNames": ["None"], "MaxResults": 10**6}
    assert Request(service, action, body).answer() == "done"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/2015-03-31/functions/mine%3Alive/code", None),
        (
            "/2015-03-31/functions/arn%3Aaws%3Alambda/code",
            "Value 'arn:aws:lambda' at 'functionName'",
        ),
        ("/2015-03-31/functions/a%20b/code", "Value 'a b' at 'functionName' failed to satisfy"),
        ("/another", None),
    ],
)
def test_a_name_in_the_path_is_checked(path: str, found: str | None) -> None:
    request = Request("lambda", "UpdateFunctionCode", {}, "application/json")
    request.path = path
    answer = request.answer()
    assert answer == "done" if found is None else found in answer[1]


def test_a_number_in_the_path_is_read_as_one() -> None:
    request = Request("lambda", "GetLayerVersion", "", "application/json")
    request.path = "/2018-10-31/layers/mine/versions/1"
    assert request.answer() == "done"
    request.path = "/2018-10-31/layers/mine/versions/one"
    assert request.answer()[0] == "SerializationException"


def test_a_number_of_the_query_is_within_its_bounds() -> None:
    listing = Request(
        "lambda", "ListFunctions", "", "application/json", querystring={"MaxItems": ["0"]}
    )
    code, message = listing.answer()
    assert code == "ValidationException"
    assert "Value '0' at 'maxItems' failed to satisfy constraint: Member must have value" in message


@pytest.mark.parametrize(
    ("request_", "error", "code", "says"),
    [
        (
            Request(
                "stepfunctions", "DescribeStateMachineAlias", {"stateMachineAliasArn": "alias"}
            ),
            IndexError("list index out of range"),
            "ValidationException",
            "'alias' at 'stateMachineAliasArn' failed to satisfy constraint: Member must be an ARN",
        ),
        (
            Request("kms", "RevokeGrant", {"KeyId": "k", "GrantId": "g"}),
            KeyError("g"),
            "NotFoundException",
            "g does not exist",
        ),
        (
            Request("sagemaker", "DescribeExperiment", {"ExperimentName": "e"}),
            KeyError("e"),
            "ResourceNotFound",
            "e does not exist",
        ),
        (
            Request("logs", "DescribeDestinations", {"nextToken": "page"}),
            ValueError("invalid literal for int() with base 10: 'page'"),
            "InvalidParameterException",
            "nextToken is not valid",
        ),
        (
            Request(
                "stepfunctions", "TagResource", {"resourceArn": "arn:aws:x:y:z:n", "tags": [{}]}
            ),
            KeyError("key"),
            "ValidationException",
            "Value null at 'key' failed to satisfy constraint: Member must not be null",
        ),
    ],
)
def test_an_action_that_fails_over_what_is_not_there_says_so(
    request_: Request, error: Exception, code: str, says: str
) -> None:
    found = explain_failure(failing(error), request_)[2]
    assert found[0] == code
    assert says in found[1]


def test_an_action_that_fails_without_a_fault_of_the_request_is_a_fault_of_its_own() -> None:
    own = [Patch("moto.events.models.EventsBackend.put_rule", "")]
    with pytest.raises(KeyError):
        explain_failure(
            failing(KeyError("a fault")), Request("events", "PutRule", RULE), lambda: own
        )


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (Request("kms", "GenerateRandom", {}), TypeError("'NoneType' object")),
        (Request("events", "TestEventPattern", {}), IndexError("list index out of range")),
        (Request("ecr", "PutImage", {"repositoryName": "r"}), Exception("r is not a repository")),
        (Request("sagemaker", "CreatePipeline", {}), KeyError("x")),
    ],
)
def test_an_action_that_moto_alone_answers_and_fails_at_is_not_supported(
    request_: Request, error: Exception
) -> None:
    other = [Patch("moto.kms.models.KmsBackend.create_key", "")]
    code, sentence = explain_failure(failing(error), request_, lambda: other)[2]
    assert code == "NotImplemented"
    assert f"{request_.boto3_service_name}:{request_.action}" in sentence
    assert str(error) in sentence


def test_a_name_that_is_not_there_is_known_by_its_arn() -> None:
    arn = "arn:aws:sagemaker:us-east-1:123456789012:feature-group/g"
    request_ = Request("sagemaker", "DescribeFeatureGroup", {"FeatureGroupName": "g"})
    code, sentence = explain_failure(failing(KeyError(arn)), request_)[2]
    assert (code, sentence) == ("ResourceNotFound", f"{arn} does not exist.")
