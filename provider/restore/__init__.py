"""Restoring from another cluster's repository, read-only towards it: what is kept, a throw-away place, a take-over."""
