import pytest
from botocore.exceptions import ClientError
from conformance.differences import DIFFERENCES, Difference
from conformance.sagemaker_differences import SAGEMAKER_DIFFERENCES

from local_aws.testing.aws import Aws

ALL = (*DIFFERENCES, *SAGEMAKER_DIFFERENCES)


@pytest.mark.parametrize("difference", ALL, ids=lambda difference: difference.name)
def test_a_known_difference_answers_with_its_error(aws: Aws, difference: Difference) -> None:
    call = getattr(aws.client(difference.service), difference.operation)
    with pytest.raises(ClientError) as refusal:
        call(**difference.parameters)
    error = refusal.value.response["Error"]
    assert error["Code"] == difference.code, error
    assert difference.says in error["Message"]
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    assert difference.reason
