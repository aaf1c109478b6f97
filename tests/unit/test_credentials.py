"""The provisioner's verifier is the one that PostgreSQL would have made."""

from __future__ import annotations

import base64

from infra.credentials import scram_verifier


def test_verifier_is_that_of_rfc_7677() -> None:
    """The RFC's example: user "user", password "pencil"; its proof and signature follow from these two keys."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    assert scram_verifier("pencil", salt) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_another_salt_is_another_verifier() -> None:
    assert scram_verifier("pencil", b"a" * 16) != scram_verifier("pencil", b"b" * 16)
