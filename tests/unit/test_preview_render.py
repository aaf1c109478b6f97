"""A plan as markdown: the order, what is folded, and what no value can break."""

from __future__ import annotations

from delivery import render
from delivery.digest import Change, Plan, PropertyChange, Setting, Statement
from delivery.findings import Finding

VOLUME = Change("delete", "docker:index/volume:Volume", "member-1")
CONTAINER = Change(
    "replace",
    "docker:index/container:Container",
    "member-0",
    (PropertyChange("image", "a", "b"), PropertyChange("uploads[0].content")),
    ("image",),
)


def test_a_whole_section() -> None:
    plan = Plan(
        stack="staging",
        changes=(CONTAINER, VOLUME, Change("create", "pipe:sql:Migrations", "migrations")),
        statements=(Statement("sql/migrations/0009_x.sql", "SELECT 1;\n", repeatable=False),),
        settings=(Setting("pipe:database.replicas", "2", "1"), Setting("pipe:token", None, "[secret]")),
        unchanged=40,
    )
    assert render.section(plan) == (
        "## `staging`: 1 replaced, 1 deleted, 1 created, 1 pending migration, 2 settings changed\n\n"
        "> [!CAUTION]\n> Data is lost: `member-1` would be deleted.\n\n"
        "### Replaced (1)\n\n"
        "| resource | type | what differs |\n|---|---|---|\n"
        "| `member-0` | `docker:index/container:Container` |"
        " `image`: `a` → `b` (forces replacement)<br>`uploads[0].content` |\n\n"
        "### Deleted (1)\n\n"
        "| resource | type | what differs |\n|---|---|---|\n"
        "| `member-1` **holds data** | `docker:index/volume:Volume` |  |\n\n"
        "### Created (1)\n\n"
        "- `pipe:sql:Migrations`: `migrations`\n\n"
        "### Pending migrations (1)\n\n"
        "<details><summary><code>sql/migrations/0009_x.sql</code></summary>\n\n"
        "```sql\nSELECT 1;\n```\n\n</details>\n\n"
        "### Settings changed (2)\n\n"
        "| setting | was | becomes |\n|---|---|---|\n"
        "| `pipe:database.replicas` | `2` | `1` |\n"
        "| `pipe:token` | (not set) | (secret) |\n\n"
        "40 unchanged."
    )


def test_what_the_linter_found_stands_before_the_sql_and_cannot_break_out_of_its_table() -> None:
    finding = Finding("sql/migrations/0013_x.sql", 3, "some-rule", "`a|b` is <b> @someone's\nfault.", "Mend it.")
    sql = Statement("sql/migrations/0013_x.sql", "SELECT 1;\n", repeatable=False)
    section = render.section(Plan("s", statements=(sql,), findings=(finding,)))
    assert section.startswith(
        "## `s`: 1 pending migration, 1 finding of the linter\n\n"
        "### Linter on pending migrations (1)\n\n"
        "| where | rule | what |\n|---|---|---|\n"
        "| `sql/migrations/0013_x.sql:3` | `some-rule` | `a\\|b` is &lt;b&gt; &#64;someone's fault. Mend it. |\n\n"
        "`make lint` says the same; a comment `-- squawk-ignore rule` above a statement accepts it.\n\n"
        "### Pending migrations (1)\n"
    )


def test_nothing_to_do_is_two_lines() -> None:
    assert render.section(Plan("prod", unchanged=84)) == "## `prod`: no changes\n\n84 unchanged."


def test_a_warning_stands_between_what_is_lost_and_what_changes_and_is_counted() -> None:
    warnings = ('the restore drill of backup "A" failed\nHINT: make status', "@someone ```")
    section = render.section(Plan("prod", changes=(VOLUME,), warnings=warnings, unchanged=1))
    assert section.startswith(
        "## `prod`: 1 deleted, 2 warnings\n\n"
        "> [!CAUTION]\n> Data is lost: `member-1` would be deleted.\n\n"
        "### Warnings (2)\n\n"
        '```text\nthe restore drill of backup "A" failed\nHINT: make status\n```\n\n'
        "````text\n@someone ```\n````\n\n"
        "### Deleted (1)\n"
    )
    assert render.headline(Plan("prod", warnings=warnings[:1])) == "no changes, 1 warning"


def test_a_failure_says_so_first() -> None:
    section = render.section(Plan("prod", errors=("no such key",)))
    assert section.startswith("## `prod`: failed\n\n**The preview failed.**\n\n```text\nno such key\n```")


def test_values_cannot_break_out_of_a_table_or_a_block() -> None:
    change = Change("update", "t", "a|b", (PropertyChange("p", "`x` | <b>", "@everyone"),))
    sql = Statement("<x>.sql", "-- ```\n-- @someone", repeatable=True)
    section = render.section(Plan("s", changes=(change,), statements=(sql,)))
    assert "| `a\\|b` | `t` | `p`: `` `x` \\| <b> `` → `@everyone` |" in section
    assert "<code>&lt;x&gt;.sql</code>" in section
    assert "````sql\n-- ```\n-- @someone\n````" in section


def test_a_long_file_is_cut_at_a_line_and_says_so() -> None:
    sql = Statement("f.sql", "line one;\nline two;\n", repeatable=False)
    section = render.section(Plan("s", statements=(sql,)), sql_limit=12)
    assert "```sql\nline one;\n```\n\n_10 more characters: see the file._" in section


def test_a_comment_starts_with_the_marker_by_which_it_is_found_again() -> None:
    assert render.comment(["one", "two"]) == "<!-- pipe-preview -->\n\n# Preview\n\none\n\ntwo\n"


def test_a_comment_stays_below_githubs_limit_and_leaves_nothing_open() -> None:
    huge = Statement("f.sql", "SELECT 1;\n" * 20_000, repeatable=False)
    comment = render.comment([render.section(Plan("s", statements=(huge,)), sql_limit=1_000_000)])
    assert len(comment) < 65_536
    assert comment.endswith("```\n</details>\n\n_Shortened: the whole preview is in the job's summary._\n")
    assert comment.count("<details>") == comment.count("</details>")
