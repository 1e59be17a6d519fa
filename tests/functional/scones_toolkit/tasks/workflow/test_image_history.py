from types import SimpleNamespace
from typing import Any

import pytest

from scones_core.errors import DeployError, MonitorError
from scones_core.events import Result
from scones_lambdas.result_destinations import row_of
from scones_toolkit.tasks.workflow.image_history import image_history
from tests.functional.scones_toolkit.tasks.conftest import SESSION, LocalProject

TABLE = "scones-local-assignments"
PLACE = "s3://data/inbox/a b.png"


@pytest.fixture
def kept(project: LocalProject) -> LocalProject:
    """The project with an image, and the table of decisions as Terraform makes it."""
    project.clients["dynamodb"] = SESSION.client("dynamodb")
    project.clients["dynamodb"].create_table(
        TableName=TABLE,
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("image", "release")
        ],
        KeySchema=[
            {"AttributeName": "image", "KeyType": "HASH"},
            {"AttributeName": "release", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    project.client("s3").put_object(Bucket="data", Key="inbox/a b.png", Body=b"x")
    vars(project)["terraform"] = SimpleNamespace(outputs=lambda: {"assignments_table": TABLE})
    return project


def decided(project: LocalProject, release: str, confidence: float, etag: str) -> None:
    result: dict[str, Any] = {
        "image": {"bucket": "data", "key": "inbox/a b.png", "etag": etag},
        "inference": {
            "label": "bicycle",
            "confidence": confidence,
            "probabilities": {"bicycle": confidence},
            "inference_id": "i",
            "variant": "AllTraffic",
        },
        "threshold": 0.9,
        "release": release,
        "decision": "accepted" if confidence >= 0.9 else "review",
    }
    if confidence >= 0.9:
        vehicle = {"vehicle": "bicycle", "bay": "A", "orders": "near", "max_km": 3.0}
        result["assignment"] = vehicle
    row: Result = result  # type: ignore[assignment]
    project.client("dynamodb").put_item(TableName=TABLE, Item=row_of(row, "arn:x:inbox-1"))


def test_the_way_leads_from_the_upload_over_each_release_to_the_bay(kept: LocalProject) -> None:
    etag = kept.client("s3").head_object(Bucket="data", Key="inbox/a b.png")["ETag"].strip('"')
    decided(kept, "r1", 0.5, etag)
    decided(kept, "r2", 0.95, etag)
    decided(kept, "r3", 0.95, "of-another-version")

    found = image_history(kept, PLACE)

    assert [(row["release"], row["decision"]) for row in found["decisions"]] == [
        ("r1", "review"),
        ("r2", "accepted"),
    ]
    assert "the review queue" in kept.printed
    assert "bay A, near orders, up to 3 km" in kept.printed
    assert "inbox-1" in kept.printed


def test_an_image_that_waits_and_one_that_is_gone_are_sentences(kept: LocalProject) -> None:
    assert image_history(kept, PLACE)["decisions"] == []
    assert "Nobody decided on it yet" in kept.printed
    with pytest.raises(MonitorError, match=r"no image at s3://data/none\.png"):
        image_history(kept, "s3://data/none.png")


def test_an_environment_without_the_table_says_what_to_do(kept: LocalProject) -> None:
    vars(kept)["terraform"] = SimpleNamespace(outputs=dict)
    with pytest.raises(DeployError, match="inv apply"):
        image_history(kept, PLACE)
