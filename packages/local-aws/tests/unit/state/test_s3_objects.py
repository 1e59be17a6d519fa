from collections.abc import Iterator

import pytest
from moto.s3.models import FakeKey, FakeMultipart, s3_backends
from requests.structures import CaseInsensitiveDict

from local_aws.state.blobs import Uses
from local_aws.state.pickling import dumps, new_blobs
from local_aws.state.s3_objects import s3_objects
from local_aws.state.unpickling import loads

pytestmark = pytest.mark.usefixtures("patched_moto")


@pytest.fixture(autouse=True)
def without_buckets() -> Iterator[None]:
    yield
    s3_backends["123456789012"]["aws"].reset()


class Saves:
    """One save after another of a bucket's objects."""

    def __init__(self) -> None:
        self.s3 = s3_backends["123456789012"]["aws"]
        self.s3.reset()
        self.s3.create_bucket("kept", "us-east-1")
        self.blobs, self.uses = new_blobs(), Uses()
        self.bodies: dict[str, bytes] = {}

    def put(self, name: str, body: bytes = b"text") -> FakeKey:
        return self.s3.put_object("kept", name, body)

    def __call__(self) -> int:
        """Return how many bytes a save wrote."""
        self.blobs.start()
        self.records = dumps(self.s3.buckets["kept"].keys, self.blobs)
        self.bodies |= self.blobs.new
        self.blobs.stored |= set(self.blobs.new)
        for digest in self.uses.replace(self.blobs.used):
            del self.bodies[digest]
        assert self.uses.digests == set(self.bodies)
        return len(self.records) + sum(map(len, self.blobs.new.values()))

    def loaded(self) -> dict[str, list[bytes]]:
        back = loads(self.records, self.bodies.__getitem__)
        return {name: [version.value for version in back.getlist(name)] for name in back}


def test_objects_come_back_as_they_were_changed_and_deleted() -> None:
    save = Saves()
    for number in range(300):
        save.put(f"o{number}", b"%d" % number * 1000)
    save()
    save.put("o7", b"another")
    save.s3.delete_object("kept", "o8")
    save()
    expected = {f"o{n}": [b"%d" % n * 1000] for n in range(300) if n != 8} | {"o7": [b"another"]}
    assert save.loaded() == expected
    for number in range(300):
        if number != 8:
            save.s3.delete_object("kept", f"o{number}")
    save()
    assert save.loaded() == {} and sum(map(len, save.bodies.values())) < 100


def test_versions_and_delete_markers_come_back() -> None:
    save = Saves()
    save.s3.put_bucket_versioning("kept", "Enabled")
    for body in (b"first", b"second"):
        save.put("o", body)
    save()
    save.s3.delete_object("kept", "o")
    save()
    back = loads(save.records, save.bodies.__getitem__).getlist("o")
    assert [type(version).__name__ for version in back] == [
        "FakeKey",
        "FakeKey",
        "FakeDeleteMarker",
    ]


def test_a_save_writes_the_object_that_changed_however_many_there_are() -> None:
    written = []
    for count in (100, 800):
        save = Saves()
        for number in range(count):
            save.put(f"o{number}")
        save()
        save.put("o3", b"changed")
        written.append(save())
    assert written[1] < 2 * written[0] < 10_000


def test_an_attribute_that_changes_is_saved_and_a_read_is_no_change() -> None:
    save = Saves()
    key = save.put("o")
    save()
    small = save()
    save.s3.get_object("kept", "o")
    assert save() == small
    key.set_metadata({"a": "b"})
    save()
    (back,) = loads(save.records, save.bodies.__getitem__).getlist("o")
    assert back.metadata["a"] == "b"


def test_objects_without_tags_leave_no_entry_of_tags() -> None:
    save = Saves()
    key = save.put("o")
    save.s3.put_object_tagging(key, None)
    assert not save.s3.tagger.tags
    save.s3.put_object_tagging(key, {"a": "b"})
    save.s3.put_object_tagging(key, {})
    assert not save.s3.tagger.tags and not save.s3.tagger.get_tag_dict_for_resource(key.arn)


def test_the_objects_of_an_earlier_save_in_shards_are_read() -> None:
    save = Saves()
    key = save.put("o")
    assert s3_objects(([("o", [key])], []))["o"] is key


def test_the_parts_of_an_upload_come_back_and_a_save_writes_the_new_ones() -> None:
    made = FakeMultipart("o", CaseInsensitiveDict(), "123456789012", "us-east-1")
    blobs, bodies = new_blobs(), dict[str, bytes]()

    def saved() -> int:
        blobs.start()
        records = dumps(made, blobs)
        bodies.update(blobs.new)
        blobs.stored |= set(blobs.new)
        back = loads(records, bodies.__getitem__)
        values = {number: part.value for number, part in back.parts.items()}
        assert values == {number: part.value for number, part in made.parts.items()}
        return len(records) + sum(map(len, blobs.new.values()))

    for number in range(400, 0, -1):
        made.set_part(number, b"%d" % number)
    whole = saved()
    made.set_part(401, b"new")
    assert saved() < whole / 10
    made.set_part(7, b"another")
    made.parts.pop(8)
    made.parts[9].checksum_value = "changed"
    saved()
    assert list(made.parts)[-1] == 401
