"""Resources of Patroni's REST API: membership, readiness, dynamic configuration."""
