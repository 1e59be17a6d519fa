"""The workflow as it was first built: three Lambdas that hand an image's bytes on in the state."""

import functools
import io
import json
import os
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any

BUCKET = "benchmark"
IMAGE_BYTES = 2500

HANDLERS = {
    "echo": """
def handler(event, context):
    return event
""",
    "serialize": """
import base64, boto3
s3 = boto3.client("s3")
def handler(event, context):
    body = s3.get_object(Bucket=event["s3_bucket"], Key=event["s3_key"])["Body"].read()
    return {**event, "image_data": base64.b64encode(body).decode(), "inferences": []}
""",
    "classify": """
import base64
def handler(event, context):
    pixels = base64.b64decode(event["image_data"])
    share = sum(pixels) / len(pixels) / 255
    return {**event, "inferences": [share, 1 - share]}
""",
    "classify_by_endpoint": """
import base64, boto3, json, os
runtime = boto3.client("sagemaker-runtime")
def handler(event, context):
    answer = runtime.invoke_endpoint(
        EndpointName=os.environ["ENDPOINT_NAME"],
        Body=base64.b64decode(event["image_data"]),
        ContentType="image/png",
    )
    return {**event, "inferences": json.loads(answer["Body"].read())}
""",
    "filter": """
def handler(event, context):
    if max(event["inferences"]) < 0.5:
        raise ValueError("THRESHOLD_CONFIDENCE_NOT_MET")
    return {"inferences": event["inferences"], "key": event["s3_key"]}
""",
}


@dataclass(frozen=True)
class Target:
    """An endpoint that is measured, with the process that answers there."""

    endpoint_url: str
    server_pid: int = 0

    def client(self, service: str) -> Any:
        """Return a client; the same one each time."""
        return _client(self.endpoint_url, service)

    def role(self) -> str:
        """Make a role that may do everything; return its ARN."""
        iam, name = self.client("iam"), f"b-{uuid.uuid4().hex[:8]}"
        services = [f"{service}.amazonaws.com" for service in ("lambda", "states")]
        trust = _policy(Principal={"Service": services}, Action="sts:AssumeRole")
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        everything = _policy(Action="*", Resource="*")
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=everything)
        return arn

    def function(self, kind: str, role: str | None = None, **variables: str) -> str:
        """Deploy one of the handlers under a name of its own, with these variables."""
        name = f"{kind}-{uuid.uuid4().hex[:8]}"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.py", HANDLERS[kind])
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.12",
            Handler="app.handler",
            Role=role or self.role(),
            Timeout=30,
            MemorySize=256,
            Environment={"Variables": variables},
            Code={"ZipFile": buffer.getvalue()},
        )
        return name


@dataclass(frozen=True)
class Deployed:
    """The state machines of the older design: one for an image, one with a Map over many."""

    one_image: str
    all_images: str

    @staticmethod
    def event(number: int) -> dict[str, Any]:
        """Return an image's input."""
        return {"s3_bucket": BUCKET, "s3_key": f"image-{number % 10}.png", "inferences": []}


def deploy(target: Target, endpoint: str = "") -> Deployed:
    """Make the bucket with images, the functions and both state machines.

    With an endpoint the images are sent there; else the function classifies by itself.
    """
    s3 = target.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for number in range(10):
        s3.put_object(Bucket=BUCKET, Key=f"image-{number}.png", Body=os.urandom(IMAGE_BYTES))
    role = target.role()
    classify = (
        target.function("classify_by_endpoint", role, ENDPOINT_NAME=endpoint)
        if endpoint
        else target.function("classify", role)
    )
    names = [target.function("serialize", role), classify, target.function("filter", role)]
    chain = _chain(names)
    iterate = {"ItemProcessor": chain, "MaxConcurrency": 10, "End": True, "Type": "Map"}
    whole = {"StartAt": "Each", "States": {"Each": iterate}}
    return Deployed(_state_machine(target, chain, role), _state_machine(target, whole, role))


def _chain(names: list[str]) -> dict[str, Any]:
    states: dict[str, Any] = {}
    for name, following in zip(names, [*names[1:], None], strict=True):
        states[name] = {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": name, "Payload.$": "$"},
            "OutputPath": "$.Payload",
            **({"Next": following} if following else {"End": True}),
        }
    return {"StartAt": names[0], "States": states}


def _state_machine(target: Target, definition: dict[str, Any], role: str) -> str:
    made = target.client("stepfunctions").create_state_machine(
        name=f"b-{uuid.uuid4().hex[:8]}", definition=json.dumps(definition), roleArn=role
    )
    arn: str = made["stateMachineArn"]
    return arn


def _policy(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


@functools.cache
def _client(endpoint_url: str, service: Any) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the embedded AWS's own
        config=Config(
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            max_pool_connections=50,
            inject_host_prefix=False,
            read_timeout=300,
        ),
    )
