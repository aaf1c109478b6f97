"""What a resource's state remembers of where it was declared: the program's own lines.

The SDK records every frame, and the engine writes all of them with each checkpoint. Here the program runs inside the
host, so most would be the host's, with paths of this machine: a third of the whole state.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_HOST = Path(__file__).resolve().parents[1]


class OwnFrames:
    """Stands before a call to the engine's monitor whose request has a stack trace."""

    def __init__(self, call: Callable[..., Any], directory: str) -> None:
        self._call = call
        self._inside = _prefix(Path(directory))
        self._outside = tuple(_prefix(folder) for folder in (Path(sys.prefix), _HOST))

    def __call__(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """As the call itself."""
        own = [frame for frame in request.stackTrace.frames if self._is_own(frame.pc.uri)]
        del request.stackTrace.frames[:]
        request.stackTrace.frames.extend(own)
        return self._call(request, *arguments, **options)

    def _is_own(self, uri: str) -> bool:
        return uri.startswith(self._inside) and not uri.startswith(self._outside)


def trim(monitor: Any, directory: str) -> None:
    """Have a monitor's client send the frames of the program in `directory` only."""
    monitor.RegisterResource = OwnFrames(monitor.RegisterResource, directory)
    monitor.ReadResource = OwnFrames(monitor.ReadResource, directory)


def _prefix(folder: Path) -> str:
    return folder.absolute().as_uri() + "/"
