"""Hashes as the application would store them: a few real ones, used again, since bcrypt is slow on purpose."""

from __future__ import annotations

import hashlib
import random

import bcrypt

# The lowest that bcrypt has: these people exist in throw-away stacks only, and nobody waits for their passwords.
COST = 4
POOL = 16
_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def passwords(source: random.Random) -> list[str]:
    """bcrypt hashes of "seed-password-0" and so on; the salts are drawn, so that the same number gives the same."""
    return [bcrypt.hashpw(f"seed-password-{n}".encode(), _salt(source)).decode() for n in range(POOL)]


def key(source: random.Random) -> str:
    """Hash of an API key of 128 random bits."""
    return f"sha256:{hashlib.sha256(source.randbytes(16)).hexdigest()}"


def _salt(source: random.Random) -> bytes:
    # 22 characters hold 132 bits and a salt has 128: of the last character only four forms are ever written.
    text = "".join(source.choices(_ALPHABET, k=21)) + source.choice(".Oeu")
    return f"$2b${COST:02}${text}".encode()
