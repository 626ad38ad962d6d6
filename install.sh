#!/bin/sh
# Installs kapso-whatsapp-poller and kapso-whatsapp-cli for the user who runs it: a static build, compared with its
# checksum. Needs no root, curl or wget, tar, and sha256sum or shasum. Nothing is changed unless everything was fetched
# and is right.
set -eu

# The release workflow puts the repository's name here when it attaches this file to a release.
REPOSITORY='@REPOSITORY@'

usage() {
    cat <<'END'
usage: install.sh [--version VERSION] [--to DIRECTORY] [--service] [--skill] [--attested]

  --version VERSION   a release such as 0.1.0; otherwise the newest
  --to DIRECTORY      where the two programs go; otherwise ~/.local/bin
  --service           also the user's systemd unit, in ~/.config/systemd/user
  --skill             also the agent's skill, in ~/.openclaw/skills/whatsapp
  --attested          also ask GitHub who built the archive (needs `gh`, logged in)

KAPSO_WHATSAPP_URL names another place to fetch from: a directory with the archives and SHA256SUMS.
END
}

# What is told to standard error, and the end of it.
fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

# The name of the build for this machine.
target() {
    system=$(uname -s)
    machine=$(uname -m)
    case "$system" in
    Linux) ;;
    Darwin) fail "there is no ready build for macOS: use Homebrew or cargo, see docs/install.md" ;;
    *) fail "there is no ready build for $system: use cargo, see docs/install.md" ;;
    esac
    case "$machine" in
    x86_64 | amd64) echo x86_64-unknown-linux-musl ;;
    aarch64 | arm64) echo aarch64-unknown-linux-musl ;;
    *) fail "there is no ready build for $machine: use cargo, see docs/install.md" ;;
    esac
}

# fetch URL FILE
fetch() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --retry 2 --connect-timeout 20 --output "$2" "$1" ||
            fail "cannot fetch $1: see above; check the network, or the version"
    elif command -v wget >/dev/null; then
        wget --quiet --tries=2 --timeout=20 --output-document="$2" "$1" ||
            fail "cannot fetch $1: check the network, or the version"
    else
        fail "curl or wget is needed and not on the PATH"
    fi
}

# The SHA-256 of a file, in hex.
sum_of() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1"
    elif command -v shasum >/dev/null; then
        shasum -a 256 "$1"
    else
        fail "sha256sum or shasum is needed and not on the PATH"
    fi | cut -d ' ' -f 1
}

# compare ARCHIVE: with the line of its very name in SHA256SUMS.
compare() {
    wanted=$(awk -v name="$1" '$2 == name || $2 == "*" name { print $1 }' SHA256SUMS)
    [ -n "$wanted" ] || fail "SHA256SUMS has no line for $1"
    found=$(sum_of "$1")
    [ "$found" = "$wanted" ] ||
        fail "$1 has the checksum $found, and should have $wanted: fetched in part, or not what was released"
}

# put MODE FROM TO: as a whole or not at all, also over a program that runs.
put() {
    mkdir -p "$(dirname "$3")"
    cp "$2" "$3.new"
    chmod "$1" "$3.new"
    mv "$3.new" "$3"
    printf 'installed %s\n' "$3"
}

main() {
    version='' to="${HOME:?}/.local/bin" service='' skill='' attested=''
    while [ $# -gt 0 ]; do
        case "$1" in
        --version | --to)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            if [ "$1" = --version ]; then version=${2#v}; else to=$2; fi
            shift
            ;;
        --service) service=yes ;;
        --skill) skill=yes ;;
        --attested) attested=yes ;;
        --help | -h) usage; exit ;;
        *) usage >&2; exit 2 ;;
        esac
        shift
    done

    archive="kapso-whatsapp-$(target).tar.gz"
    releases="https://github.com/$REPOSITORY/releases"
    url=${KAPSO_WHATSAPP_URL:-}
    if [ -z "$url" ]; then
        case "$REPOSITORY" in
        @*) fail "this is not the install.sh of a release: take that one, or set KAPSO_WHATSAPP_URL" ;;
        esac
        if [ -n "$version" ]; then url="$releases/download/v$version"; else url="$releases/latest/download"; fi
    fi

    case "$to" in
    /*) ;;
    *) to="$PWD/$to" ;;
    esac
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    cd "$folder"
    fetch "$url/SHA256SUMS" SHA256SUMS
    fetch "$url/$archive" "$archive"
    compare "$archive"
    if [ -n "$attested" ]; then
        gh attestation verify "$archive" --repo "$REPOSITORY" || fail "GitHub does not vouch for $archive"
    fi
    tar -xzf "$archive"
    for program in kapso-whatsapp-poller kapso-whatsapp-cli; do
        [ -f "$program" ] || fail "$archive has no $program"
        chmod 755 "$program"
        "./$program" --version >/dev/null || fail "$program does not run on this machine"
    done

    for program in kapso-whatsapp-poller kapso-whatsapp-cli; do
        put 755 "$program" "$to/$program"
    done
    if [ -n "$service" ]; then
        unit="${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user/kapso-whatsapp.service"
        sed "s|^ExecStart=.*|ExecStart=$to/kapso-whatsapp-poller|" systemd/user/kapso-whatsapp.service >unit
        put 644 unit "$unit"
    fi
    [ -z "$skill" ] || put 644 skills/whatsapp/SKILL.md "$HOME/.openclaw/skills/whatsapp/SKILL.md"
    mkdir -p "$HOME/.config/kapso-whatsapp"
    chmod 700 "$HOME/.config/kapso-whatsapp"

    case ":$PATH:" in
    *":$to:"*) ;;
    *) printf '%s is not on the PATH: add it in your shell, or call the programs by their whole names\n' "$to" ;;
    esac
    printf 'next: set KAPSO_API_KEY and KAPSO_PHONE_NUMBER_ID, then kapso-whatsapp-cli doctor\n'
}

# All of it is read before anything runs: a script that arrives in part does nothing.
main "$@"
