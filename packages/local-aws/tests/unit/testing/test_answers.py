import json
from typing import Any

import pytest
from moto.core.utils import get_service_model

from local_aws.testing.answers import require_known_keys

KNOWN: dict[str, Any] = {
    "TrainingJobName": "job",
    "HyperParameters": {"any": "name"},
    "InputDataConfig": [
        {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b"}}}
    ],
    "FinalMetricDataList": [],
}


def _answered(body: dict[str, Any], status: int = 200) -> None:
    operation = get_service_model("sagemaker").operation_model("DescribeTrainingJob")
    require_known_keys(operation, {"status_code": status, "body": json.dumps(body).encode()})


def test_an_answer_of_known_keys_passes_and_so_does_an_error() -> None:
    _answered(KNOWN)
    _answered({"__type": "ValidationException", "message": "no"}, status=400)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"Vpc": None}, "DescribeTrainingJobResponse.Vpc"),
        ({"ModelArtifacts": {"S3Uri": "s3://b"}}, "ModelArtifacts.S3Uri"),
        ({"InputDataConfig": [{"Name": "train"}]}, "Channel.Name"),
    ],
)
def test_a_key_that_no_client_reads_is_named_with_its_shape(
    more: dict[str, Any], named: str
) -> None:
    with pytest.raises(AssertionError, match=rf"DescribeTrainingJob answers \['{named}'\]"):
        _answered(KNOWN | more)
