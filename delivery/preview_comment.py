"""The preview of a stack as a comment on a pull request, or on the terminal.

    python -m delivery.preview_comment staging              previews the stack and prints or posts the comment
    python -m delivery.preview_comment staging --out FILE   keeps this stack's section for a later --post
    python -m delivery.preview_comment staging --rehearsal FILE   adds what `make rehearse OUT=FILE` wrote
    python -m delivery.preview_comment --post FILE...       joins sections into the one comment of the pull request
    python -m delivery.preview_comment --from FILE          renders a recorded `pulumi preview --json`

Posting needs GITHUB_TOKEN and a pull request's number; without them the comment is printed. The job that posts needs no
stack secrets, and the jobs that hold them need no right to write. Exits 1 when a preview failed, after the comment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from delivery import digest, findings, render
from delivery.github import GitHubError, PullRequest

ROOT = Path(__file__).resolve().parent.parent
PREVIEW_TIMEOUT_SECONDS = 600


class PreviewError(Exception):
    """The preview could not even start; the text says why and what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    args = _arguments(argv)
    try:
        if args.post:
            publish(render.comment([Path(file).read_text().strip() for file in args.post]))
            return 0
        plans = [_recorded(Path(args.recorded), args.stacks)] if args.recorded else [preview(s) for s in args.stacks]
        plans = [replace(plan, findings=tuple(findings.findings(plan.migrations))) for plan in plans]
        sections = [render.section(plan) for plan in plans]
        if args.rehearsal:
            sections[0] += "\n\n" + Path(args.rehearsal).read_text().strip()
        if args.out:
            out = Path(args.out)
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text("\n\n".join(sections) + "\n")
        else:
            publish(render.comment(sections))
        for plan in plans:
            print(f"{plan.stack}: {render.headline(plan)}", file=sys.stderr)
        return 1 if any(plan.errors for plan in plans) else 0
    except (PreviewError, findings.LintError, GitHubError, OSError) as error:
        print(f"preview-comment: {error}", file=sys.stderr)
        return 1


def preview(stack: str) -> digest.Plan:
    """Previews a stack with the checkout's own Pulumi. A preview that fails is a plan with errors, not an exception."""
    done = _pulumi(stack, "preview", "--json", "--stack", stack)
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        said = (done.stderr or done.stdout).strip() or f"exit status {done.returncode} without a word"
        return digest.Plan(stack, errors=(said,))
    plan = digest.plan(stack, result, _history(stack))
    if done.returncode and not plan.errors:
        said = done.stderr.strip() or f"pulumi preview ended with exit status {done.returncode}"
        return digest.Plan(stack, errors=(said,))
    return plan


def publish(comment: str) -> None:
    """Writes the comment to the pull request and the job's summary where there is one, else to standard output."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a") as file:
            file.write(comment)
    target = PullRequest.from_environment()
    if target is None:
        sys.stdout.write(comment)
        return
    print(f"preview-comment: {target.upsert(render.MARKER, comment)}", file=sys.stderr)


def _history(stack: str) -> list[dict[str, Any]] | None:
    """Earlier updates, the newest first; None when they can't be read: the preview is worth posting without them."""
    done = _pulumi(stack, "stack", "history", "--stack", stack, "--json", "--page-size", "10", "--page", "1")
    try:
        return list(json.loads(done.stdout)) if done.returncode == 0 else None
    except json.JSONDecodeError:
        return None


def _pulumi(stack: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ROOT / "bin" / "pulumi"
    if not command.exists():
        raise PreviewError(f"{command} is not there\nHINT: run it from a complete checkout")
    environ = os.environ | {"STACK": stack, "NO_COLOR": "1", "PULUMI_SKIP_UPDATE_CHECK": "true"}
    # The streaming form is one event a line, which is another format.
    environ.pop("PULUMI_ENABLE_STREAMING_JSON_PREVIEW", None)
    try:
        return subprocess.run(
            [command, *arguments, "--non-interactive"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PREVIEW_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PreviewError(
            f"pulumi {arguments[0]} of stack '{stack}' took longer than {PREVIEW_TIMEOUT_SECONDS} s\n"
            "HINT: look for a Docker engine or a state backend that does not answer"
        ) from error


def _recorded(file: Path, stacks: Sequence[str]) -> digest.Plan:
    return digest.plan(stacks[0] if stacks else "recorded", json.loads(file.read_text()))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="preview_comment", description="The preview of a stack as a comment.")
    parser.add_argument("stacks", nargs="*", default=[], help="stacks to preview (default: $STACK)")
    parser.add_argument("--from", dest="recorded", metavar="FILE", help="a recorded `pulumi preview --json`")
    parser.add_argument("--rehearsal", metavar="FILE", help="what `make rehearse OUT=FILE` wrote, for the section")
    parser.add_argument("--out", metavar="FILE", help="write the section there instead of a comment")
    parser.add_argument("--post", nargs="+", metavar="FILE", help="sections to join into the comment")
    args = parser.parse_args(argv)
    if not args.stacks and os.environ.get("STACK"):
        args.stacks = [os.environ["STACK"]]
    if not args.stacks and not args.recorded and not args.post:
        parser.error("name a stack, such as STACK=staging")
    return args


if __name__ == "__main__":
    sys.exit(main())
