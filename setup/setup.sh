#!/bin/sh
# Entry of the installer: finds a Python that is new enough and hands over. Everything else is in setup/*.py, which uses
# nothing but the standard library, because the locked environment does not exist yet.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
for python in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$python" >/dev/null 2>&1 && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        cd "$root"
        exec "$python" -m setup "$@"
    fi
done
echo "setup: Python 3.11 or newer is needed and none is on PATH: install python3 (on Debian and Ubuntu: apt-get install python3 python3-pip)." >&2
exit 1
