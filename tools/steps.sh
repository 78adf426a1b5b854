# SPDX-License-Identifier: MIT
# Sourced: runs named steps one after the other, goes on after a failure, ends with a table.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
steps_table=()
steps_failed=0

# step NAME COMMAND...: COMMAND runs as it is; its output is shown.
step() {
    local name=$1 start=$SECONDS verdict=ok
    shift
    printf '\n=== %s\n' "$name"
    "$@" || { verdict=FAILED; steps_failed=1; }
    steps_table+=("$(printf '%-8s %5d s  %s' "$verdict" $((SECONDS - start)) "$name")")
}

# The last command of a script: prints the table, returns 1 when a step failed.
steps_end() {
    printf '\n'
    printf '%s\n' "${steps_table[@]}"
    return "$steps_failed"
}
