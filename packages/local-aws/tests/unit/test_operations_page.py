from local_aws.core.patching import Patch
from local_aws.operations_page import render


def test_an_operation_leads_to_the_modules_that_change_it() -> None:
    applied = [
        Patch("moto.sqs.models.SQSBackend.send_message", "a", module="local_aws.sqs.api"),
        Patch("moto.sqs.responses.SQSResponse.send_message", "b", module="local_aws.sqs.api"),
        Patch("moto.sqs.responses.SQSResponse.send_message", "c", module="local_aws.iam.patches"),
        Patch("moto.sqs.models.SQSBackend._helper", "d", module="local_aws.sqs.api"),
        Patch("moto.core.responses.BaseResponse.call_action", "e", module="local_aws.iam.patches"),
    ]
    page = render(applied, {"sqs": {"send_message", "receive_message"}})
    assert "| SendMessage | `sqs.api`, `iam.patches` |" in page
    assert "ReceiveMessage" not in page and "_helper" not in page and "call_action" not in page
