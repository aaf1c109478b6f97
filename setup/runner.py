"""Runs the steps, those that do not need each other side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from setup.context import Context
from setup.errors import Interrupted, StepError


@dataclass(frozen=True)
class Step:
    """One thing that set-up provides.

    `present` looks whether it is there (milliseconds, changes nothing); `provide` makes it. `needs` names the steps
    whose results `provide` uses.
    """

    name: str
    present: Callable[[Context], bool]
    provide: Callable[[Context], None]
    needs: tuple[str, ...] = ()


def missing(steps: Sequence[Step], context: Context) -> list[Step]:
    """The steps whose results are not there."""
    return [step for step in steps if not step.present(context)]


def run(steps: Sequence[Step], context: Context) -> dict[str, StepError]:
    """Provide every step in the order of its needs, independent ones at the same time.

    Returns the failures by step. The first failure stops the others: their results appear with the next run.
    """
    waiting = {step.name: step for step in steps}
    known = frozenset(waiting)
    done: set[str] = set()
    failures: dict[str, StepError] = {}
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(max_workers=max(1, len(steps))) as pool:
        try:
            while waiting or running:
                for step in ready(waiting, known, done):
                    del waiting[step.name]
                    running[pool.submit(_provide, step, context)] = step.name
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED, timeout=0.2)
                for future in finished:
                    name = running.pop(future)
                    try:
                        future.result()
                        done.add(name)
                    except StepError as error:
                        failures[name] = error
                    except Interrupted:
                        pass
                if failures:
                    waiting.clear()
                    context.processes.stop()
        except BaseException:
            context.processes.stop()
            raise
    return failures


def ready(waiting: Mapping[str, Step], known: frozenset[str], done: set[str]) -> list[Step]:
    """The steps that can begin: each need is done, or is no part of this run because it was there already."""
    return [step for step in waiting.values() if all(need in done or need not in known for need in step.needs)]


def _provide(step: Step, context: Context) -> None:
    if step.present(context):
        return
    begin = context.console.elapsed
    step.provide(context)
    context.console.say(step.name, f"done in {context.console.elapsed - begin:.1f}s")
