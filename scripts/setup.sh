# Sourced by ./start and ./test, never run by itself. Expects $root, the checkout's absolute path.
# Promise: when it returns, `node` is a Node that can run this repository and node_modules is what package-lock.json says.
# It prints one line for each thing it installs, and nothing when there is nothing to do.

# 24, or 26 and newer: the test runner refuses the short-lived 25.
node_is_good() {
  version=$("$1" --version 2>/dev/null) || return 1
  major=${version#v}
  major=${major%%.*}
  case "$major" in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -eq 24 ] || [ "$major" -ge 26 ]
}

# The Node of the platform that npm picked from .tools/package.json; empty when there is none that runs here.
node_in_tools() {
  for bin in "$root"/.tools/node_modules/node-*/bin; do
    if node_is_good "$bin/node"; then
      printf '%s\n' "$bin"
      return
    fi
  done
}

give_up() {
  printf '%s\n' "$1 Install Node 24 (https://nodejs.org/en/download) and run this again." >&2
  exit 1
}

# Runs a command whose words are of interest only when it fails.
quietly() {
  if ! said=$("$@" 2>&1); then
    printf '%s\n' "$said" >&2
    return 1
  fi
}

if ! node_is_good node; then
  bin=$(node_in_tools)
  if [ -z "$bin" ]; then
    command -v npm >/dev/null 2>&1 || give_up "This needs Node 24, and there is no npm here to fetch it with."
    printf '%s\n' "Installing Node 24 into .tools (once)…" >&2
    # --include: a machine set to leave optional packages out would get no Node at all.
    (cd "$root/.tools" && quietly npm ci --ignore-scripts --include=optional --no-audit --no-fund) ||
      give_up "Node 24 could not be fetched from npm."
    bin=$(node_in_tools)
    [ -n "$bin" ] || give_up "npm has no Node 24 that runs on this platform ($(uname -sm))."
  fi
  # First in PATH, so that npm and every child process run on it too.
  PATH=$bin:$PATH
  export PATH
fi

node "$root/scripts/install.ts"
