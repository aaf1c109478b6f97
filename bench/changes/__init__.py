"""What changes of a running stack cost those who write to it."""
