"""How long a stack takes, beside a plain shell script that brings up the same containers."""
