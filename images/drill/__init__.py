"""The drill: restores the newest backup and its WAL into a throw-away instance, and looks at what came back.

Runs in the scheduler's container, which has the keys to the repository. Nothing outlives a drill but its record.
"""
