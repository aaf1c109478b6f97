"""The schema: a resource of all migrations, then one of all repeatable texts, among these what settings render."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from infra.cluster.cluster import Cluster
from infra.policies import Rendered, rendered
from infra.settings import Settings
from provider import sdk as pipe

OWNER = "pipe_owner"
MIGRATIONS, VERIFY, REPEATABLES = Path("sql/migrations"), Path("sql/verify"), Path("sql/repeatable")
REPEATABLE_NAME = re.compile(r"\d{3}_[a-z0-9_]+\.sql")


@dataclass(frozen=True)
class SqlFile:
    """One file: its number, what it is about, its path below the project and its text."""

    version: str
    name: str
    path: str
    text: str


def read_files(directory: Path) -> list[SqlFile]:
    """Return the directory's files in the order of their names. The number is what stands before the first "_".

    Every file but hidden ones: of one whose name is not as it should be, whoever judges the list says so.

    :raises pulumi.RunError: a file is not UTF-8.
    """
    files = []
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise pulumi.RunError(
                f"{path.as_posix()} is not UTF-8 at byte {error.start}. HINT: save it as UTF-8."
            ) from None
        version, _, name = path.stem.partition("_")
        files.append(SqlFile(version, name, path.as_posix(), text))
    return files


def merge(files: Sequence[SqlFile], texts: Sequence[Rendered]) -> list[SqlFile]:
    """Return the repeatable files with the rendered texts among them, in the order of their numbers.

    :raises pulumi.RunError: a file's name has no number, or its number is that of another file or of a rendered text.
    """
    merged: dict[str, SqlFile] = {}
    for file in files:
        if not REPEATABLE_NAME.fullmatch(Path(file.path).name):
            raise pulumi.RunError(f'{file.path} has no number. HINT: name it "NNN_what_it_is_about.sql".')
        if file.version in merged:
            raise pulumi.RunError(
                f"{merged[file.version].path} and {file.path} have the same number. "
                "HINT: give the newer one a number of its own."
            )
        merged[file.version] = file
    for text in texts:
        if text.version in merged:
            raise pulumi.RunError(
                f"{merged[text.version].path} has the number of {text.name}, which infra/policies.py renders. "
                "HINT: give the file another number."
            )
        merged[text.version] = SqlFile(text.version, text.name, "infra/policies.py", text.text)
    return [merged[version] for version in sorted(merged)]


def migrations(files: Sequence[SqlFile], verify: Sequence[SqlFile], opts: pulumi.ResourceOptions) -> pipe.Migrations:
    """Declare the migrations; the provider refuses what is wrong with the files, all of it at once."""

    def wire(texts: Sequence[SqlFile]) -> list[dict[str, str]]:
        return [{"version": one.version, "name": one.name, "file": one.path, "sql": one.text} for one in texts]

    return pipe.Migrations("migrations", files=wire(files), verify=wire(verify), owner=OWNER, opts=opts)


@dataclass(frozen=True)
class SchemaArgs:
    """Where the files are applied; what must be there before comes by ``depends_on``."""

    settings: Settings
    provider: pipe.PipeProvider
    cluster: Cluster
    directory: Path = Path(".")


class Schema(pulumi.ComponentResource):
    """Applies the migrations, each once and in order, then the repeatable files whenever they or a migration change."""

    last: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: SchemaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pipe:index:Schema", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, provider=args.provider, deleted_with=args.cluster.data)
        files = read_files(args.directory / MIGRATIONS)
        applied = migrations(files, read_files(args.directory / VERIFY), child)
        texts = merge(read_files(args.directory / REPEATABLES), rendered(args.settings))
        repeatables = pipe.Repeatables(
            "repeatables",
            files=[{"name": text.name, "file": text.path, "sql": text.text} for text in texts],
            owner=OWNER,
            triggers=[hashlib.sha256("".join(file.text for file in files).encode()).hexdigest()],
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[applied])),
        )
        self.last = [repeatables]
        self.register_outputs({})
