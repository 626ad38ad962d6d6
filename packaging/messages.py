#!/usr/bin/env python3
"""Checks that what docs/troubleshooting.md quotes from the program is really said by it: the first text in `code` of
each row of its tables has to stand in the sources. Rows on what `trace` shows are of another kind: their words are
states and reasons.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def said() -> str:
    """All texts of the program, with string continuations joined and format arguments left out."""
    texts = []
    for file in sorted((ROOT / "crates").glob("*/src/**/*.rs")):
        texts.append(re.sub(r"\\\n\s*", "", file.read_text(encoding="utf-8")).replace('\\"', '"'))
    return re.sub(r"\{[a-z_.:?]*\}", "{}", "\n".join(texts))


def quoted() -> list[str]:
    quotes, counts = [], False
    for line in (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            counts = False
        elif line.startswith("| it says"):
            counts = True
        elif counts and (first := re.match(r"\| (.*?) \|", line)):
            quotes += re.findall(r"`([^`]+)`", first[1].split(" (")[0])
    return quotes


def main() -> int:
    program, quotes = said(), quoted()
    missing = []
    for quote in quotes:
        # `…` stands for what differs, `$VAR` for a name.
        parts = re.split(r"…|\$VAR", quote)
        if not all(part.strip() in program for part in parts):
            missing.append(quote)
    for quote in missing:
        print(f"docs/troubleshooting.md quotes {quote!r}, which the program does not say", file=sys.stderr)
    print(f"{len(quotes)} quoted messages compared")
    return 1 if missing or not quotes else 0


if __name__ == "__main__":
    sys.exit(main())
