"""A replica that is being copied, from a backup or from its primary, has as long as the copy grows."""

from __future__ import annotations

from dataclasses import dataclass, field

from provider import engine
from provider.config import Config
from provider.errors import PipeError
from provider.restore.place import HOME

STATE = "creating replica"


@dataclass
class Copy:
    """What lies in a container, from one look to the next."""

    config: Config
    container: str
    _size: str = field(default="", init=False)

    def has_grown(self) -> bool:
        """Say whether there is another amount than at the last look, or at the first one anything."""
        before, self._size = self._size, self._measured()
        return self._size != before

    def _measured(self) -> str:
        """Return how much there is, as text; the same as before where the engine cannot tell."""
        try:
            with engine.api(self.config) as api:
                # Files come and go meanwhile: what it complains of does not matter.
                done = engine.execute(api, self.container, ["du", "-sk", HOME])
        except PipeError:
            return self._size
        return done.stdout.partition("\t")[0] or self._size
