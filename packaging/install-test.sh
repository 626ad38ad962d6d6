#!/usr/bin/env bash
# install.sh against a server on loopback, with archives whose programs are scripts. Each case has a home of its own,
# and says what it shows. Needs python3, curl, wget and tar.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
server=''
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

# release NAME: a folder as a release has it, with archives for both machines.
release() {
    local folder="$work/served/$1" content="$work/content"
    rm -rf "$content"
    mkdir -p "$folder" "$content/systemd/user" "$content/skills/whatsapp"
    for program in kapso-whatsapp-poller kapso-whatsapp-cli; do
        printf '#!/bin/sh\necho "%s of %s"\n' "$program" "$1" >"$content/$program"
    done
    cp packaging/systemd/user/kapso-whatsapp.service "$content/systemd/user/"
    cp skills/whatsapp/SKILL.md "$content/skills/whatsapp/"
    for machine in x86_64 aarch64; do
        tar -C "$content" -czf "$folder/kapso-whatsapp-$machine-unknown-linux-musl.tar.gz" .
    done
    (cd "$folder" && sha256sum -- *.tar.gz >SHA256SUMS)
}

# machine SYSTEM MACHINE: a PATH on which `uname` says so.
machine() {
    local folder="$work/uname-$1-$2"
    mkdir -p "$folder"
    # shellcheck disable=SC2016  # $1 is that script's own argument
    printf '#!/bin/sh\ncase "$1" in -s) echo %s ;; -m) echo %s ;; esac\n' "$1" "$2" >"$folder/uname"
    chmod +x "$folder/uname"
    printf '%s:%s' "$folder" "$PATH"
}

# install [ARGUMENT…]: runs the script in a new home; its exit code and words are in $code and $said.
install() {
    home=$(mktemp -d "$work/home.XXXX")
    code=0
    said=$(env -i HOME="$home" PATH="${path:-$PATH}" KAPSO_WHATSAPP_URL="$url" \
        sh "$root/install.sh" "$@" 2>&1) || code=$?
}

fail() {
    printf 'FAILED %s: %s\nexit code %s, said:\n%s\n' "$name" "$*" "$code" "$said" >&2
    exit 1
}
shows() { name=$1; path=''; url=$base/good; }
ended() { [ "$code" -eq "$1" ] || fail "should have ended with $1"; }
has_said() { case "$said" in *"$1"*) ;; *) fail "should have said: $1" ;; esac; }
nothing_is_installed() { [ -z "$(find "$home" -type f)" ] || fail "left $(find "$home" -type f)"; }
passed() { printf 'ok  %s\n' "$name"; }

for kind in good tampered truncated unlisted other_name broken; do release "$kind"; done
archive=kapso-whatsapp-x86_64-unknown-linux-musl.tar.gz
printf 'x' >>"$work/served/tampered/$archive"
head -c 100 "$work/served/good/$archive" >"$work/served/truncated/$archive"
sed -i "/$archive/d" "$work/served/unlisted/SHA256SUMS"
# A line for another file whose name ends in this one's must not be taken for it.
sed -i "s/  $archive/  other-$archive/" "$work/served/other_name/SHA256SUMS"
(
    cd "$work/content" && printf '#!/bin/sh\nexit 126\n' >kapso-whatsapp-cli
    tar -czf "$work/served/broken/$archive" . && cd "$work/served/broken" && sha256sum -- *.tar.gz >SHA256SUMS
)

# The port is the system's choice, and the line that names it says that the server listens.
mkfifo "$work/port"
python3 -u - "$work/served" >"$work/port" 2>/dev/null <<'SERVER' &
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_address[1])
server.serve_forever()
SERVER
server=$!
read -r port <"$work/port"
base="http://127.0.0.1:$port"
linux=$(machine Linux x86_64)

shows "a release is installed, and runs"
path=$linux; install; ended 0
[ "$("$home/.local/bin/kapso-whatsapp-poller")" = "kapso-whatsapp-poller of good" ] || fail "another program"
[ -x "$home/.local/bin/kapso-whatsapp-cli" ] || fail "no command line"
has_said "is not on the PATH"
passed

shows "it goes where it is told to, with the unit and the skill"
path=$linux; install --to "$work/elsewhere" --service --skill; ended 0
unit=$home/.config/systemd/user/kapso-whatsapp.service
grep -qx "ExecStart=$work/elsewhere/kapso-whatsapp-poller" "$unit" || fail "the unit starts something else"
[ -f "$home/.openclaw/skills/whatsapp/SKILL.md" ] || fail "no skill"
[ "$(stat -c %a "$home/.config/kapso-whatsapp")" = 700 ] || fail "the state directory is open to others"
passed

shows "an older version is replaced"
path=$linux; mkdir -p "$work/elsewhere"; echo old >"$work/elsewhere/kapso-whatsapp-poller"
install --to "$work/elsewhere"; ended 0
[ "$("$work/elsewhere/kapso-whatsapp-poller")" = "kapso-whatsapp-poller of good" ] || fail "another program"
passed

shows "an ARM host gets the ARM build"
path=$(machine Linux aarch64); rm "$work/served/good/$archive"; install; ended 0; release good
passed

shows "it works with wget alone"
mkdir -p "$work/tools"
for tool in sh awk cat chmod cp cut dirname mkdir mktemp mv rm sed sha256sum tar gzip wget; do
    ln -sf "$(command -v "$tool")" "$work/tools/$tool"
done
path="$(machine Linux x86_64 | cut -d : -f 1):$work/tools"; install; ended 0
passed

for kind in tampered truncated; do
    shows "an archive that is $kind is refused"
    path=$linux; url=$base/$kind; install; ended 1; has_said "has the checksum"; nothing_is_installed
    passed
done

for kind in unlisted other_name; do
    shows "an archive without a checksum of its own is refused ($kind)"
    path=$linux; url=$base/$kind; install; ended 1; has_said "has no line for"; nothing_is_installed
    passed
done

shows "a program that does not run here is not installed"
path=$linux; url=$base/broken; install; ended 1; has_said "does not run on this machine"; nothing_is_installed
passed

shows "a release that is not there is said so"
path=$linux; url=$base/none; install; ended 1; has_said "cannot fetch $base/none/SHA256SUMS"; nothing_is_installed
passed

shows "no network is said so"
path=$linux; url=http://127.0.0.1:1; install; ended 1; has_said "check the network"; nothing_is_installed
passed

shows "an unsupported machine is said so"
path=$(machine Linux riscv64); install; ended 1; has_said "no ready build for riscv64"; nothing_is_installed
path=$(machine Darwin arm64); install; ended 1; has_said "no ready build for macOS"
path=$(machine FreeBSD amd64); install; ended 1; has_said "no ready build for FreeBSD"
passed

shows "a script that is of no release says so"
path=$linux; url=''; install; ended 1; has_said "not the install.sh of a release"; nothing_is_installed
passed

shows "an unknown argument is an error of usage"
path=$linux; install --prefix /usr; ended 2; has_said "usage:"; nothing_is_installed
passed
