"""The provider's version, as Pulumi records it in the state."""

VERSION = "0.1.0"
