#!/usr/bin/env bash
# Runs every linter, or those named: delivery/lint.sh [ruff|types|imports|shell|dockerfile|sql|migrations|yaml|workflows]...
# All of them run even when one fails; the exit status is 1 when any did. Versions: uv.lock and delivery/tools/go.sum.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=.venv/bin
all=(ruff types imports shell dockerfile sql migrations yaml workflows)
failed=()

if [[ ! -x $bin/python ]]; then
  echo "lint: there is no .venv yet; run make lint, which makes it" >&2
  exit 1
fi

# Tracked files and those not yet added, never ignored ones; names with NUL between them.
files() { git ls-files -z --cached --others --exclude-standard -- "$@"; }

# Scripts by their first line: some have no suffix, and some start a Python program.
scripts() {
  files . | while IFS= read -r -d '' file; do
    if [[ -f $file ]] && head -c 64 -- "$file" | head -n 1 | grep -aqE '^#!.*[/ ](ba|da)?sh( |$)'; then
      printf '%s\0' "$file"
    fi
  done
}

lint_ruff() {
  "$bin/ruff" check --quiet . && "$bin/ruff" format --quiet --check --diff .
}

lint_types() {
  local packages=() name
  for name in infra provider airgap setup cli delivery bench policies tests; do
    [[ -d $name ]] && packages+=("$name")
  done
  "$bin/mypy" --no-error-summary __main__.py images/drill "${packages[@]}"
}

lint_imports() {
  PYTHONPATH=. "$bin/lint-imports" --no-cache --no-logo
}

lint_shell() {
  scripts | xargs -0 --no-run-if-empty "$bin/shellcheck" --external-sources --source-path=SCRIPTDIR
}

lint_dockerfile() {
  files '*Dockerfile' | xargs -0 --no-run-if-empty "$bin/hadolint" --config delivery/hadolint.yaml
}

lint_sql() {
  "$bin/sqlfluff" lint --disable-progress-bar --processes 1 sql
}

lint_migrations() {
  "$bin/python" -m delivery.findings
}

lint_yaml() {
  "$bin/yamllint" --strict --config-file delivery/yamllint.yaml Pulumi.yaml stacks .github
}

# actionlint looks into the scripts of the steps too, with the same shellcheck.
lint_workflows() {
  local built=.tools/lint/actionlint stamp=.tools/lint/actionlint.sum
  if [[ ! -x $built ]] || ! cmp -s delivery/tools/go.sum "$stamp"; then
    mkdir -p .tools/lint
    go build -C delivery/tools -trimpath -o "$PWD/$built.new" github.com/rhysd/actionlint/cmd/actionlint
    mv "$built.new" "$built"
    cp delivery/tools/go.sum "$stamp"
  fi
  "$built" -shellcheck "$bin/shellcheck" -pyflakes ''
}

run() {
  local name=$1 started=$SECONDS status=0 output
  output=$("lint_$name" 2>&1) || status=$?
  if ((status == 0)); then
    printf '  ok      %-11s %3d s\n' "$name" $((SECONDS - started))
  else
    printf '  FAILED  %-11s %3d s\n%s\n' "$name" $((SECONDS - started)) "$output"
    failed+=("$name")
  fi
}

chosen=("$@")
((${#chosen[@]})) || chosen=("${all[@]}")
echo "Lint:"
for name in "${chosen[@]}"; do
  if ! declare -F "lint_$name" >/dev/null; then
    echo "lint: there is no linter '$name'; there are: ${all[*]}" >&2
    exit 2
  fi
  run "$name"
done
if ((${#failed[@]})); then
  echo "lint: failed: ${failed[*]}" >&2
  exit 1
fi
