"""Resources about etcd."""
