"""RandomId and RandomInteger."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.provider.airgap.harness import Failed, Live, Plugin, Refused

ID = "random:index/randomId:RandomId"
INTEGER = "random:index/randomInteger:RandomInteger"


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    running = Plugin("random")
    yield running
    running.stop()


@pytest.fixture
def random_id(plugin: Plugin) -> Live:
    return Live(plugin, ID, "salt")


@pytest.fixture
def integer(plugin: Plugin) -> Live:
    return Live(plugin, INTEGER, "port")


def test_an_id_has_four_notations(random_id: Live) -> None:
    assert random_id.up({"byteLength": 16, "prefix": "x-"}) == "create"
    state = random_id.state
    value = bytes.fromhex(state["hex"].removeprefix("x-"))
    assert len(value) == 16
    assert base64.b64decode(state["b64Std"].removeprefix("x-")) == value
    assert state["b64Url"] == "x-" + base64.urlsafe_b64encode(value).decode().rstrip("=")
    assert state["dec"] == f"x-{int.from_bytes(value, 'big')}"
    assert state["b64Url"] == f"x-{random_id.id}"


def test_an_id_stays_until_an_input_changes(random_id: Live) -> None:
    inputs = {"byteLength": 4, "keepers": {"a": "1"}}
    random_id.up(inputs)
    assert random_id.up(inputs) == "same"
    assert random_id.refresh() == "same"
    for change in ({"byteLength": 5}, {"prefix": "p"}, {"keepers": {"a": "2"}}):
        assert random_id.diff({**inputs, **change}).replaces == list(change)
        assert random_id.up({**inputs, **change}) == "replace"
        random_id.up(inputs)


@pytest.mark.parametrize(("imported", "prefix"), [("p-9hUg", None), ("my,prefix-,p-9hUg", "my,prefix-")])
def test_an_id_is_imported_by_its_bytes(random_id: Live, imported: str, prefix: str | None) -> None:
    assert random_id.adopt(imported)
    assert random_id.id == "p-9hUg"
    assert random_id.state["hex"] == (prefix or "") + "a7ef6152"
    assert random_id.state.get("prefix") == prefix
    assert random_id.up({"byteLength": 4, **({"prefix": prefix} if prefix else {})}) == "same"


def test_an_id_that_is_not_base64_is_not_imported(random_id: Live) -> None:
    with pytest.raises(Failed, match="the id to import is not URL-safe base64\nHINT: import by"):
        random_id.adopt("not base64!")


def test_an_id_has_bytes(random_id: Live) -> None:
    with pytest.raises(Refused) as caught:
        random_id.check({"byteLength": 0})
    assert caught.value.failures == {"byteLength": "must be at least 1"}


def test_an_integer_is_in_its_range(integer: Live) -> None:
    seen = set()
    for _ in range(60):
        integer.up({"min": -1, "max": 1})
        assert integer.id == str(integer.state["result"])
        seen.add(integer.state["result"])
        integer.destroy()
    assert seen == {-1, 0, 1}


def test_an_integer_stays_until_an_input_changes(integer: Live) -> None:
    integer.up({"min": 1, "max": 10**9})
    assert integer.up({"min": 1, "max": 10**9}) == "same"
    assert integer.diff({"min": 0, "max": 10**9}).replaces == ["min"]
    assert integer.up({"min": 1, "max": 10**8}) == "replace"


@pytest.mark.parametrize(
    ("inputs", "failures"),
    [
        ({"min": 2, "max": 1}, {"min": "must not be greater than max (2 > 1)"}),
        (
            {"min": 1, "max": 2, "seed": "s"},
            {
                "seed": "is not supported by the air-gapped random provider: leave it out; the number stays until the "
                "resource is replaced"
            },
        ),
    ],
)
def test_an_impossible_range_is_refused(integer: Live, inputs: dict[str, Any], failures: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        integer.check(inputs)
    assert caught.value.failures == failures


def test_an_integer_is_imported_with_its_range(integer: Live) -> None:
    assert integer.adopt("15390,10000,19999")
    assert (integer.id, integer.state["result"]) == ("15390", 15390)
    assert integer.up({"min": 10000, "max": 19999}) == "same"
    with pytest.raises(Failed, match="the id to import is not result,min,max"):
        integer.adopt("15390")
