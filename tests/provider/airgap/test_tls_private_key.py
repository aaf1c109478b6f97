"""PrivateKey: notations, secrecy, replacement."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from tests.provider.airgap.harness import UNKNOWN, Failed, Live, Plugin, Refused, Secret, bare
from tests.provider.airgap.tls_samples import KEY, openssl

KINDS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "RSA": ({"algorithm": "RSA"}, "RSA PRIVATE KEY", "ssh-rsa"),
    "RSA 3072": ({"algorithm": "RSA", "rsaBits": 3072}, "RSA PRIVATE KEY", "ssh-rsa"),
    "P224": ({"algorithm": "ECDSA"}, "EC PRIVATE KEY", None),
    "P256": ({"algorithm": "ECDSA", "ecdsaCurve": "P256"}, "EC PRIVATE KEY", "ecdsa-sha2-nistp256"),
    "P384": ({"algorithm": "ECDSA", "ecdsaCurve": "P384"}, "EC PRIVATE KEY", "ecdsa-sha2-nistp384"),
    "P521": ({"algorithm": "ECDSA", "ecdsaCurve": "P521"}, "EC PRIVATE KEY", "ecdsa-sha2-nistp521"),
    "ED25519": ({"algorithm": "ED25519"}, "PRIVATE KEY", "ssh-ed25519"),
}


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    running = Plugin("tls")
    yield running
    running.stop()


@pytest.fixture
def key(plugin: Plugin) -> Live:
    return Live(plugin, KEY, "key")


@pytest.mark.parametrize(("inputs", "label", "ssh"), KINDS.values(), ids=list(KINDS))
def test_a_key_has_the_usual_notations(key: Live, inputs: dict[str, Any], label: str, ssh: str | None) -> None:
    assert key.up(inputs) == "create"
    state = bare(key.state)
    assert state["privateKeyPem"].startswith(f"-----BEGIN {label}-----\n")
    assert state["privateKeyPem"].endswith(f"-----END {label}-----\n")
    assert state["privateKeyPemPkcs8"].startswith("-----BEGIN PRIVATE KEY-----\n")
    public = openssl("pkey", "-pubout", given=state["privateKeyPem"])
    assert public == openssl("pkey", "-pubout", given=state["privateKeyPemPkcs8"]) == state["publicKeyPem"]
    assert all(len(line) <= 64 for text in state.values() if isinstance(text, str) for line in text.splitlines()[:-1])
    if ssh is None:
        assert not state["privateKeyOpenssh"]
        assert not state["publicKeyOpenssh"]
        assert not state["publicKeyFingerprintMd5"]
    else:
        assert state["publicKeyOpenssh"].startswith(f"{ssh} ")
        assert state["publicKeyOpenssh"].endswith("\n")


@pytest.mark.parametrize("kind", ["RSA", "P256", "ED25519"])
def test_openssh_agrees(key: Live, kind: str, tmp_path: Path) -> None:
    key.up(KINDS[kind][0])
    state = bare(key.state)
    loaded = serialization.load_ssh_private_key(state["privateKeyOpenssh"].encode(), None)
    shown = loaded.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert shown.decode() + "\n" == state["publicKeyOpenssh"]
    (tmp_path / "key.pub").write_text(state["publicKeyOpenssh"])
    for algorithm, name, prefix in (("md5", "Md5", "MD5:"), ("sha256", "Sha256", "")):
        command = ["ssh-keygen", "-l", "-E", algorithm, "-f", str(tmp_path / "key.pub")]
        try:
            printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        except FileNotFoundError:
            pytest.skip("ssh-keygen is not installed")
        assert printed.split()[1] == prefix + state[f"publicKeyFingerprint{name}"]


def test_the_id_is_the_hash_of_the_public_key(key: Live) -> None:
    key.up({"algorithm": "ED25519"})
    public = serialization.load_pem_public_key(bare(key.state)["publicKeyPem"].encode())
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert key.id == hashlib.sha1(der.strip()).hexdigest()


def test_private_notations_are_secret_and_public_ones_are_not(key: Live) -> None:
    key.up({"algorithm": "ED25519"})
    secret = {name for name, value in key.state.items() if isinstance(value, Secret)}
    assert secret == {"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"}
    assert (key.state["rsaBits"], key.state["ecdsaCurve"]) == (2048, "P224")


def test_a_preview_does_not_know_the_key(key: Live) -> None:
    assert key.preview({"algorithm": "ED25519"})["privateKeyPem"] == Secret(UNKNOWN)


@pytest.mark.parametrize(
    "change", [{"algorithm": "RSA"}, {"ecdsaCurve": "P384"}, {"rsaBits": 4096}], ids=lambda change: next(iter(change))
)
def test_every_change_makes_a_new_key(key: Live, change: dict[str, Any]) -> None:
    inputs = {"algorithm": "ECDSA", "ecdsaCurve": "P256"}
    key.up(inputs)
    assert key.up(inputs) == "same"
    assert key.refresh() == "same"
    assert key.diff({**inputs, **change}).replaces == list(change)
    before = key.id
    assert key.up({**inputs, **change}) == "replace"
    assert key.id != before


@pytest.mark.parametrize(
    ("inputs", "failures"),
    [
        ({"algorithm": "DSA"}, {"algorithm": "must be one of RSA, ECDSA, ED25519"}),
        ({"algorithm": "ECDSA", "ecdsaCurve": "p256"}, {"ecdsaCurve": "must be one of P224, P256, P384, P521"}),
        ({"algorithm": "RSA", "rsaBits": 512}, {"rsaBits": "must be at least 1024"}),
    ],
)
def test_what_can_not_be_is_refused(key: Live, inputs: dict[str, Any], failures: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        key.check(inputs)
    assert caught.value.failures == failures


def test_a_key_can_not_be_imported(key: Live) -> None:
    with pytest.raises(Failed, match="a PrivateKey can't be imported\nHINT: its value is only in the state"):
        key.adopt("something")


def test_deleting_a_key_needs_nothing(key: Live) -> None:
    key.up({"algorithm": "ED25519"})
    key.destroy()
    assert key.id is None
