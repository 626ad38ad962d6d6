#!/usr/bin/env bash
# The user unit under a real user manager of systemd, in namespaces of its own: it starts with credentials, is walled
# in, comes back after a kill, and stays down when its configuration cannot be used. Needs root, for the namespaces
# alone: the manager and the daemon run as the user "daemon". Nothing on the host is changed.
#
#   packaging/unit-test.sh [POLLER CLI]        # built programs; target/debug by default
set -euo pipefail
[ -d packaging ] || cd "$(dirname "$0")/.."

built="${CARGO_TARGET_DIR:-target}/debug"
unit=kapso-whatsapp

fail() {
    printf 'FAILED %s\n' "$*" >&2
    sed 's/^/  log: /' "$HOME/log" >&2 || true
    exit 1
}

# Until COMMAND… succeeds: a manager tells nobody when it is done.
await() {
    local tries=200
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

groups_are_gone() {
    find /sys/fs/cgroup -depth -type d -path '*/kapso-unit-test*' -exec rmdir {} + 2>/dev/null || true
    [ -z "$(find /sys/fs/cgroup -type d -name kapso-unit-test 2>/dev/null)" ]
}

property() { systemctl --user show --property "$1" --value "$unit"; }
is() { [ "$(property "$1")" = "$2" ]; }
# Without Kapso and a gateway it is degraded, and says so with 1; all that counts is that it answers.
answers() { { kapso-whatsapp-cli status --json 2>/dev/null || [ $? -eq 1 ]; } | grep -q '"uptime_s"'; }
has() { grep -q "^$2:[[:space:]]*$3\$" "/proc/$1/status"; }
ok() { printf 'ok  %s\n' "$1"; }

# As the user, with a manager of its own.
cases() {
    dbus-daemon --session --address="$DBUS_SESSION_BUS_ADDRESS" --fork --nopidfile
    /lib/systemd/systemd --user --unit=quiet.target >"$HOME/manager" 2>&1 &
    local manager=$! pid
    await systemctl --user list-units --no-pager >/dev/null 2>&1 || fail "no manager: $(cat "$HOME/manager")"

    systemctl --user start "$unit" || fail "does not start"
    await answers || fail "does not answer"
    ok "it starts with credentials alone, and answers"

    pid=$(property MainPID)
    if ! has "$pid" NoNewPrivs 1 || ! has "$pid" Seccomp 2; then fail "no walls"; fi
    [ "$(stat -c %a "$HOME/.config/kapso-whatsapp/state.db")" = 600 ] || fail "the journal is open to others"
    ok "it is walled in, and its files are its own"

    kill -KILL "$pid"
    await is NRestarts 1 || fail "does not come back"
    await answers || fail "does not answer after a kill"
    ok "it comes back after a kill"

    systemctl --user stop "$unit"
    if ! is Result success || ! is ActiveState inactive; then fail "does not stop in order"; fi
    ok "it stops in order"

    echo 'log = 7' >"$HOME/.config/kapso-whatsapp/config.toml"
    systemctl --user start "$unit" || true
    await is ActiveState failed || fail "goes on with a configuration that cannot be used"
    if ! is ExecMainStatus 2 || ! is NRestarts 0; then fail "tries again what cannot be used"; fi
    grep -q 'config.toml:1: log' "$HOME/log" || fail "does not say what is wrong"
    ok "a configuration that cannot be used stops it, and is told"

    kill "$manager"
    wait "$manager" || true
}

# As root, in namespaces: a /run and a cgroup of this test's own.
prepare() {
    local home=$1
    mount -t tmpfs tmpfs /run
    mkdir -p /run/systemd/system /run/user/1 /run/credstore
    printf 'a-key\n' >/run/credstore/KAPSO_API_KEY
    printf '123456\n' >/run/credstore/KAPSO_PHONE_NUMBER_ID
    umount -l /sys/fs/cgroup
    mount -t tmpfs tmpfs /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mkdir -p /sys/fs/cgroup/kapso-unit-test
    echo $$ >/sys/fs/cgroup/kapso-unit-test/cgroup.procs
    chown -R daemon /run/user/1 /sys/fs/cgroup/kapso-unit-test "$home"
    chmod 700 /run/user/1
    env -i HOME="$home" PATH="$home/.local/bin:/usr/bin:/bin" XDG_RUNTIME_DIR=/run/user/1 SYSTEMD_LOG_TARGET=console \
        DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1/bus \
        setpriv --reuid daemon --regid daemon --clear-groups bash "$0" --cases
}

case "${1:-}" in
--cases) cases ;;
--prepare) prepare "$2" ;;
*)
    [ "$(id -u)" = 0 ] || { echo "root is needed, for the namespaces" >&2; exit 1; }
    work=$(mktemp -d)
    cleanup() {
        rm -rf "$work"
        # The last processes of the cgroup may be on their way out.
        await groups_are_gone || echo "the cgroup kapso-unit-test is left" >&2
    }
    trap cleanup EXIT
    chmod 755 "$work"
    units="$work/.config/systemd/user"
    mkdir -p "$units/$unit.service.d" "$work/.local/bin" "$work/.config/kapso-whatsapp"
    install -m 755 "${1:-$built/kapso-whatsapp-poller}" "$work/.local/bin/kapso-whatsapp-poller"
    install -m 755 "${2:-$built/kapso-whatsapp-cli}" "$work/.local/bin/kapso-whatsapp-cli"
    install -m 755 "$0" "$work/unit-test.sh"
    cp "packaging/systemd/user/$unit.service" "$units"
    printf '[Unit]\nDescription=Nothing\n' >"$units/quiet.target"
    # A log to look at, and no way to Kapso.
    printf '[Service]\nStandardError=append:%s/log\nEnvironment=KAPSO_BASE_URL=http://127.0.0.1:1\n' "$work" \
        >"$units/$unit.service.d/test.conf"
    unshare --mount --pid --fork --mount-proc --cgroup --kill-child bash "$work/unit-test.sh" --prepare "$work"
    ;;
esac
