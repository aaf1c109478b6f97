"""An image's tag stands for what it is built from."""

from __future__ import annotations

import pytest

from infra.images import context_digest, image_name

CONTEXT = {"Dockerfile": (False, b"FROM x"), "member": (True, b"#!/bin/sh")}


def test_the_same_context_is_the_same_tag() -> None:
    assert context_digest(CONTEXT) == context_digest(dict(reversed(CONTEXT.items())))


@pytest.mark.parametrize(
    "changed",
    [
        {**CONTEXT, "Dockerfile": (False, b"FROM y")},
        {**CONTEXT, "member": (False, b"#!/bin/sh")},
        {**CONTEXT, "more": (False, b"")},
        {"Dockerfile": (False, b"FROM x")},
        {"Dockerfile": (False, b"FROM x"), "membe": (True, b"r#!/bin/sh")},
    ],
)
def test_any_change_is_another_tag(changed: dict[str, tuple[bool, bytes]]) -> None:
    assert context_digest(changed) != context_digest(CONTEXT)


def test_the_name_tells_the_program() -> None:
    assert image_name("member", "0123456789ab") == "pipe-member:0123456789ab"
