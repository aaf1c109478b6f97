"""An image's tag stands for what it is made from, and for nothing else."""

from __future__ import annotations

import pytest

from infra.images import TARGETS, Target, digest_of, image_name, read_context, stages_of

DOCKERFILE = b"""\
# What there is.
FROM debian AS base
RUN true

FROM base AS proxy
COPY gate.lua /usr/share/

FROM base AS member
COPY member restore_wal /usr/local/bin/

# What restores.
FROM member AS scheduler
COPY drill /usr/local/lib/drill
"""
CONTEXT = {
    "Dockerfile": (False, DOCKERFILE),
    "gate.lua": (False, b"--"),
    "member": (True, b"#!/bin/sh"),
    "restore_wal": (True, b"#!/bin/bash"),
    "drill/__main__.py": (False, b""),
}


def test_the_same_context_is_the_same_tag() -> None:
    assert digest_of("member", CONTEXT) == digest_of("member", dict(reversed(CONTEXT.items())))


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("gate.lua", (False, b"-- other"), {"proxy"}),
        ("member", (True, b"#!/bin/dash"), {"member", "scheduler"}),
        ("member", (False, b"#!/bin/sh"), {"member", "scheduler"}),
        ("restore_wal", (True, b""), {"member", "scheduler"}),
        ("drill/__main__.py", (False, b"pass"), {"scheduler"}),
        ("drill/more.py", (False, b""), {"scheduler"}),
        ("beside.txt", (False, b""), set()),
        ("Dockerfile", (False, DOCKERFILE.replace(b"RUN true", b"RUN false")), {"proxy", "member", "scheduler"}),
        ("Dockerfile", (False, DOCKERFILE.replace(b"/usr/share/", b"/usr/lib/")), {"proxy"}),
        ("Dockerfile", (False, DOCKERFILE.replace(b"What there is", b"All")), set()),
        ("Dockerfile", (False, DOCKERFILE.replace(b"What restores", b"Restores")), set()),
    ],
)
def test_a_change_is_another_tag_of_what_is_made_from_it(
    file: str, content: tuple[bool, bytes], expected: set[Target]
) -> None:
    after = CONTEXT | {file: content}
    targets: tuple[Target, ...] = ("proxy", "member", "scheduler")
    assert {t for t in targets if digest_of(t, after) != digest_of(t, CONTEXT)} == expected


def test_the_name_tells_the_program() -> None:
    assert image_name("member", CONTEXT).startswith("pipe-member:")


@pytest.mark.parametrize("target", TARGETS)
def test_every_image_has_its_stages_down_to_debian(target: Target) -> None:
    stages = stages_of(read_context()["Dockerfile"][1].decode(), target)
    assert stages.startswith("FROM debian:")
    assert f" AS {target}\n" in stages


def test_every_file_of_the_context_is_part_of_some_image() -> None:
    context = read_context()
    for file in context.keys() - {"Dockerfile", ".dockerignore"}:
        after = context | {file: (False, b"changed")}
        assert any(digest_of(target, after) != digest_of(target, context) for target in TARGETS), file
