"""Which resources the stand-in has; each module is imported when the first of its kind is used."""

from __future__ import annotations

from airgap.base.provider import ProviderSpec

SPEC = ProviderSpec(
    "random",
    "4.21.4",
    {
        "random:index/randomId:RandomId": "airgap.random.id:RandomId",
        "random:index/randomInteger:RandomInteger": "airgap.random.integer:RandomInteger",
        "random:index/randomPassword:RandomPassword": "airgap.random.text:RandomPassword",
        "random:index/randomString:RandomString": "airgap.random.text:RandomString",
    },
)
