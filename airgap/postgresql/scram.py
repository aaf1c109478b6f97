"""Passwords as PostgreSQL keeps them: is this one the one behind the stored verifier? Pure, RFC 5802 and RFC 4013."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stringprep
import unicodedata

_SCRAM = re.compile(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)\Z")
_MD5 = re.compile(r"md5[0-9a-f]{32}\Z")

_FORBIDDEN = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def is_verifier(text: str) -> bool:
    """Whether the text is no password but what the server stores in its place; the server then takes it as it is."""
    return bool(_SCRAM.match(text) or _MD5.match(text))


def belongs(password: str, verifier: str, role: str) -> bool:
    """Whether `verifier`, as stored for `role`, was made from `password` (or is the very same verifier)."""
    if is_verifier(password):
        return hmac.compare_digest(password.encode(), verifier.encode())
    if _MD5.match(verifier):
        digest = hashlib.md5((password + role).encode(), usedforsecurity=False).hexdigest()
        return hmac.compare_digest(f"md5{digest}", verifier)
    parts = _SCRAM.match(verifier)
    if parts is None:
        return False
    iterations, salt, stored, _ = parts.groups()
    try:
        raw_salt = base64.b64decode(salt, validate=True)
    except binascii.Error:
        return False
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password), raw_salt, int(iterations))
    client = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(base64.b64encode(hashlib.sha256(client).digest()).decode(), stored)


def _prepared(password: str) -> bytes:
    """The password's bytes after SASLprep; as they are where that forbids a character, as the server does."""
    if password.isascii():
        return password.encode()
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    forbidden = any(table(char) for char in normal for table in _FORBIDDEN)
    rightward = [stringprep.in_table_d1(char) for char in normal]
    mixed = any(rightward) and (any(map(stringprep.in_table_d2, normal)) or not (rightward[0] and rightward[-1]))
    return (password if not normal or forbidden or mixed else normal).encode()
