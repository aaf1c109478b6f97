"""The project's own Pulumi provider `pipe`: migrations, Patroni's configuration and membership, pgBackRest's stanza.

Infrastructure code imports :mod:`provider.sdk` only; everything else runs in the provider's own process.
"""
