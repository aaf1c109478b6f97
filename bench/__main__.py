"""Measures a stack's whole life beside the floor: python -m bench [--rounds N] [--profile] [--only floor|stack].

Prints a table and writes bench/results/<time>.json. Needs what `make setup` makes. Everything it makes, it removes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import materials, measure, report, results, timeline
from bench.scratch import ROOT, BenchError, Scratch, free_ports, make
from cli.errors import UserError
from infra.images import Target, build_missing, image_name, read_context

FLOOR_TIMEOUT_SECONDS = 300
SWEEP_TIMEOUT_SECONDS = 120
UP = ("up", "--yes", "--skip-preview")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the rounds; returns the exit status: 1 when something failed, never for a figure that misses its aim."""
    parser = argparse.ArgumentParser(prog="bench", description="Measures a stack's whole life beside the floor.")
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS", "3")))
    parser.add_argument("--profile", action="store_true", help="print a timeline of the slowest resources of each up")
    parser.add_argument("--only", choices=["floor", "stack"], help="one half of the measurement")
    args = parser.parse_args(argv)
    os.chdir(ROOT)
    rounds: list[dict[str, float]] = []
    profiles: list[list[timeline.Span]] = []
    try:
        # Both halves start from images that are there: building them is set-up's business.
        if build_missing():
            raise BenchError("the images could not be built")
        for number in range(1, args.rounds + 1):
            # Each round has both halves: what else the machine does then disturbs both alike.
            figures: dict[str, float] = {}
            print(f"round {number} of {args.rounds}", flush=True)
            with tempfile.TemporaryDirectory(prefix="pipe-bench-") as folder:
                if args.only != "stack":
                    figures |= floor(Path(folder) / "floor")
                if args.only != "floor":
                    found, spans = stack(Path(folder) / "stack", args.profile)
                    figures |= found
                    profiles.append(spans)
            rounds.append(figures)
    except UserError as error:
        print(error.text(), file=sys.stderr)
        return 1
    except (BenchError, subprocess.TimeoutExpired) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("\n" + report.table(rounds))
    print(f"\nwritten to {_write(rounds, profiles).relative_to(ROOT)}")
    return 0


def floor(directory: Path) -> dict[str, float]:
    """Seconds of the shell script until its replica streams."""
    context = read_context()
    programs: tuple[Target, ...] = ("consensus", "member", "proxy")
    images = [image_name(program, context) for program in programs]
    name, port = f"bench-{directory.parent.name[-6:].lower().replace('_', 'x')}", free_ports()
    materials.main(directory, name, port)
    done = subprocess.run(
        [ROOT / "bench" / "floor.sh", name, directory, str(port), *images],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=FLOOR_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"the floor's script failed:\n{done.stderr}")
    return {report.FLOOR: _said(report.FLOOR, float(done.stdout.strip()))}


def stack(directory: Path, profile: bool) -> tuple[dict[str, float], list[timeline.Span]]:
    """The figures of one stack's life, and the timeline of its first `up`."""
    scratch = make(directory)
    figures: dict[str, float] = {}
    try:
        first = _measured(scratch, "up", *UP)
        spans = timeline.spans(first.events)
        figures["up"] = first.seconds
        figures["memory"] = _said("memory", first.peak_mib)
        streams = timeline.replica_at(spans)
        if streams is not None:
            figures["replica"] = _said("replica", streams)
        if profile:
            print(timeline.profile(first), flush=True)
        for figure, command in (("preview", ("preview",)), ("up_again", UP)):
            again = _measured(scratch, figure, *command, "--expect-no-changes")
            figures[figure] = again.seconds
            if profile:
                print(timeline.phases(again), flush=True)
        scratch.add_migration()
        migration = _measured(scratch, "migration", *UP)
        figures["migration"] = migration.seconds
        if profile:
            print(timeline.profile(migration), flush=True)
        gone = _measured(scratch, "destroy", "destroy", "--yes", "--skip-preview")
        figures["destroy"] = gone.seconds
        if profile:
            print(timeline.profile(gone), flush=True)
    finally:
        # After a destroy this finds nothing; after a failure it is what cleans up.
        subprocess.run(
            [sys.executable, "-m", "delivery.sweep", "--stack", scratch.stack],
            stdout=subprocess.DEVNULL,
            timeout=SWEEP_TIMEOUT_SECONDS,
            check=False,
        )
    return figures, spans


def _measured(scratch: Scratch, figure: str, *arguments: str) -> measure.Run:
    log = scratch.directory / f"events-{figure}"
    command = [scratch.pulumi, *arguments, "--non-interactive", "--stack", scratch.stack, "--event-log", str(log)]
    done = measure.run(command, scratch.directory, scratch.environment, log)
    if done.status:
        raise BenchError(f"pulumi {' '.join(arguments)} failed after {done.seconds:.1f} s:\n{done.output[-4000:]}")
    _said(figure, done.seconds)
    return done


def _said(figure: str, value: float) -> float:
    title = next(item for item in report.FIGURES if item.key == figure)
    print(f"  {value:8.2f} {title.unit:<3}  {title.title}", flush=True)
    return value


def _write(rounds: Sequence[dict[str, float]], profiles: Sequence[list[timeline.Span]]) -> Path:
    slowest = [
        {"type": s.type, "name": s.name, "op": s.op, "from": round(s.began, 2), "to": round(s.ended, 2)}
        for s in (profiles[-1] if profiles else [])
    ]
    return results.write(rounds, timeline_of_last_up=slowest)


if __name__ == "__main__":
    sys.exit(main())
