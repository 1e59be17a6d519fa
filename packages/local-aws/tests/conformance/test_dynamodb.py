"""Tables: conditions, transactions, throttling, permissions, and what is refused."""

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.aws import Aws, unique
from local_aws.testing.callers import Caller, allow, denied
from local_aws.testing.faults import Faults

ONCE = "attribute_not_exists(image)"


@pytest.fixture(scope="module")
def table(aws: Aws) -> str:
    name = unique("table")
    aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "image", "KeyType": "HASH"},
            {"AttributeName": "release", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "image", "AttributeType": "S"},
            {"AttributeName": "release", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": "of", "Value": "test"}],
    )
    return name


def row(image: str, release: str = "r1", **more: Any) -> dict[str, Any]:
    return {"image": {"S": image}, "release": {"S": release}, **more}


def test_a_row_is_written_once_and_a_newer_release_stands_beside_it(aws: Aws, table: str) -> None:
    dynamodb = aws.client("dynamodb")
    given = {"TableName": table, "ConditionExpression": ONCE}
    dynamodb.put_item(**given, Item=row("a", label={"S": "bicycle"}))
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as refused:
        dynamodb.put_item(
            **given,
            Item=row("a", label={"S": "motorcycle"}),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refused.value.response["Item"]["label"] == {"S": "bicycle"}
    dynamodb.put_item(**given, Item=row("a", "r2"))
    found = dynamodb.query(
        TableName=table,
        KeyConditionExpression="image = :image",
        ExpressionAttributeValues={":image": {"S": "a"}},
    )
    assert [item["release"]["S"] for item in found["Items"]] == ["r1", "r2"]


def test_of_many_writers_at_once_one_meets_the_condition(aws: Aws, table: str) -> None:
    won, start = [], threading.Barrier(8)
    dynamodb = aws.client("dynamodb")

    def write(number: int) -> None:
        start.wait()
        try:
            dynamodb.put_item(
                TableName=table,
                Item=row("raced", by={"N": str(number)}),
                ConditionExpression=ONCE,
            )
            won.append(number)
        except dynamodb.exceptions.ConditionalCheckFailedException:
            pass

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = dynamodb.get_item(TableName=table, Key=row("raced"), ConsistentRead=True)["Item"]
    assert [found["by"]["N"]] == [str(number) for number in won]


def test_a_transaction_writes_all_or_nothing_and_says_what_was_in_the_way(
    aws: Aws, table: str
) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""
    dynamodb = aws.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=row("kept", n={"N": "1"}))
    update = {
        "TableName": table,
        "Key": row("kept"),
        "UpdateExpression": "SET n = n + :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    put = {"TableName": table, "Item": row("new"), "ConditionExpression": ONCE}
    dynamodb.transact_write_items(TransactItems=[{"Update": update}, {"Put": put}])
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as refused:
        dynamodb.transact_write_items(
            TransactItems=[
                {"Update": update},
                {"Delete": {"TableName": table, "Key": row("new", "other")}},
                {"Put": put},
            ]
        )
    reasons = refused.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "None", "ConditionalCheckFailed"]
    found = dynamodb.get_item(TableName=table, Key=row("kept"))["Item"]
    assert found["n"] == {"N": "2"}
    with pytest.raises(ClientError, match="multiple operations on one item"):
        dynamodb.transact_write_items(TransactItems=[{"Update": update}, {"Update": update}])


def test_an_update_that_is_refused_changes_nothing(aws: Aws, table: str) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=row("whole", a={"S": "1"}))
    with pytest.raises(ClientError, match="maximum allowed size"):
        dynamodb.update_item(
            TableName=table,
            Key=row("whole"),
            UpdateExpression="SET a = :a, b = :b",
            ExpressionAttributeValues={":a": {"S": "2"}, ":b": {"S": "x" * 410_000}},
        )
    assert dynamodb.get_item(TableName=table, Key=row("whole"))["Item"] == row(
        "whole", a={"S": "1"}
    )


def test_a_batch_has_at_most_25_writes(aws: Aws, table: str) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"""
    dynamodb = aws.client("dynamodb")
    puts = [{"PutRequest": {"Item": row(f"batch-{number}")}} for number in range(26)]
    assert dynamodb.batch_write_item(RequestItems={table: puts[:25]})["UnprocessedItems"] == {}
    with pytest.raises(ClientError, match="less than or equal to 25"):
        dynamodb.batch_write_item(RequestItems={table: puts})


def insert(table: str, image: str, **more: Any) -> dict[str, Any]:
    values = row(image, **more)
    members = ", ".join(f"'{name}': ?" for name in values)
    statement = f'INSERT INTO "{table}" VALUE {{{members}}}'
    return {"Statement": statement, "Parameters": [*values.values()]}


def codes(answer: dict[str, Any]) -> list[str]:
    return [one.get("Error", {}).get("Code", "") for one in answer["Responses"]]


def test_an_insert_of_a_batch_changes_no_item_that_exists(aws: Aws, table: str) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.insert.html"""
    dynamodb = aws.client("dynamodb")
    first = insert(table, "inserted", label={"S": "bicycle"})
    assert codes(dynamodb.batch_execute_statement(Statements=[first])) == [""]
    again = insert(table, "inserted", label={"S": "motorcycle"})
    other = insert(table, "inserted-2", label={"S": "motorcycle"})
    answer = dynamodb.batch_execute_statement(Statements=[again, other])
    assert codes(answer) == ["DuplicateItem", ""]
    keys = [row("inserted"), row("inserted-2")]
    found = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    labels = {item["image"]["S"]: item["label"]["S"] for item in found["Responses"][table]}
    assert labels == {"inserted": "bicycle", "inserted-2": "motorcycle"}


def test_an_update_of_a_batch_changes_only_an_item_that_exists(aws: Aws, table: str) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.update.html"""
    dynamodb = aws.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=row("updated", label={"S": "bicycle"}))
    statement = f'UPDATE "{table}" SET "at"=?, n=? WHERE "image"=? AND "release"=?'  # noqa: S608
    answer = dynamodb.batch_execute_statement(
        Statements=[
            {
                "Statement": statement,
                "Parameters": [{"S": "now"}, {"N": "1"}, {"S": image}, {"S": "r1"}],
            }
            for image in ("updated", "absent")
        ]
    )
    assert codes(answer) == ["", "ConditionalCheckFailed"]
    found = dynamodb.get_item(TableName=table, Key=row("updated"))["Item"]
    assert found == row("updated", label={"S": "bicycle"}, at={"S": "now"}, n={"N": "1"})
    assert "Item" not in dynamodb.get_item(TableName=table, Key=row("absent"))


def test_a_statement_of_a_batch_that_cannot_be_executed_says_why_and_holds_up_no_other(
    aws: Aws, table: str
) -> None:
    dynamodb = aws.client("dynamodb")
    sound = insert(table, "sound")
    short = {**sound, "Parameters": sound["Parameters"][:1]}
    keyless = {
        "Statement": f'UPDATE "{table}" SET n=? WHERE image=?',  # noqa: S608
        "Parameters": [{"N": "1"}] * 2,
    }
    lost = insert("no-such-table", "lost")
    answer = dynamodb.batch_execute_statement(Statements=[short, keyless, lost, sound])
    assert codes(answer) == ["ValidationError", "ValidationError", "ResourceNotFound", ""]
    with pytest.raises(ClientError, match="less than or equal to 25"):
        dynamodb.batch_execute_statement(Statements=[sound] * 26)
    for statement in (f'SELECT * FROM "{table}"', f"INSERT INTO {table} VALUE {{'image': 'x'}}"):  # noqa: S608
        with pytest.raises(ClientError, match=r"does not implement.*PartiQL"):
            dynamodb.batch_execute_statement(Statements=[{"Statement": statement}])


def test_an_item_of_a_transaction_has_a_write(aws: Aws) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItem.html"""
    with pytest.raises(ClientError, match="should contain Delete or Put or Update") as refused:
        aws.client("dynamodb").transact_write_items(TransactItems=[{}])
    assert refused.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    ("operation", "parameters", "what"),
    [
        ("execute_statement", {"Statement": "SELECT * FROM t"}, "PartiQL"),
        ("create_backup", {"TableName": "t", "BackupName": "backup"}, "backups"),
        ("list_exports", {}, "exports to S3"),
        ("put_resource_policy", {"ResourceArn": "arn", "Policy": "{}"}, "policies"),
    ],
)
def test_what_is_not_reviewed_is_refused(
    aws: Aws, operation: str, parameters: dict[str, str], what: str
) -> None:
    with pytest.raises(ClientError, match=f"does not implement.*{what}") as refused:
        getattr(aws.client("dynamodb"), operation)(**parameters)
    assert refused.value.response["Error"]["Code"] == "NotImplemented"


def test_a_stream_is_refused_rather_than_passed_over(aws: Aws) -> None:
    with pytest.raises(ClientError, match="streams of tables"):
        aws.client("dynamodb").create_table(
            TableName=unique("table"),
            KeySchema=[{"AttributeName": "image", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "image", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )


def test_a_throttled_table_answers_as_aws_does_for_as_long_as_was_asked(
    aws: Aws, table: str
) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html"""
    code = "ProvisionedThroughputExceededException"
    dynamodb = aws.client("dynamodb")
    put = {"TableName": table, "Item": row("throttled"), "ConditionExpression": ONCE}
    with Faults(aws.local.endpoint_url) as faults:
        faults.add("dynamodb", operation="PutItem", code=code, times=2)
        for _ in range(2):
            with pytest.raises(dynamodb.exceptions.ProvisionedThroughputExceededException):
                dynamodb.put_item(**put)
        dynamodb.put_item(**put)
        (met,) = faults.remove()
    assert (met["met"], met["times"]) == (2, 0)


def test_each_write_of_a_batch_or_transaction_needs_its_own_permission(
    aws: Aws, table: str
) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html"""
    arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}"
    dynamodb = Caller(aws, allow("dynamodb:PutItem", arn)).client("dynamodb")
    put = {"Put": {"TableName": table, "Item": row("mine")}}
    dynamodb.transact_write_items(TransactItems=[put])
    delete = {"Delete": {"TableName": table, "Key": row("mine", "other")}}
    said = denied(dynamodb.transact_write_items, TransactItems=[put, delete])["Message"]
    assert f"dynamodb:DeleteItem on resource: {arn} " in said
    puts = [{"PutRequest": {"Item": row("mine")}}]
    said = denied(dynamodb.batch_write_item, RequestItems={table: puts})["Message"]
    assert f"dynamodb:BatchWriteItem on resource: {arn} " in said
    inserting = Caller(aws, allow("dynamodb:PartiQLInsert", arn)).client("dynamodb")
    inserting.batch_execute_statement(Statements=[insert(table, "mine-too")])
    update = {"Statement": f'UPDATE "{table}" SET n=? WHERE image=? AND release=?'}  # noqa: S608
    said = denied(inserting.batch_execute_statement, Statements=[update])["Message"]
    assert f"dynamodb:PartiQLUpdate on resource: {arn} " in said
    of_another = "arn:aws:dynamodb:us-east-1:123456789012:table/other"
    other = {"Put": {"TableName": of_another, "Item": row("mine")}}
    assert (
        f"{of_another} " in denied(dynamodb.transact_write_items, TransactItems=[other])["Message"]
    )


def test_a_value_has_at_most_32_levels(aws: Aws, table: str) -> None:
    dynamodb = aws.client("dynamodb")

    def nested(levels: int) -> dict[str, Any]:
        value: dict[str, Any] = {"S": "x"}
        for level in range(levels):
            value = {"M": {"M": value}} if level % 2 else {"L": [value]}
        return value

    dynamodb.put_item(TableName=table, Item=row("nested", value=nested(32)))
    with pytest.raises(ClientError, match="Nesting Levels have exceeded supported limits"):
        dynamodb.put_item(TableName=table, Item=row("nested", value=nested(33)))
