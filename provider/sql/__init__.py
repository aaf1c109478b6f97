"""Resources inside PostgreSQL: migrations, repeatable texts, and the wait for an endpoint."""
