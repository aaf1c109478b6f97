"""The user's program: how it is found and run, and which part of a traceback is its own."""

from __future__ import annotations

import os
import runpy
import sys
import traceback

import pulumi

from airgap.quickly import importing


class Program:
    """`__main__.py` of a folder, or the file that the project names as its `main`."""

    def __init__(self, directory: str, entry_point: str) -> None:
        self.directory = os.path.abspath(directory or ".")
        self.path = os.path.normpath(os.path.join(self.directory, entry_point or "."))

    def run(self) -> None:
        """Runs it as `python <path>` would; pulumi.RunError when there is none."""
        folder = self.path if os.path.isdir(self.path) else os.path.dirname(self.path)
        main = os.path.join(self.path, "__main__.py") if os.path.isdir(self.path) else self.path
        if not os.path.isfile(main):
            raise pulumi.RunError(f"there is no program: {main} does not exist")
        self._forget_modules()
        if folder not in sys.path:
            sys.path.insert(0, folder)
        with importing():  # above all the SDKs, which are large
            runpy.run_path(main, run_name="__main__")

    def _forget_modules(self) -> None:
        """A second run in one process starts anew: modules of the program itself must not remember the first one."""
        environment = os.path.abspath(sys.prefix) + os.sep
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            own = file.startswith(self.directory + os.sep) and not file.startswith(environment)
            if own and name != "__main__" and name.partition(".")[0] != "airgap":
                del sys.modules[name]


def user_traceback(error: BaseException, directory: str) -> str:
    """The traceback from the program's first frame on; all of it when the program has no part in it."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [index for index, frame in enumerate(frames) if frame.filename.startswith(directory + os.sep)]
    shown = frames[inside[0] :] if inside else frames
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(shown)]
    return "".join([*lines, *traceback.format_exception_only(error)]).rstrip()
