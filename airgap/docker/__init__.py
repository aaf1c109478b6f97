"""Stand-in for Pulumi's docker provider 5.2.0 on docker-py: Container, Image, Network, Volume."""
