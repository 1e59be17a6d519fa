import time

import pytest

from local_aws.dynamodb.statements import parse


def test_the_spaces_of_a_statement_do_not_matter() -> None:
    found = parse('  update "t"\n SET a = ?  SET b=?\n\n WHERE  k = ? and r = ? ')
    assert (found.table, found.names, found.keys) == ("t", ("a", "b"), ("k", "r"))


def test_a_statement_of_spaces_is_refused_in_no_time() -> None:
    began = time.monotonic()
    with pytest.raises(NotImplementedError):
        parse("UPDATE t SET" + " " * 8_000)
    assert time.monotonic() - began < 10
