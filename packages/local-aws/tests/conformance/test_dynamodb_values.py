"""What DynamoDB takes as values, keys and conditions, and how values of two types compare."""

from typing import Any

import pytest

from local_aws.testing.aws import Aws, unique
from local_aws.testing.refusals import error_code, refusal

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"N": "abc"}, "numeric value"),
    ({"N": "1e126"}, "overflow"),
    ({"N": "1" * 39}, "38 significant digits"),
    ({"SS": []}, "string set  may not be empty"),
    ({"SS": ["a", "a"]}, r"\[a, a\] contains duplicates"),
    ({"NS": ["1", "1.0"]}, "contains duplicates"),
    ({"L": [{"M": {"a": {"BS": []}}}]}, "Binary sets should not be empty"),
    ({}, "is empty"),
    ({"L": [{"S": "a", "N": "1"}]}, "more than one"),
]


@pytest.fixture(scope="module")
def dynamodb(aws: Aws) -> Any:
    return aws.client("dynamodb")


@pytest.fixture(scope="module")
def table(dynamodb: Any) -> str:
    name = unique("values")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "p", "KeyType": "HASH"},
            {"AttributeName": "s", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(4):
        item = {**key("a", number), "n": {"N": str(number)}, "t": {"S": "x" * number}}
        dynamodb.put_item(TableName=name, Item=item)
    return name


def key(text: str, number: float = 1) -> dict[str, Any]:
    return {"p": {"S": text}, "s": {"N": str(number)}}


@pytest.mark.parametrize(("value", "says"), WRONG)
def test_what_is_no_value_is_written_by_no_operation(
    dynamodb: Any, table: str, value: dict[str, Any], says: str
) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html"""
    item = {**key("wrong"), "v": value}
    update = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": value}}
    transaction = [{"Update": {"TableName": table, "Key": key("wrong"), **update}}]
    for call, asked in (
        (dynamodb.put_item, {"TableName": table, "Item": item}),
        (dynamodb.update_item, {"TableName": table, "Key": key("wrong"), **update}),
        (dynamodb.batch_write_item, {"RequestItems": {table: [{"PutRequest": {"Item": item}}]}}),
        (dynamodb.transact_write_items, {"TransactItems": transaction}),
    ):
        with pytest.raises(dynamodb.exceptions.ClientError, match=says):
            call(**asked)
    assert "Item" not in dynamodb.get_item(TableName=table, Key=key("wrong"))


def test_numbers_are_written_without_zeros_and_exponents(dynamodb: Any, table: str) -> None:
    given = {"M": {"n": {"L": [{"N": text} for text in ("1.500", "007", "1E2", "-0", "1e-3")]}}}
    item = {"p": {"S": "numbers"}, "s": {"N": "1.0"}, "v": given, "set": {"NS": ["2.0"]}}
    dynamodb.put_item(TableName=table, Item=item)
    found = dynamodb.get_item(TableName=table, Key=key("numbers", 1))["Item"]
    numbers = [one["N"] for one in found["v"]["M"]["n"]["L"]]
    assert numbers == ["1.5", "7", "100", "0", "0.001"]
    assert (found["s"], found["set"]) == ({"N": "1"}, {"NS": ["2"]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"p": {"S": "a"}},
        {"p": {"S": "a"}, "s": {"S": "1"}},
        {"p": {"S": "a"}, "s": {"N": "1"}, "t": {"S": "x"}},
    ],
)
def test_a_key_has_the_attributes_and_types_of_its_table(
    dynamodb: Any, table: str, wrong: dict[str, Any]
) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html"""
    one = {"TableName": table, "Key": wrong}
    for call, asked in (
        (dynamodb.get_item, one),
        (dynamodb.delete_item, one),
        (dynamodb.update_item, one),
        (dynamodb.batch_get_item, {"RequestItems": {table: {"Keys": [wrong]}}}),
        (
            dynamodb.batch_write_item,
            {"RequestItems": {table: [{"DeleteRequest": {"Key": wrong}}]}},
        ),
        (dynamodb.transact_write_items, {"TransactItems": [{"Delete": one}]}),
        (dynamodb.transact_get_items, {"TransactItems": [{"Get": one}]}),
    ):
        assert "does not match the schema" in refusal(call, **asked)[1]


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("n > :v", {"S": "1"}, []),
        ("n = :v", {"BOOL": True}, []),
        ("n <> :v", {"BOOL": True}, [0, 1, 2, 3]),
        ("n IN (:v)", {"BOOL": True}, []),
        ("n BETWEEN :v AND :v", {"S": "1"}, []),
        ("n BETWEEN :v AND :v", {"N": "1"}, [1]),
        ("size(t) >= :v", {"N": "2"}, [2, 3]),
        ("size(absent) >= :v", {"N": "0"}, []),
        ("size(n) >= :v", {"N": "0"}, []),
        ("absent = :v", {"N": "0"}, []),
    ],
)
def test_values_of_two_types_are_neither_equal_nor_in_an_order(
    dynamodb: Any, table: str, expression: str, value: dict[str, Any], expected: list[int]
) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html"""
    found = dynamodb.query(
        TableName=table,
        KeyConditionExpression="p = :p",
        FilterExpression=expression,
        ExpressionAttributeValues={":p": {"S": "a"}, ":v": value},
    )
    assert [int(item["s"]["N"]) for item in found["Items"]] == expected


@pytest.mark.parametrize(
    ("condition", "values", "says"),
    [
        ("p = :p", {":p": {"N": "1"}}, "does not match schema type"),
        ("p = :p AND s < :s", {":s": {"S": "1"}}, "does not match schema type"),
        ("p = :p AND begins_with(s, :s)", {":s": {"N": "1"}}, "operator or function: begins_with"),
        ("p = :p AND s BETWEEN :s AND :t", {":s": {"N": "2"}, ":t": {"N": "1"}}, "upper bound"),
    ],
)
def test_a_condition_that_a_key_cannot_have_is_refused(
    dynamodb: Any, table: str, condition: str, values: dict[str, Any], says: str
) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html"""
    given = {":p": {"S": "a"}, **values}
    asked = {"TableName": table, "KeyConditionExpression": condition}
    code, message = refusal(dynamodb.query, **asked, ExpressionAttributeValues=given)
    assert code == "ValidationException"
    assert says in message


def test_a_filter_is_by_no_attribute_of_the_key(dynamodb: Any, table: str) -> None:
    asked = {
        "TableName": table,
        "KeyConditionExpression": "p = :p",
        "ExpressionAttributeValues": {":p": {"S": "a"}},
    }
    _, message = refusal(dynamodb.query, **asked, FilterExpression="s > :p")
    assert message.endswith("Primary key attribute: s")
    assert dynamodb.query(**asked, FilterExpression="n.s = :p")["Count"] == 0


def test_a_batch_names_each_item_once(dynamodb: Any, table: str) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"""
    put = {"PutRequest": {"Item": key("batch")}}
    delete = {"DeleteRequest": {"Key": key("batch", 1.0)}}
    asked = {"RequestItems": {table: [put, delete]}}
    assert "contains duplicates" in refusal(dynamodb.batch_write_item, **asked)[1]


def test_a_transaction_is_made_once_by_its_token(dynamodb: Any, table: str) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""

    def add(number: str) -> dict[str, Any]:
        values = {":n": {"N": number}}
        update = {"UpdateExpression": "ADD n :n", "ExpressionAttributeValues": values}
        return {"Update": {"TableName": table, "Key": key("token"), **update}}

    token = unique("token")
    for _ in range(2):
        dynamodb.transact_write_items(TransactItems=[add("1")], ClientRequestToken=token)
    other = {"TransactItems": [add("2")], "ClientRequestToken": token}
    refused = error_code(dynamodb.transact_write_items, **other)
    assert refused == "IdempotentParameterMismatchException"
    found = dynamodb.get_item(TableName=table, Key=key("token"))["Item"]
    assert found["n"] == {"N": "1"}


def test_what_expires_already_is_not_let_expire_again(dynamodb: Any, table: str) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html"""
    asked = {
        "TableName": table,
        "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "until"},
    }
    dynamodb.update_time_to_live(**asked)
    assert error_code(dynamodb.update_time_to_live, **asked) == "ValidationException"
