from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws

CALLS = [
    ("sagemaker", "list_feature_groups", {}),  # JSON
    ("sagemaker", "list_artifacts", {}),
    (
        "iam",
        "simulate_principal_policy",
        {"PolicySourceArn": "arn:aws:iam::123456789012:role/any", "ActionNames": ["s3:GetObject"]},
    ),
    ("iam", "simulate_custom_policy", {"PolicyInputList": ["{}"], "ActionNames": ["s3:Get"]}),
    ("cloudwatch", "put_managed_insight_rules", {"ManagedRules": []}),  # query or CBOR
    ("lambda", "get_runtime_management_config", {"FunctionName": "f"}),  # REST-JSON
    (
        "s3",
        "delete_bucket_metrics_configuration",
        {"Id": "m", "Bucket": "missing-actions"},
    ),  # REST-XML
    ("wellarchitected", "list_lenses", {}),  # not even the service
]


@pytest.mark.parametrize(("service", "action", "parameters"), CALLS, ids=str)
def test_an_action_that_is_not_implemented_is_refused_in_the_services_own_protocol(
    aws: Aws, service: str, action: str, parameters: dict[str, Any]
) -> None:
    aws.client("s3").create_bucket(Bucket="missing-actions")
    with pytest.raises(ClientError) as refusal:
        getattr(aws.client(service), action)(**parameters)
    answer = refusal.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert answer["Error"]["Code"] == "NotImplemented"
    assert "does not implement" in answer["Error"]["Message"]


def test_the_layers_of_an_action_are_one_list(aws: Aws) -> None:
    action = "moto.core.responses.BaseResponse.call_action"
    changed = [patch["module"] for patch in aws.local.patches() if patch["symbol"] == action]
    assert changed == ["local_aws.server.action_layers"]
