#!/usr/bin/env bash
# usage: run.sh STEP...   Runs the steps one after the other, each to its end, and says at the last how each went.
# steps: rust (every test that cargo knows), postgres (the stories of API, panel and letters again, on PostgreSQL), browser (the browser
# tests alone), conformance (the profiles named in PROFILES).
set -u
cd "$(dirname "$0")/.."
: "${PROFILES:=default rotation rotate_only sliding revoke audience header lifetimes throttle rs256 apikey main}"
report=$(mktemp) && trap 'rm -f "$report"' EXIT
passed=0 failed=0 red=0

free_port() { tests/.venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

rust() { cargo test --no-fail-fast; }
# More at once than there are cores: much of it waits for PostgreSQL. What runs on PostgreSQL anyway is not run again, nor what is the
# same on either: how the panel speaks.
postgres() { TEST_DATABASE=postgres RUST_TEST_THREADS=4 cargo test --test it -- api:: admin:: mail:: recipe:: --skip on_postgres --skip admin::lists --skip admin::language; }
browser() { cargo test --test browser; }
conformance() {
    # The binary that the tests use: `cargo build` would build every dependency anew, with other features.
    cargo test --no-run --test it || return
    # shellcheck disable=SC2086 # the list is meant to be split
    PYTHON=$PWD/tests/.venv/bin/python PORT=$(free_port) tests/conformance/portcullis.sh target/debug/portcullis $PROFILES
}

# The figures before "passed" and "failed" in what a step printed, whether cargo or pytest wrote it, added up.
count() { grep -E '^(test result:|[a-z_0-9]+: [0-9]+ (passed|failed))' "$1" | grep -oE "[0-9]+ $2" | awk '{ n += $1 } END { print n + 0 }'; }

summary=
for step in "$@"; do
    printf '\n== %s\n' "$step"
    start=$SECONDS
    if "$step" 2>&1 | tee "$report"; (exit "${PIPESTATUS[0]}"); then verdict=ok; else verdict=FAILED red=1; fi
    good=$(count "$report" passed) bad=$(count "$report" failed)
    # A step that fell over before it counted anything has failed all the same.
    if [ "$verdict" = FAILED ] && [ "$bad" -eq 0 ]; then bad=1; fi
    passed=$((passed + good)) failed=$((failed + bad))
    summary+=$(printf '  %-12s %-7s %5d passed, %d failed, %d s' "$step" "$verdict" "$good" "$bad" $((SECONDS - start)))$'\n'
done
printf '\n== summary\n%s\n%d passed, %d failed\n' "$summary" "$passed" "$failed"
exit "$red"
