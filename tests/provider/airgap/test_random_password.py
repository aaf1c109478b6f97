"""RandomPassword and RandomString: what is drawn, what is secret, what replaces, what an import takes over."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any

import bcrypt
import pytest

from tests.provider.airgap.harness import UNKNOWN, Live, Plugin, Refused, Secret, bare

PASSWORD = "random:index/randomPassword:RandomPassword"
STRING = "random:index/randomString:RandomString"


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    running = Plugin("random")
    yield running
    running.stop()


@pytest.fixture
def password(plugin: Plugin) -> Live:
    return Live(plugin, PASSWORD, "app")


def test_a_password_is_secret_and_its_id_says_nothing(password: Live) -> None:
    assert password.up({"length": 32, "special": False}) == "create"
    assert password.id == "none"
    result = password.state["result"]
    assert isinstance(result, Secret)
    assert len(result.value) == 32
    assert set(result.value) <= set(string.ascii_letters + string.digits)
    assert isinstance(password.state["bcryptHash"], Secret)
    hashed = password.state["bcryptHash"].value
    assert hashed.startswith("$2a$10$")
    assert bcrypt.checkpw(result.value.encode(), hashed.encode())


def test_the_state_holds_what_the_official_provider_fills_in(password: Live) -> None:
    password.up({"length": 8})
    assert {name: value for name, value in password.state.items() if not isinstance(value, Secret)} == {
        "length": 8,
        "special": True,
        "upper": True,
        "lower": True,
        "number": True,
        "numeric": True,
        "minLower": 0,
        "minUpper": 0,
        "minNumeric": 0,
        "minSpecial": 0,
        "__meta": '{"schema_version": "3"}',
    }


def test_two_passwords_differ(plugin: Plugin) -> None:
    first, second = Live(plugin, PASSWORD, "a"), Live(plugin, PASSWORD, "b")
    first.up({"length": 24})
    second.up({"length": 24})
    assert first.state["result"] != second.state["result"]


def test_a_preview_does_not_know_the_password(password: Live) -> None:
    assert bare(password.preview({"length": 8})["result"]) == UNKNOWN


def test_the_same_inputs_change_nothing(password: Live) -> None:
    password.up({"length": 16, "keepers": {"month": "5"}})
    assert password.up({"length": 16, "keepers": {"month": "5"}}) == "same"
    assert password.up({"length": 16, "keepers": {"month": "5", "none": None}}) == "same"
    assert password.up({"length": 16, "keepers": {"month": "5"}, "numeric": True}) == "same"
    assert password.up({"length": 16, "keepers": {"month": "5"}, "overrideSpecial": ""}) == "same"
    assert password.refresh() == "same"


CHANGES = {
    "length": {"length": 17},
    "a kind off": {"special": False},
    "a least number": {"minUpper": 2},
    "numeric by its old name": {"number": False},
    "special characters": {"overrideSpecial": "-_"},
    "a keeper's value": {"keepers": {"month": "6"}},
    "a keeper more": {"keepers": {"month": "5", "year": "26"}},
    "no keepers": {"keepers": None},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_every_change_makes_a_new_password(password: Live, change: dict[str, Any]) -> None:
    inputs = {"length": 16, "keepers": {"month": "5"}}
    password.up(inputs)
    before = password.state["result"]
    diff = password.diff({**inputs, **change})
    assert diff.replaces
    assert not diff.delete_before_replace
    assert all(kind.endswith("_REPLACE") for kind in diff.changes.values())
    assert password.up({**inputs, **change}) == "replace"
    assert password.state["result"] != before


def test_least_numbers_hold(password: Live) -> None:
    least = {"minUpper": 3, "minLower": 2, "minNumeric": 4, "minSpecial": 1}
    for _ in range(20):
        password.up({"length": 10, "overrideSpecial": "~", **least})
        text = bare(password.state["result"])
        assert sorted(map(_kind, text)) == sorted("UUULLNNNNS".replace("L", "l")), text
        password.destroy()


def _kind(character: str) -> str:
    if character.isdigit():
        return "N"
    return ("U" if character.isupper() else "l") if character.isalpha() else "S"


def test_the_order_of_the_kinds_is_random(password: Live) -> None:
    seen = set()
    for _ in range(20):
        password.up({"length": 4, "minUpper": 2, "minLower": 2})
        seen.add("".join(map(_kind, bare(password.state["result"]))))
        password.destroy()
    assert len(seen) > 1


@pytest.mark.parametrize(
    ("inputs", "failures"),
    [
        ({}, {"length": "is required, but no value was given"}),
        ({"length": 0}, {"length": "must be at least 1"}),
        (
            {"length": 3, "minUpper": 2, "minLower": 2},
            {"length": "must be at least 4, the sum of minUpper, minLower, minNumeric and minSpecial"},
        ),
        (
            {"length": 3, "special": False, "upper": False, "lower": False, "numeric": False},
            {"special": "at least one of special, upper, lower and numeric must be true"},
        ),
        (
            {"length": 3, "number": True, "numeric": False},
            {"number": "is the old name of numeric and must not differ from it; use numeric alone"},
        ),
        ({"length": 3, "lenght": 3}, {"lenght": "is not a property of this resource; did you mean 'length'?"}),
    ],
)
def test_what_can_not_be_is_refused(password: Live, inputs: dict[str, Any], failures: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        password.check(inputs)
    assert caught.value.failures == failures


def test_an_unknown_length_waits_for_the_update(password: Live) -> None:
    assert bare(password.preview({"length": UNKNOWN, "minUpper": 4})["length"]) == UNKNOWN


def test_an_import_takes_the_password_itself(password: Live) -> None:
    assert password.adopt("correct horse")
    assert password.id == "none"
    assert password.state["result"] == Secret("correct horse")
    assert bcrypt.checkpw(b"correct horse", bare(password.state["bcryptHash"]).encode())
    assert password.up({"length": 13}) == "same"


def test_a_long_password_has_a_hash_too(password: Live) -> None:
    password.up({"length": 100})
    assert bcrypt.checkpw(bare(password.state["result"])[:72].encode(), bare(password.state["bcryptHash"]).encode())


def test_a_string_is_its_own_id_and_no_secret(plugin: Plugin) -> None:
    text = Live(plugin, STRING, "suffix")
    assert text.up({"length": 6, "upper": False, "special": False}) == "create"
    assert text.state["result"] == text.id
    assert text.id is not None
    assert set(text.id) <= set(string.ascii_lowercase + string.digits)
    assert text.up({"length": 6, "upper": False, "special": False}) == "same"
    assert text.up({"length": 7, "upper": False, "special": False}) == "replace"
    text.destroy()
    assert text.adopt("abc")
    assert (text.id, text.state["length"]) == ("abc", 3)
    assert text.up({"length": 3}) == "same"
