#!/usr/bin/env python3
"""Compares the options of the Nix modules with the program's keys: every key has an option, and no option is without a
key.

The keys are those of the table in docs/configuration.md, which a test of the program keeps complete. What
config.example.toml sets is compared as well, so that neither document can be the only one that is right.

With a built daemon, that one also judges a configuration file as the modules write it, with nearly every option in it.

Usage: nix-keys.py EVALUATION.json [POLLER], where the evaluation is made by
`nix-instantiate --eval --strict --json nix/eval-test.nix`
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Secrets never become options: the Nix store is readable by everyone. These come by `secrets`, as files.
BY_FILE = {
    "kapso.api_key": "KAPSO_API_KEY",
    "webhook.verify_token": "KAPSO_WEBHOOK_VERIFY_TOKEN",
    "webhook.secret": "KAPSO_WEBHOOK_SECRET",
    "webhook.app_secret": "KAPSO_WEBHOOK_APP_SECRET",
    "gateway.token": "OPENCLAW_TOKEN",
    "transcribe.api_key": "KAPSO_TRANSCRIBE_API_KEY",
}
# The same, with a key of its own for the file: `numbers.webhook_secret_file`.
BY_OTHER_KEY = {"numbers.webhook_secret"}
# Tables whose names are the user's own: what stands in them belongs to the table itself.
OWN_NAMES = re.compile(r"^((?:numbers\.)?security\.(?:roles|gateway_commands))\..*$")


def documented() -> set[str]:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))


def exemplified() -> set[str]:
    keys, section = set(), ""
    for line in (ROOT / "config.example.toml").read_text(encoding="utf-8").splitlines():
        if table := re.match(r"#?\[{1,2}([^\]]+)\]{1,2}$", line):
            section = re.sub(r'\."[^"]*"', "", table[1]) + "."
        elif key := re.match(r"#?([a-z_]+) = ", line):
            keys.add(OWN_NAMES.sub(r"\1", section + key[1]))
    return keys


def toml(value: object) -> str:
    """A value as TOML writes it: as JSON does, but for tables."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def judged(poller: str, sample: dict) -> str | None:
    """What the daemon says against the sample."""
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder, "secret")
        secret.write_text("0123456789", encoding="utf-8")
        for number in sample["numbers"]:
            number["webhook_secret_file"] = str(secret)
        file = Path(folder, "config.toml")
        file.write_text("".join(f"{key} = {toml(value)}\n" for key, value in sample.items()), encoding="utf-8")
        environment = {"HOME": folder, "KAPSO_API_KEY_FILE": str(secret)}
        run = subprocess.run([poller, "--check", "--config", file], env=environment, capture_output=True, text=True)
    return run.stderr.strip() if run.returncode else None


def main(evaluation: str, poller: str | None = None) -> int:
    known = json.loads(Path(evaluation).read_text(encoding="utf-8"))
    options, secrets = set(known["keys"]), set(known["secrets"])
    covered = options | BY_OTHER_KEY | {key for key, variable in BY_FILE.items() if variable in secrets}
    keys = documented()
    complaints = [f"test failed: {name}" for name in known["failed"]]
    complaints += [f"nix/options.nix has no option for {key}" for key in sorted((keys | exemplified()) - covered)]
    complaints += [f"nix/options.nix has an option for {key}, which is no key" for key in sorted(options - keys)]
    if poller and (refused := judged(poller, known["sample"])):
        complaints.append(f"the daemon refuses what the modules write: {refused}")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(f"{known['passed']} tests of the modules, {len(keys)} keys compared")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
