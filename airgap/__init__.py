"""Stand-ins for what Pulumi would download: language host, providers, and the build of its command line.

Nothing in the program knows of this package; with Pulumi's own tools the same program runs unchanged.
"""
