"""SelfSignedCert: a certificate signed by its own key, such as that of an authority."""

from __future__ import annotations

from typing import Any, ClassVar

from airgap.base import Context, Created, Failure, Properties
from airgap.base.values import has_unknown
from airgap.tls import keys, names
from airgap.tls.certificate import Certificate, Holder, Issuer, issue


class SelfSignedCert(Certificate):
    """A certificate whose issuer is its subject."""

    defaults: ClassVar[dict[str, Any]] = {**Certificate.defaults, "setAuthorityKeyId": False}
    pem_inputs = frozenset({"privateKeyPem"})

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        """Adds the rules for names and for key identifiers."""
        failures = [*super().check(context, inputs, old_inputs), *names.wrong_names(inputs)]
        authority, given = inputs["isCaCertificate"], inputs.get("subject")
        if has_unknown([authority, given, inputs["setAuthorityKeyId"], inputs["setSubjectKeyId"]]):
            return failures
        if authority and not any((given or {}).values()):
            failures.append(Failure("subject", "must have at least one name when isCaCertificate is true"))
        if inputs["setAuthorityKeyId"] and not (authority or inputs["setSubjectKeyId"]):
            failures.append(Failure("setAuthorityKeyId", "needs setSubjectKeyId or isCaCertificate"))
        return failures

    def create(self, context: Context, inputs: Properties) -> Created:
        """Signs the certificate."""
        key = keys.parse(inputs["privateKeyPem"], "privateKeyPem")
        public = key.public_key()
        holder = Holder(names.subject(inputs.get("subject")), names.alternative_names(inputs), public)
        key_id = keys.key_id(public) if inputs["setAuthorityKeyId"] else None
        created = issue(inputs, holder, Issuer(holder.subject, key, key_id))
        return Created(created.id, {**created.state, "keyAlgorithm": keys.algorithm_of(key)})
