#!/bin/sh
# usage: setup.sh   Brings everything that `make test` needs beside Rust, on Debian. Says nothing when all is there.
#
# From Debian: a C compiler, Chromium with its driver, PostgreSQL, Redis, Python with venv, Node, npm, openssl, curl; only what is missing,
# through sudo unless we are root. From PyPI and npm: what the suite and the tests with other packages require, axe-core and
# jose, into folders that git ignores.
set -eu
cd "$(dirname "$0")"
axe_version=4.14.1
jose_version=6.2.18
requirements='conformance/requirements.txt interop/requirements.txt schemathesis/requirements.txt smtp/requirements.txt'

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf 'setup: %s\n' "$*"; }

packages=
need() { packages="$packages $*"; }
have cc || need build-essential
have curl || need curl ca-certificates
have openssl || need openssl
have chromium || need chromium
have chromedriver || need chromium-driver
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need postgresql
have redis-server || need redis-server
if ! have python3 || ! python3 -c 'import ensurepip' 2>/dev/null; then need python3 python3-venv; fi
have node || need nodejs
{ [ -e .tools/node_modules/axe-core ] && [ -e .tools/node_modules/jose ]; } || have npm || need npm

if [ -n "$packages" ]; then
    say "installing from Debian:$packages"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || { say "run this once as root: apt-get install$packages"; exit 1; }
        as_root=sudo
    fi
    mkdir -p ../target
    log=../target/setup.log
    # shellcheck disable=SC2086 # the list is meant to be split
    { $as_root apt-get update -q &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $packages; } >"$log" 2>&1 </dev/null ||
        { tail -20 "$log"; say "apt-get failed; the whole of it is in target/setup.log"; exit 1; }
fi

# shellcheck disable=SC2086 # the list is meant to be split
if ! cat $requirements | cmp -s - .venv/done; then
    say "installing the tests' Python packages into tests/.venv"
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/python -m pip install -q --disable-pip-version-check $(printf -- '-r %s ' $requirements)
    cat $requirements >.venv/done
fi

installed() { grep -qs "\"version\": \"$2\"" ".tools/node_modules/$1/package.json"; }
if ! installed axe-core "$axe_version" || ! installed jose "$jose_version"; then
    say "installing axe-core $axe_version and jose $jose_version into tests/.tools"
    mkdir -p .tools
    # Both at once: npm takes away what it is not asked for.
    npm install --prefix .tools --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error \
        "axe-core@$axe_version" "jose@$jose_version" >/dev/null
fi
