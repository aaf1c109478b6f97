"""Stand-in for Pulumi's provider `tls`: private keys, certificate requests, certificates."""
