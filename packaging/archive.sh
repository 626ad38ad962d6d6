#!/bin/sh
# archive.sh BUILD TARGET OUT: packs the programs of the folder BUILD, as install.sh expects them, into
# OUT/kapso-whatsapp-TARGET.tar.gz. The same content gives the same bytes.
set -eu
build=$1 target=$2 out=$3
cd "$(dirname "$0")/.."
mkdir -p "$out"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

install -m 755 "$build/kapso-whatsapp-poller" "$build/kapso-whatsapp-cli" "$folder"
install -m 644 LICENSE CHANGELOG.md README.md config.example.toml "$folder"
cp -R packaging/systemd skills docs "$folder"
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$folder" -cf - . |
    gzip -n >"$out/kapso-whatsapp-$target.tar.gz"
