#!/bin/sh
# Runs a command under this repository's Node and dependencies, setting up what is missing first. What package.json runs
# of our TypeScript goes through it, so that it works whatever Node the machine has. Set-up speaks on stderr: stdout is
# the command's own.
#   sh scripts/run.sh node --conditions=source bench/bench.ts --quick
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
. "$root/scripts/setup.sh"

cd "$root"
PATH=$root/node_modules/.bin:$PATH
export PATH
exec "$@"
