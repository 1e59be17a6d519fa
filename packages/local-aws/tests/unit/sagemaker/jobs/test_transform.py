from typing import Any

import pytest

from local_aws.sagemaker.jobs.transform import Pace, TransformSpec, UnsupportedTransform


def request(source: str = "s3://bucket/in/", kind: str = "S3Prefix", **more: Any) -> dict[str, Any]:
    data = {"S3DataSource": {"S3DataType": kind, "S3Uri": source}}
    return {
        "TransformJobName": "job",
        "TransformInput": {"DataSource": data, **more.pop("given", {})},
        "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
        "TransformResources": {"InstanceCount": 1},
        **more,
    }


@pytest.mark.parametrize(
    ("source", "key", "output"),
    [
        ("s3://bucket/in/", "in/a.png", "out/a.png.out"),
        ("s3://bucket/in/", "in/more/a.png", "out/more/a.png.out"),
        ("s3://bucket/in", "in/a.png", "out/a.png.out"),
        ("s3://bucket/in/a.png", "in/a.png", "out/a.png.out"),
        ("s3://bucket/in/pre", "in/prefixed/a.png", "out/prefixed/a.png.out"),
    ],
)
def test_an_output_lies_below_its_path_as_the_input_below_its_own(
    source: str, key: str, output: str
) -> None:
    assert TransformSpec.parse(request(source)).target(key, "unused").key == output


def test_an_input_of_a_manifest_keeps_its_name_there() -> None:
    spec = TransformSpec.parse(request("s3://bucket/manifest.json", "ManifestFile"))
    assert spec.target("in/more/a.png", "more/a.png").key == "out/more/a.png.out"


def test_the_container_advises_where_the_request_says_nothing() -> None:
    advice = {"MaxConcurrentTransforms": 4, "MaxPayloadInMB": 1, "BatchStrategy": "SINGLE_RECORD"}
    assert Pace().advised({}, advice) == Pace(4, 1, "SingleRecord")
    asked = {"MaxConcurrentTransforms": 1, "MaxPayloadInMB": 6, "BatchStrategy": "MultiRecord"}
    assert Pace().advised(asked, advice) == Pace()
    wrong = {"MaxConcurrentTransforms": "many", "MaxPayloadInMB": None, "BatchStrategy": 3}
    assert Pace().advised({}, wrong) == Pace()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"TransformResources": {"InstanceCount": 2}}, "on one instance"),
        ({"given": {"SplitType": "TFRecord"}}, "splits no TFRecord"),
        ({"DataProcessing": {"InputFilter": "$.x"}}, "filters and joins no records"),
        ({"DataCaptureConfig": {"DestinationS3Uri": "s3://b/x"}}, "captures endpoints"),
        ({"MaxConcurrentTransforms": 50, "MaxPayloadInMB": 6}, "less than or equal to 100"),
    ],
)
def test_what_is_not_done_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsupportedTransform, match=says):
        TransformSpec.parse(request(**changes))
