# `just check` before every commit; CI runs it and `just e2e` (see .ci/run).

# Lists the recipes.
default:
    @just --list --unsorted

# Everything but the end-to-end runs.
check: fmt-check lint test doc

# Formats the code.
fmt:
    cargo fmt --all

# Fails when the code is not formatted.
fmt-check:
    cargo fmt --all --check

# Lints, warnings denied.
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The tests that need no network.
test:
    cargo test --workspace --locked

# The documentation of everything, warnings denied.
doc $RUSTDOCFLAGS="-D warnings":
    cargo doc --workspace --no-deps --document-private-items --locked

# End-to-end scenarios on real OpenClaw gateways: `just e2e [RELEASE[:RELAY]…] [--only NAME]`.
e2e *ARGUMENTS:
    cargo build --workspace --bins --locked
    "${CARGO_TARGET_DIR:-target}/debug/e2e" {{ ARGUMENTS }}

# The sandbox phone in a real Chromium (`CHROMIUM`, else /usr/bin/chromium; pictures in the target folder's `phone`), and
# Kapso's own SDK against the stand-in.
phone *ARGUMENTS:
    cargo build --package kapso-whatsapp-cli --locked
    npm ci --prefix crates/acceptance/phone --no-audit --no-fund --ignore-scripts
    cd crates/acceptance/phone && npm test -- {{ ARGUMENTS }}

# Kills and misleads the daemon between the stand-ins: `just chaos [--quick] [--only NAME] [--way WAY] [--seed NUMBER]`.
chaos *ARGUMENTS:
    cargo build --package acceptance --bin chaos --locked
    cargo build --package kapso-whatsapp-poller --features crash-points --locked
    "${CARGO_TARGET_DIR:-target}/debug/chaos" {{ ARGUMENTS }}

# Speed and size of the release build, as a table and as JSON; all, or `just bench FIGURE…` by parts of names.
bench *ARGUMENTS:
    cargo bench --package acceptance --bench speed --locked -- {{ ARGUMENTS }}

# Units, modules, installer, documents: what is around the binaries; see packaging/check.sh for the tools that it needs.
packaging:
    cargo build --workspace --bins --locked
    packaging/check.sh "${CARGO_TARGET_DIR:-target}/debug/kapso-whatsapp-poller" "${CARGO_TARGET_DIR:-target}/debug/kapso-whatsapp-cli"

# Fuzzes webhook, list_page, signature, frame or transcript; needs cargo-fuzz and a nightly compiler.
fuzz TARGET SECONDS="600":
    cargo +nightly run --quiet --manifest-path fuzz/Cargo.toml --locked --example seeds
    cargo +nightly fuzz run {{ TARGET }} -- -max_total_time={{ SECONDS }} -max_len=65536 -rss_limit_mb=512 \
        -timeout=5 -dict=fuzz/dictionaries/{{ TARGET }}.dict -print_final_stats=1
