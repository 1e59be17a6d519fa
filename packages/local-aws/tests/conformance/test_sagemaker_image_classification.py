"""AWS's image `image-classification:1`: its interface, with a smaller model behind it."""

import io
import json
import random
import struct
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from local_aws.testing.aws import unique
from local_aws.testing.hosting import Hosting, variant

ALGORITHM = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
NUMBERS = {"num_classes": "2", "num_training_samples": "60", "image_shape": "3,32,32"}
KINDS = ("train", "validation")


def striped(label: int, seed: int) -> bytes:
    """Return a PNG with stripes that go down (0) or across (1)."""
    draw = random.Random(seed)
    width, shift, noise = draw.randint(3, 6), draw.randint(0, 6), draw.randint(10, 60)
    image = Image.new("RGB", (32, 32))
    for x in range(32):
        for y in range(32):
            on = (((x, y)[label] + shift) // width) % 2
            level = 200 * on + draw.randint(0, noise)
            image.putpixel((x, y), (min(level, 255), level // 2, level // 3))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def images() -> dict[str, list[tuple[int, bytes]]]:
    numbers = {"train": range(60), "validation": range(60, 80)}
    return {kind: [(n % 2, striped(n % 2, n)) for n in numbers[kind]] for kind in KINDS}


@pytest.fixture(scope="module")
def listed(hosting: Hosting, images: dict[str, list[tuple[int, bytes]]]) -> str:
    """Return the prefix of the images with their lists."""
    prefix = unique("listed")
    for kind, examples in images.items():
        lines = []
        for number, (label, data) in enumerate(examples):
            hosting.put(f"{prefix}/{kind}/{label}/{number}.png", data)
            lines.append(f"{number}\t{label}\t{label}/{number}.png\n")
        hosting.put(f"{prefix}/{kind}_lst/{kind}.lst", "".join(lines).encode())
    return f"s3://{hosting.bucket}/{prefix}"


def channel(name: str, source: str, kind: str) -> dict[str, Any]:
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}}
    return {"ChannelName": name, "DataSource": data, "ContentType": kind}


def listed_channels(prefix: str) -> list[dict[str, Any]]:
    names = [*KINDS, *(f"{kind}_lst" for kind in KINDS)]
    return [channel(name, f"{prefix}/{name}/", "application/x-image") for name in names]


def trained(hosting: Hosting, channels: list[dict[str, Any]], **given: str) -> dict[str, Any]:
    algorithm = {"TrainingImage": ALGORITHM, "TrainingInputMode": "File"}
    wish = {**NUMBERS, "mini_batch_size": "10", "epochs": "8", **given}
    name = hosting.train(
        hyperparameters={key: value for key, value in wish.items() if value},
        InputDataConfig=channels,
        AlgorithmSpecification=algorithm,
    )
    return hosting.trained(name)


def test_it_learns_from_images_with_lists_and_answers_probabilities(
    hosting: Hosting, listed: str
) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html."""
    job = trained(hosting, listed_channels(listed))
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    metrics = {m["MetricName"]: m["Value"] for m in job["FinalMetricDataList"]}
    assert set(metrics) == {"train:accuracy", "validation:accuracy"}
    assert metrics["validation:accuracy"] >= 0.9

    model = unique("stripes")
    container = {"Image": ALGORITHM, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}
    hosting.sagemaker.create_model(
        ModelName=model, ExecutionRoleArn=hosting.role, PrimaryContainer=container
    )
    endpoint = hosting.endpoint(hosting.configuration(variant(model)))
    for label in (0, 1):
        answer = hosting.invoke(endpoint, striped(label, 999), ContentType="application/x-image")
        probabilities = json.loads(answer)
        assert sum(probabilities) == pytest.approx(1, abs=1e-5)
        assert probabilities[label] > 0.5
    with pytest.raises(ClientError, match=r"client error \(400\).*Unable to decode payload"):
        hosting.invoke(endpoint, b"no image", ContentType="image/png")
    with pytest.raises(ClientError, match=r"client error \(415\)"):
        hosting.invoke(endpoint, b"{}", ContentType="application/json")


def packed(examples: list[tuple[int, bytes]]) -> bytes:
    """Return RecordIO as MXNet's im2rec writes it."""
    written = b""
    for number, (label, data) in enumerate(examples):
        record = struct.pack("<IfQQ", 0, float(label), number, 0) + data
        head = struct.pack("<II", 0xCED7230A, len(record))
        written += head + record + b"\0" * (-len(record) % 4)
    return written


def test_it_learns_from_recordio_as_well(
    hosting: Hosting, images: dict[str, list[tuple[int, bytes]]]
) -> None:
    """.../dg/image-classification.html#IC-recordio-training; tunable metrics: IC-tuning.html."""
    prefix = unique("packed")
    channels = []
    for kind, examples in images.items():
        hosting.put(f"{prefix}/{kind}/{kind}.rec", packed(examples))
        source = f"s3://{hosting.bucket}/{prefix}/{kind}/"
        channels.append(channel(kind, source, "application/x-recordio"))
    job = trained(hosting, channels, optimizer="adam", learning_rate="0.01")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    lines = hosting.log(job["TrainingJobName"])
    assert any("Epoch[0] Train-accuracy=" in line for line in lines)
    assert any("Storing the best model with validation accuracy" in line for line in lines)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_classes": ""}, "'num_classes' is a required property"),
        ({"colour": "1"}, "Additional properties are not allowed ('colour' was unexpected)"),
        ({"learning_rate": "2"}, "'2' is not valid for 'learning_rate': a float in [0, 1]"),
        ({"num_layers": "19"}, "'19' is not valid for 'num_layers'"),
        (
            {"mini_batch_size": "100"},
            "The number of input images must be bigger or equal to the mini_batch_size.",
        ),
        ({"num_classes": "1"}, "is not in the range of num_classes"),
        ({"use_pretrained_model": "1"}, "does not do use_pretrained_model"),
    ],
)
def test_a_wrong_setting_fails_the_job_with_the_algorithms_message(
    hosting: Hosting, listed: str, given: dict[str, str], message: str
) -> None:
    """.../dg/IC-Hyperparameter.html; the message: aws/amazon-sagemaker-examples #1492, #698."""
    job = trained(hosting, listed_channels(listed), **given)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ")
    assert message in job["FailureReason"]


def test_a_wrong_channel_fails_the_job_with_the_algorithms_message(
    hosting: Hosting, listed: str
) -> None:
    """.../dg/image-classification.html#IC-inputoutput; aws/amazon-sagemaker-examples #681."""
    channels = listed_channels(listed)
    job = trained(hosting, channels[:2])
    assert "'train_lst' is a required property" in job["FailureReason"]
    job = trained(hosting, [{**entry, "ContentType": "image/png"} for entry in channels])
    assert "'image/png' is not one of ['application/x-image'" in job["FailureReason"]

    spoiled = hosting.put(f"{unique('bad')}/train_lst/a.lst", b"1 0 no/tabs.png\n")
    broken = channel("train_lst", spoiled.removesuffix("a.lst"), "application/x-image")
    job = trained(hosting, [broken if c["ChannelName"] == "train_lst" else c for c in channels])
    assert job["FailureReason"] == "ClientError: Invalid lst file in the train channel."


def test_the_algorithm_brings_its_metrics(hosting: Hosting, listed: str) -> None:
    """.../dg/IC-tuning.html: validation:accuracy is what a tuning job maximises."""
    definition = {
        **hosting.definition(ALGORITHM),
        "AlgorithmSpecification": {"TrainingImage": ALGORITHM, "TrainingInputMode": "File"},
        "InputDataConfig": listed_channels(listed),
        "StaticHyperParameters": {**NUMBERS, "epochs": "3", "mini_batch_size": "10"},
    }
    name = unique("ic")
    rates = {"Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.5"}
    hosting.sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {
                "Type": "Maximize",
                "MetricName": "validation:accuracy",
            },
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
            "ParameterRanges": {"ContinuousParameterRanges": [rates]},
        },
        TrainingJobDefinition=definition,
    )

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = hosting.sagemaker.describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name
        )
        return found if found["HyperParameterTuningJobStatus"] != "InProgress" else None

    found = hosting.aws.eventually(ended, 60)
    assert found["HyperParameterTuningJobStatus"] == "Completed", found
    assert "BestTrainingJob" in found
