"""What the documents mention is there: files, links, make targets, stages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from delivery import picture

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")} | {".github"}

each = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]+`", "", without_blocks(text))


@each
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", without_code(document.read_text()))
    missing = [to for to in targets if not to.startswith("https://") and not (document.parent / to).exists()]
    assert missing == []


@each
def test_paths_are_there(document: Path) -> None:
    """Code spans that begin with a folder of the checkout; a star or <name> in them stands for something."""
    spans = re.findall(r"`([^`\s]+)`", without_blocks(document.read_text()))
    paths = [span.rstrip("/") for span in spans if "/" in span and span.split("/")[0] in FOLDERS]
    patterns = {path: re.sub(r"<[^>]+>", "*", path) for path in paths}
    assert [path for path, pattern in patterns.items() if not list(ROOT.glob(pattern))] == []


@each
def test_make_targets_are_there(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", document.read_text(), flags=re.MULTILINE))
    assert named - targets == set()


def test_the_picture_of_the_stages_is_current() -> None:
    document = picture.DOCUMENT.read_text()
    drawn = picture.mermaid((ROOT / "__main__.py").read_text())
    assert picture.current(document, drawn) == document, "run: python -m delivery.picture"


def test_every_module_of_the_program_is_in_the_table_of_stages() -> None:
    table = picture.DOCUMENT.read_text().split("## Stage → file → tests")[1]
    modules = [path.relative_to(ROOT).as_posix() for path in (ROOT / "infra").rglob("*.py") if path.stem != "__init__"]
    named = tuple(re.findall(r"`(infra/[^`]+)`", table))
    folders = tuple(name for name in named if name.endswith("/"))
    assert [module for module in modules if module not in named and not module.startswith(folders)] == []


def test_a_picture_tells_handing_over_from_waiting_and_leaves_out_what_is_implied() -> None:
    source = (
        "settings = load()\n"
        "common = (settings,)\n"
        "network = Network('n', Args(*common))\n"
        "cluster = Cluster('c', Args(settings, network))\n"
        "roles = Roles('r', Args(network.id), after(cluster.ready))\n"
    )
    assert picture.mermaid(source).splitlines()[2:-1] == [
        "    settings[settings]",
        "    network[network]",
        "    settings --> network",
        "    cluster[cluster]",
        "    network --> cluster",
        "    roles[roles]",
        "    cluster -.-> roles",
    ]
