"""Where everything that set-up makes lies: all of it inside the checkout, all of it ignored by git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The places below one checkout. `root` is absolute."""

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def tools(self) -> Path:
        return self.root / ".tools"

    @property
    def uv(self) -> Path:
        return self.tools / "uv" / "uv"

    @property
    def pulumi_dir(self) -> Path:
        """The command line and its language host, side by side as Pulumi expects them."""
        return self.tools / "pulumi"

    @property
    def pulumi_home(self) -> Path:
        return self.tools / "home"

    @property
    def automatic_logs(self) -> Path:
        """Where Pulumi would keep a log of each of its commands."""
        return self.pulumi_home / "logs"

    @property
    def state(self) -> Path:
        """The directory of the local file backend."""
        return self.tools / "state"

    @property
    def passphrase(self) -> Path:
        return self.tools / "passphrase"

    @property
    def toolchain(self) -> Path:
        """The recorded choice between the official programs and the stand-ins."""
        return self.tools / "toolchain"

    @property
    def stamps(self) -> Path:
        return self.tools / "stamps"

    @property
    def logs(self) -> Path:
        return self.tools / "log"

    @property
    def lock(self) -> Path:
        return self.tools / "setup.lock"


def checkout() -> Paths:
    """The checkout that this file belongs to."""
    return Paths(Path(__file__).resolve().parent.parent)
