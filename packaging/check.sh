#!/usr/bin/env bash
# Everything about packaging and documents that can be checked without building anything: units, Nix, install.sh, proxies
# in front of the daemon, alerts, dashboard, links. Each step says what it does; a tool that is missing is a failure.
#
#   packaging/check.sh [POLLER CLI]        # built programs; target/debug by default, for the proxies
#
# Debian: nix-bin shellcheck nginx-light caddy prometheus ruby systemd openssl curl wget python3. The unit under a real
# manager is packaging/unit-test.sh, which needs root.
set -euo pipefail
cd "$(dirname "$0")/.."

built="${CARGO_TARGET_DIR:-target}/debug"
poller=${1:-$built/kapso-whatsapp-poller}
cli=${2:-$built/kapso-whatsapp-cli}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

step() {
    local start=$SECONDS
    printf '\n-- %s\n' "$1"
    shift
    "$@"
    printf -- '-- done in %d s\n' "$((SECONDS - start))"
}

need() {
    local tool missing=''
    for tool in "$@"; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    [ -z "$missing" ] || { echo "needed and not on the PATH:$missing" >&2; return 1; }
    for tool in "$poller" "$cli"; do
        [ -x "$tool" ] || { echo "$tool is not there: cargo build --bins" >&2; return 1; }
    done
}

# exposure MOST UNIT [--user]: how much systemd finds that a service could do, in tenths.
exposure() {
    systemd-analyze "${@:3}" security --no-pager --offline=true --threshold="$1" "$2" >"$work/exposure" || {
        cat "$work/exposure" >&2
        return 1
    }
    tail -n 1 "$work/exposure" | sed 's/[^ -~]//g; s/^ *//; s/ *$//'
}

units() {
    local units=packaging/systemd name=kapso-whatsapp.service kind
    export XDG_RUNTIME_DIR="$work"
    for kind in system user; do
        mkdir "$work/$kind"
        # The program is not installed here; everything else is as it is.
        sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$units/$kind/$name" >"$work/$kind/$name"
        systemd-analyze "--$kind" verify "$work/$kind/$name" 2>"$work/said" || { cat "$work/said" >&2; return 1; }
        [ ! -s "$work/said" ] || { cat "$work/said" >&2; return 1; }
        echo "the $kind unit is understood"
    done
    exposure 25 "$work/system/$name"
    # Without rights a user's manager can do no more: see the unit.
    exposure 65 "$work/user/$name" --user
    mkdir "$work/hardened"
    cat "$work/user/$name" "$units/user/$name.d/hardened.conf" >"$work/hardened/$name"
    exposure 25 "$work/hardened/$name" --user
}

nix_files() {
    local file
    # Nothing of the host's is touched: Nix gets a store of its own, and builds nothing.
    export NIX_STATE_DIR="$work/nix" NIX_STORE_DIR="$work/store" NIX_CONF_DIR="$work"
    printf 'build-users-group =\n' >"$work/nix.conf"
    for file in flake.nix nix/*.nix; do
        nix-instantiate --parse "$file" >/dev/null
    done
    nix-instantiate --eval --strict --json nix/eval-test.nix >"$work/evaluation.json"
    packaging/nix-keys.py "$work/evaluation.json" "$poller"
}

scripts() {
    # .ci/run is bash, install.sh plain sh: their first lines say so.
    shellcheck .ci/run install.sh packaging/*.sh
    sh -n install.sh
}

data() {
    ruby -c packaging/homebrew/kapso-whatsapp.rb
    ruby -ryaml -e 'ARGV.each { |file| YAML.load_file(file, aliases: true) }' \
        .github/workflows/*.yml packaging/compose/compose.yaml docs/grafana/alerts.yml
    promtool check rules docs/grafana/alerts.yml
    promtool test rules packaging/alerts-test.yml
    packaging/metrics.py
}

documents() {
    packaging/links.py
    packaging/messages.py
}

step "tools" need git systemd-analyze nix-instantiate shellcheck nginx caddy promtool ruby openssl curl wget python3
step "systemd units: understood, and walled in" units
step "Nix: parsed, modules evaluated, every key an option" nix_files
step "scripts: shellcheck" scripts
step "install.sh against a server on loopback" packaging/install-test.sh
step "reverse proxies as documented, in front of the daemon" packaging/proxy-test.py "$poller" "$cli"
step "alerts, dashboard, formula, workflow" data
step "documents: links, and messages that they quote" documents
printf '\nall of packaging holds, after %d s\n' "$SECONDS"
