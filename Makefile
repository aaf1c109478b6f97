# What users type. Everything sets up what it needs first; with nothing missing that takes a fraction of a second.
#   make up [STACK=dev] [LIKE=test] [ARGS="--diff"]     `make help` lists the rest
STACK ?= dev
LIKE ?=
ARGS ?=
export STACK LIKE ARGS

PYTHON := .venv/bin/python
# Of these variables the ones that were given to make itself: a shell may have a NAME of its own.
given = $(foreach key,$(1),$(if $(findstring command,$(origin $(key))),"$(key)=$($(key))"))

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Every target that `help` lists.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(lastword $(MAKEFILE_LIST)))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing, nothing else
	@setup/setup.sh

doctor: ## show which programs run here, and why
	@setup/setup.sh doctor

up: .setup ## make or update the stack: STACK=dev, LIKE=test for a new one like test
	@$(PYTHON) -m cli up

preview: .setup ## show what `up` would change
	@$(PYTHON) -m cli preview

drift: .setup ## compare the stack with its state; fails when something differs
	@$(PYTHON) -m cli drift

destroy: .setup ## remove the stack without a trace; refuses where it is protected
	@$(PYTHON) -m cli destroy

status: .setup ## members, lag, endpoints, backups, migrations; fails when something is wrong
	@$(PYTHON) -m cli status

restore-drill: .setup ## restore the newest backup on trial and check what comes back; records the result
	@$(PYTHON) -m cli restore-drill

rehearse: .setup ## run pending migrations, and FILE=draft.sql, on a copy of the newest backup; OUT=file for markdown
	@FILE="$(FILE)" OUT="$(OUT)" SIZE="$(SIZE)" $(PYTHON) -m cli rehearse

seed: .setup ## fill an empty stack with invented data: SIZE=small, medium, 1m or 10m
	@$(PYTHON) -m cli seed $(addprefix --size ,$(SIZE))

adopt: .setup ## move the rows of an existing database in: SOURCE=service=old, ARGS=--check only looks
	@$(PYTHON) -m cli adopt "$(SOURCE)"

export-months: .setup ## have archived months that are due leave the database: TO=<directory>
	@$(PYTHON) -m cli export-months "$(TO)"

attach-month: .setup ## bring an exported month back into the archive: FILE=<directory>/<month>.json
	@$(PYTHON) -m cli attach-month "$(FILE)"

# NAME of the environment is none of ours: some systems keep the machine's name there.
migration: .setup ## make the next file of sql/migrations: NAME=add_x
	@$(PYTHON) -m cli migration $(if $(filter command,$(origin NAME)),"$(NAME)")

restore: .setup ## make STACK from what FROM's repository keeps: AT="2026-05-01 12:00:00+09", NAME=point or LSN=0/5000028
	@$(PYTHON) -m cli restore $(call given,FROM AT NAME LSN TIMELINE PAUSE REPOSITORY NETWORK KEY_FILE)

restore-in-place: .setup ## take STACK back, its present data kept beside: AT=, NAME= or LSN=; OLD=remove
	@$(PYTHON) -m cli restore-in-place $(call given,AT NAME LSN TIMELINE REPOSITORY OLD)

rebuild-consensus: .setup ## the data of etcd is lost: make an empty store, let the primary fill it
	@$(PYTHON) -m cli rebuild-consensus

env: ## print exports: eval "$(make env)" makes plain `pulumi` work on the stack
	@setup/setup.sh --quiet >&2
	@$(PYTHON) -m cli env

test: .setup ## run the tests, one round of each promise; TESTS="tests/unit -k ports" for some
	$(PYTHON) -m pytest -n 3 $(or $(TESTS),-m "not long" tests)

test-long: .setup ## run the further rounds: more restores, refusals, repositories that leave, changes under load
	$(PYTHON) -m pytest -n 2 -m long tests/recovery

lint: .setup ## run every linter
	@delivery/lint.sh

bench: .setup ## measure a stack's whole life; OF=tenants (a file of bench/): a part of it
	@$(PYTHON) -m bench$(addprefix .,$(OF)) $(ARGS)

bench-recovery: .setup ## measure failovers and other faults, write them into the documents: ROUNDS=10; OF=throughput: backups
	@$(PYTHON) -m bench.recovery$(addprefix .,$(OF)) $(addprefix --rounds ,$(ROUNDS)) $(ARGS)

sweep: .setup ## remove throw-away stacks that were left over: ARGS="--dry-run"
	@$(PYTHON) -m delivery.sweep $(ARGS)

preview-comment: .setup ## write the comment for a pull request: STACK=staging
	@$(PYTHON) -m delivery.preview_comment $(STACK) $(ARGS)

dictionary: .setup ## make docs/data-dictionary.md from the catalog of a fresh database
	@$(PYTHON) -m delivery.dictionary

clean: ## forget caches of tests and linters
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .grimp_cache

.PHONY: .setup
.setup:
	@setup/setup.sh --quiet
