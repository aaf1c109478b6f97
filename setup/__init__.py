"""The installer: brings a machine that has Python, Go, make and a package manager to where `pulumi up` runs.

Only the standard library is used, because this code makes the environment in which anything else could be imported.
Every step first looks whether its result is there, and puts a result in its place with one rename: at whatever moment
a run is interrupted, the next one finds a step either done or not begun.
"""
