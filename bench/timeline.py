"""The engine's events as a timeline: when each resource began and ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.measure import Event, Run

MEMBER = "pipe:patroni:Member"


@dataclass(frozen=True)
class Span:
    """The time of one resource, in seconds since the command began."""

    type: str
    name: str
    op: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


def spans(events: Sequence[Event]) -> list[Span]:
    """Every operation that changed something, in the order of their ends."""
    began: dict[tuple[str, str], float] = {}
    found: list[Span] = []
    for event in events:
        for key in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
            metadata = event.body.get(key, {}).get("metadata")
            if metadata is None or metadata["op"] in ("same", "refresh"):
                continue
            which = (metadata["urn"], metadata["op"])
            if key == "resourcePreEvent":
                began[which] = event.at
            elif which in began:
                type_ = metadata["type"]
                name = metadata["urn"].rsplit("::", 1)[-1]
                found.append(Span(type_, name, metadata["op"], began.pop(which), event.at))
    return found


def replica_at(found: Sequence[Span]) -> float | None:
    """When the last database member was streaming (or leading), or None where there was none."""
    return max((span.ended for span in found if span.type == MEMBER and "create" in span.op), default=None)


def phases(run: Run) -> str:
    """Where the time goes that no resource takes: before the first one, between them, and after the last."""
    starts = [event.at for event in run.events if "resourcePreEvent" in event.body]
    ends = [event.at for event in run.events if "resOutputsEvent" in event.body]
    if not starts or not ends:
        return f"{run.seconds:8.2f} in all, no resource"
    return (
        f"{starts[0]:8.2f} until the first resource, {max(ends) - starts[0]:.2f} from the first to the last, "
        f"{run.seconds - max(ends):.2f} after it; {len(starts)} resources, {run.processes} processes at the peak"
    )


def profile(run: Run, slowest: int = 25, width: int = 40) -> str:
    """The slowest resources with a bar each on a common time axis. Components span their children: left out."""
    own = [span for span in spans(run.events) if not _component(span)]
    end = max((span.ended for span in own), default=0.0)
    lines = [phases(run), f"{'seconds':>8} {'from':>6} {'to':>6}  {'timeline':<{width}}  resource"]
    for span in sorted(sorted(own, key=lambda s: -s.seconds)[:slowest], key=lambda s: s.began):
        first = int(span.began / end * width) if end else 0
        length = max(1, round(span.seconds / end * width)) if end else 1
        bar = (" " * first + "█" * length)[:width]
        resource = f"{span.type} {span.name}" + ("" if span.op == "create" else f" ({span.op})")
        lines.append(f"{span.seconds:8.2f} {span.began:6.2f} {span.ended:6.2f}  {bar:<{width}}  {resource}")
    return "\n".join(lines)


def _component(span: Span) -> bool:
    """A component of our own program: pipe:<stage>:<Name>, where the provider's types are pipe:sql, :patroni, ..."""
    package, module, _ = [*span.type.split(":"), "", ""][:3]
    return package == "pulumi" or (package == "pipe" and module not in ("sql", "patroni", "pgbackrest"))
