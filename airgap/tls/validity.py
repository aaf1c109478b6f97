"""When a certificate is valid, and when it is time for the next one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from airgap.base import Properties


@dataclass(frozen=True)
class Moment:
    """A point in time to the nanosecond, which Go writes and Python's datetime can't hold."""

    second: datetime
    nanoseconds: int

    @classmethod
    def now(cls) -> Moment:
        """The present, in the machine's time zone."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        return cls(datetime.fromtimestamp(seconds).astimezone(), nanoseconds)

    def after(self, hours: int) -> Moment:
        """The moment so many hours later."""
        return Moment(self.second + timedelta(hours=hours), self.nanoseconds)

    def __str__(self) -> str:
        """RFC 3339, without the fraction's trailing zeros, with Z for UTC."""
        fraction = f".{self.nanoseconds:09d}".rstrip("0").rstrip(".")
        offset = self.second.strftime("%z")
        zone = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
        return f"{self.second:%Y-%m-%dT%H:%M:%S}{fraction}{zone}"


def is_due(state: Properties, early_renewal_hours: int) -> bool:
    """Whether the certificate in `state` has expired, or will within the hours given."""
    end = state.get("validityEndTime")
    if not isinstance(end, str):
        return False
    return datetime.fromisoformat(end) - timedelta(hours=early_renewal_hours) <= datetime.now().astimezone()


def is_due_at_once(inputs: Properties) -> bool:
    """Whether a new certificate is due from the start."""
    return bool(inputs["earlyRenewalHours"] >= inputs["validityPeriodHours"])
