"""What an export says of itself: a JSON file beside the data, written last. Where it is, the export is whole."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from cli.errors import UserError

FORMAT = 1
SUFFIX = ".json"
DATA_SUFFIX = ".copy.gz"


@dataclass(frozen=True)
class Month:
    """A month of a partitioned table."""

    table: str
    first_day: date

    @property
    def name(self) -> str:
        return f"{self.table}_y{self.first_day:%Y}m{self.first_day:%m}"


@dataclass(frozen=True)
class Manifest:
    """An exported month. Count and checksum are the database's, the SHA-256 is that of the file."""

    table: str
    month: str
    rows: int
    checksum: str
    columns: tuple[tuple[str, str, bool], ...]
    """Name, type, and whether it is never null; in the order of the data."""
    data: str
    sha256: str
    schema_version: str
    """The newest migration when it was exported."""
    seals: tuple[int, int] | None
    """Of a month of the audit log: the first and the last seal over its rows."""
    format: int = FORMAT

    @property
    def of(self) -> Month:
        return Month(self.table, date.fromisoformat(self.month))

    def text(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def path_of(directory: Path, month: Month) -> Path:
    """Where the manifest of a month is."""
    return directory / f"{month.name}{SUFFIX}"


def read(file: Path) -> Manifest:
    """Read a manifest. Raises UserError where the file is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise UserError(f'export "{file}" has format {content["format"]}', f"this version reads format {FORMAT}.")
        found = Manifest(
            **content
            | {
                "columns": tuple(tuple(column) for column in content["columns"]),
                "seals": tuple(content["seals"]) if content["seals"] else None,
            }
        )
        whole = re.fullmatch(r"[a-z_]+", found.table) and found.of and Path(found.data).name == found.data
    except OSError as error:
        raise UserError(f'export "{file}" cannot be read: {error.strerror}', "FILE is the .json file.") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
        raise UserError(f'"{file}" is no manifest of an export', "FILE is the .json file beside the data.")
    return found
