from typing import Any

import pytest
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from local_aws.state.pickling import dumps, new_blobs
from local_aws.state.unpickling import loads

pytestmark = pytest.mark.usefixtures("patched_moto")


def table(range_key: bool = True) -> Table:
    names = ["image", "release"] if range_key else ["image"]
    kinds = ["HASH", "RANGE"]
    return Table(  # type: ignore[abstract]  # moto makes one so itself
        "t",
        "123456789012",
        "us-east-1",
        schema=[{"AttributeName": n, "KeyType": k} for n, k in zip(names, kinds, strict=False)],
        attr=[{"AttributeName": name, "AttributeType": "S"} for name in names],
    )


def row(image: str, **more: Any) -> dict[str, Any]:
    return {"image": {"S": image}, "release": {"S": "r"}, **more}


class Saves:
    """One save after another of a table."""

    def __init__(self, owner: Table) -> None:
        self.blobs, self.owner = new_blobs(), owner
        self.bodies: dict[str, bytes] = {}

    def __call__(self) -> int:
        """Return how many bodies a save brought with it."""
        self.blobs.start()
        self.records = dumps(self.owner, self.blobs)
        self.bodies |= self.blobs.new
        self.blobs.stored |= set(self.blobs.new)
        return len(self.blobs.new)

    def loaded(self) -> Table:
        back: Table = loads(self.records, self.bodies.__getitem__)
        return back


@pytest.mark.parametrize("range_key", [True, False])
def test_a_table_comes_back_with_its_items(range_key: bool) -> None:
    owner = table(range_key)
    value = {"L": [{"M": {"a": {"N": "1"}}}, {"B": "eA=="}, {"NULL": True}]}
    rows = [row(f"i{number}", of=value, set={"SS": ["a", "b"]}) for number in range(300)]
    for item in rows:
        owner.put_item(item)
    save = Saves(owner)
    save()
    back = save.loaded()
    assert len(back) == 300 and back.hash_key_attr == "image"
    key = DynamoType({"S": "i7"}), DynamoType({"S": "r"}) if range_key else None
    assert back.get_item(*key) == owner.get_item(*key)
    back.put_item(row("more"))
    assert len(back) == 301


def test_a_changed_item_is_saved_alone() -> None:
    owner = table()
    for number in range(2000):
        owner.put_item(row(f"i{number}"))
    save = Saves(owner)
    assert save() == 1
    assert save() == 0
    whole = sum(map(len, save.bodies.values()))
    owner.put_item(row("i1", label={"S": "bicycle"}))
    assert save() == 1
    owner.delete_item(DynamoType({"S": "i2"}), DynamoType({"S": "r"}))
    assert save() == 1
    assert sum(map(len, save.bodies.values())) < 1.01 * whole
    back = save.loaded()
    assert len(back) == 1999
    found = back.get_item(DynamoType({"S": "i1"}), DynamoType({"S": "r"}))
    assert found is not None and found.attrs["label"].value == "bicycle"


def test_an_update_in_place_is_saved() -> None:
    backend = DynamoDBBackend("us-east-1", "123456789012")
    owner = backend.tables["t"] = table()
    owner.put_item(row("a"))
    save = Saves(owner)
    save()
    backend.update_item(
        "t",
        {"image": {"S": "a"}, "release": {"S": "r"}},
        update_expression="SET n = :n",
        expression_attribute_names={},
        expression_attribute_values={":n": {"N": "1"}},
    )
    assert save() == 1
    found = save.loaded().get_item(DynamoType({"S": "a"}), DynamoType({"S": "r"}))
    assert found is not None and found.attrs["n"].value == "1"
