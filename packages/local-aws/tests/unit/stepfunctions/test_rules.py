import pytest

from local_aws.stepfunctions.definition_checks import unsupported_features
from local_aws.stepfunctions.error_names import MAX_STATE_BYTES, matches_error, within_quota
from local_aws.stepfunctions.inline_map import worker_count


@pytest.mark.parametrize(
    ("asked", "items", "workers"),
    [(0, 5, 5), (0, 500, 40), (10, 500, 10), (1000, 500, 40), (10, 3, 3), (10, 0, 0)],
)
def test_a_map_runs_no_more_items_than_asked_than_there_are_and_than_forty(asked, items, workers):
    assert worker_count(asked, items) == workers


def test_a_states_data_is_measured_as_compact_utf8():
    assert within_quota("x" * MAX_STATE_BYTES)
    assert not within_quota("x" * (MAX_STATE_BYTES + 1))
    assert not within_quota("ü" * (MAX_STATE_BYTES // 2 + 1))
    pairs = {str(n): 0 for n in range(10)}
    assert within_quota({**pairs, "rest": "x" * (MAX_STATE_BYTES - len('"0":0,') * 10 - 9 - 2)})


def test_unsupported_features_are_found_at_any_depth():
    task = {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob"}
    deep = {"States": {"P": {"Type": "Pass", "QueryLanguage": "JSONata", "InputPath": "$"}}}
    definition = {
        "States": {
            "Par": {"Type": "Parallel", "Branches": [{"States": {}}, deep]},
            "Map": {"Type": "Map", "ItemProcessor": {"States": {"V": task}}},
        }
    }
    found = list(unsupported_features(definition))
    assert len(found) == 2
    assert "JSONata" in found[0] and "State V" in found[1]


@pytest.mark.parametrize("definition", [None, 3, [], {}, {"States": []}, {"States": {"A": 1}}])
def test_what_is_no_definition_has_no_features(definition):
    assert list(unsupported_features(definition)) == []


@pytest.mark.parametrize(
    ("named", "error", "matches"),
    [
        ({"Own"}, "Own", True),
        ({"Own"}, "Other", False),
        ({"States.ALL"}, "Own", True),
        ({"States.ALL"}, "States.Runtime", False),
        ({"States.ALL"}, "States.DataLimitExceeded", False),
        ({"States.DataLimitExceeded"}, "States.DataLimitExceeded", True),
        ({"States.TaskFailed"}, "Own", True),
        ({"States.TaskFailed"}, "States.Timeout", False),
        ({"States.TaskFailed"}, "States.Runtime", False),
        ({"States.Timeout"}, "States.HeartbeatTimeout", True),
        ({"States.HeartbeatTimeout"}, "States.Timeout", False),
    ],
)
def test_an_error_is_matched_by_its_name_or_by_what_stands_for_it(named, error, matches):
    """https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""
    assert matches_error(named, error) is matches


def refused(state, machine_type="STANDARD"):
    found = unsupported_features({"States": {"S": state}}, machine_type)
    return next(iter(found), "")


def distributed(**more):
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "States": {}}
    return {"Type": "Map", "ItemProcessor": processor, **more}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (distributed(ItemReader={"ReaderConfig": {"InputType": "PARQUET"}}), "PARQUET"),
        (distributed(ItemReader={"ReaderConfig": {"ItemsPointer": "/a"}}), "ItemsPointer"),
        (distributed(ItemReader={"ReaderConfig": {"ManifestType": "ATHENA_DATA"}}), "ATHENA_DATA"),
        (distributed(ItemReader={"ReaderConfig": {"CSVDelimiter": "x"}}), "CSVDelimiter"),
        (distributed(ItemBatcher={"BatchInput": {}}), "MaxItemsPerBatch"),
        (distributed(ResultWriter={}), "ResultWriter"),
        (distributed(ResultWriter={"Resource": "r"}), "Parameters"),
        (distributed(ResultWriter={"WriterConfig": {"Transformation": "x"}}), "COMPACT"),
        (distributed(ResultWriter={"WriterConfig": {"OutputType": "JSONL"}}), "JSONL"),
        ({"Type": "Map", "ItemBatcher": {"MaxItemsPerBatch": 2}}, "DISTRIBUTED only"),
        ({"Type": "Task", "Resource": "arn:aws:states:r:1:activity:a"}, "activity"),
        ({"Type": "Task", "Resource": "arn:aws:states:::http:invoke"}, "http"),
    ],
)
def test_what_a_state_must_not_have_is_named(state, said):
    assert said in refused(state) and "State S" in refused(state)


def test_an_express_machine_must_not_wait_for_others():
    sync = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync"}
    assert not refused(sync)
    assert ".sync" in refused(sync, "EXPRESS")
    assert not refused(distributed())
    assert "DISTRIBUTED" in refused(distributed(), "EXPRESS")
    child = distributed()
    child["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] = "EXPRESS"
    child["ItemProcessor"]["States"] = {"T": sync}
    assert "State T" in refused(child)
