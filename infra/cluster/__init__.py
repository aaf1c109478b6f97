"""The replicated database: etcd (consensus), PostgreSQL under Patroni (members) and HAProxy (the endpoints)."""
