#!/usr/bin/env python3
"""Compares the metrics that the dashboard, the alerts and docs/operations.md name with those that the daemon has, and
checks that Prometheus can read every expression of the dashboard. Needs promtool.

The daemon's are read from crates/bridge/src/control/metrics.rs and crates/store/src/counters.rs, where each stands as a
text.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "kapso_whatsapp_"
NAMED = re.compile(rf"\b{PREFIX}([a-z_]+)")


def words(path: str) -> set[str]:
    return set(re.findall(r'"([a-z_]+)"', (ROOT / path).read_text(encoding="utf-8")))


def expressions() -> list[str]:
    dashboard = json.loads((ROOT / "docs/grafana/dashboard.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def readable(found: list[str]) -> str | None:
    """What promtool says against the expressions, with values in the place of Grafana's variables."""
    rules = [
        {"record": f"panel:{number}", "expr": text.replace("$__rate_interval", "5m").replace("$instance", ".*")}
        for number, text in enumerate(found)
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
        file.flush()
        run = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True)
    return run.stderr if run.returncode else None


def main() -> int:
    families = words("crates/bridge/src/control/metrics.rs")
    counters = words("crates/store/src/counters.rs")
    complaints = []
    for path in ("docs/grafana/dashboard.json", "docs/grafana/alerts.yml", "docs/operations.md", "docs/guarantees.md"):
        for name in sorted(set(NAMED.findall((ROOT / path).read_text(encoding="utf-8")))):
            if name not in families and name.removesuffix("_total") not in families | counters:
                complaints.append(f"{path} names {PREFIX}{name}, which the daemon does not have")
    shown = expressions()
    if unread := readable(shown):
        complaints.append(f"docs/grafana/dashboard.json: {unread}")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(f"{len(shown)} expressions of the dashboard read")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
