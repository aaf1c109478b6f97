"""A Pulumi program of nothing but the provider `pipe` and generated migrations, in a folder of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.scratch import COMMAND_TIMEOUT_SECONDS, LINKED, ROOT, BenchError
from cli import environment
from cli.environment import Target
from cli.session import Session
from setup.paths import checkout

STACK = "bench"
PROJECT = """\
name: pipe
runtime:
  name: python
  options: {toolchain: uv, virtualenv: .venv}
plugins:
  providers:
    - {name: pipe, path: ./provider}
"""
# The stage `schema` without what it stands on: the same two functions read the files and declare the resource.
PROGRAM = """\
import json
from pathlib import Path

import pulumi

from infra.schema import MIGRATIONS, VERIFY, migrations, read_files
from provider import sdk as pipe

login = json.loads(Path("login.json").read_text())
provider = pipe.PipeProvider(
    "pipe",
    host="127.0.0.1",
    port=login["port"],
    database="bench",
    username=login["username"],
    password=login["password"],
    ca_certificate=login["ca"],
)
migrations(read_files(MIGRATIONS), read_files(VERIFY), pulumi.ResourceOptions(provider=provider))
"""
# As large as the files of this project are: a table, an index, what they are for.
TEXT = """\
-- Notes of step {number}, which the pages of a run show beside its log.
--
-- Why it is like this:
--   * A note is short, and there are many: the author's name is kept with it, so that a page needs no join.
--   * idx_notes_{number}_author finds what somebody wrote, which is how a note is looked for.

CREATE TABLE pipe.notes_{number} (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    author varchar(100) NOT NULL,
    note varchar(500) NOT NULL,
    status varchar(20) NOT NULL DEFAULT 'active',
    created_at timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT notes_{number}_pkey PRIMARY KEY (id),
    CONSTRAINT notes_{number}_status_is_known CHECK (status IN ('active', 'inactive', 'suspended', 'deleted'))
);

CREATE INDEX idx_notes_{number}_author ON pipe.notes_{number} (author);

COMMENT ON TABLE pipe.notes_{number} IS 'Notes of a step.';
COMMENT ON COLUMN pipe.notes_{number}.status IS 'active, inactive, suspended or deleted (the row stays).';
"""


@dataclass(frozen=True)
class Text:
    """One generated migration."""

    file: str
    sql: str


def text(number: int) -> Text:
    return Text(f"{number:04d}_notes.sql", TEXT.format(number=f"{number:04d}"))


def texts(number: int) -> list[Text]:
    """So many of them, from 0001 on."""
    return [text(one) for one in range(1, number + 1)]


def archive(files: Sequence[Text]) -> bytes:
    """The files as the engine takes them into a container."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in files:
            data = file.sql.encode()
            entry = tarfile.TarInfo(file.file)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


@dataclass(frozen=True)
class Program:
    """The program in `directory`, with its own state; `login` is how it reaches its database."""

    directory: Path
    files: Sequence[Text]
    login: Mapping[str, str]

    @property
    def pulumi(self) -> str:
        return self._session.toolchain.cli

    @cached_property
    def _session(self) -> Session:
        return Session.current()

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """What Pulumi needs to run there, and nothing that the caller's shell says about another stack."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "PIPE_"))}
        kept |= {
            environment.BACKEND: environment.file_backend(self.directory / "state"),
            environment.PASSPHRASE: "bench",
        }
        kept |= environment.variables(Target(STACK, "test"), checkout(), self._session.toolchain, kept)
        return kept | {"NO_COLOR": "1"}

    def make(self) -> None:
        """Write the program and make its stack."""
        (self.directory / "sql" / "migrations").mkdir(parents=True)
        (self.directory / "state").mkdir()
        for name in (*LINKED, "infra", "provider"):
            (self.directory / name).symlink_to(ROOT / name)
        (self.directory / "Pulumi.yaml").write_text(PROJECT)
        (self.directory / "__main__.py").write_text(PROGRAM)
        (self.directory / "login.json").write_text(json.dumps(dict(self.login)))
        for file in self.files:
            self.add(file)
        done = subprocess.run(
            [self.pulumi, "stack", "init", STACK, "--non-interactive"],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"pulumi stack init failed:\n{done.stdout}{done.stderr}")

    def add(self, file: Text) -> None:
        """Write one more file."""
        (self.directory / "sql" / "migrations" / file.file).write_text(file.sql)
