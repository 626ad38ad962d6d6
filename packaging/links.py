#!/usr/bin/env python3
"""Checks that every relative link in the Markdown files of this repository leads somewhere: to a file, and to a heading
if it names one.

Links to other hosts are not followed. Code blocks and code in lines are no prose, and are left out.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)


def prose(file: Path) -> str:
    text = re.sub(r"^(```|~~~).*?^\1", "", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(file: Path) -> set[str]:
    """The headings, as GitHub names them."""
    seen: dict[str, int] = {}
    names = set()
    text = re.sub(r"^(```|~~~).*?^\1", "", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", text, re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = seen.get(name, 0)
        seen[name] = count + 1
        names.add(f"{name}-{count}" if count else name)
    return names


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]
    count, dead = 0, []
    for file in files:
        for link in (one or other for one, other in LINK.findall(prose(file))):
            if re.match(r"[a-z][a-z0-9+.-]*:", link, re.IGNORECASE):
                continue
            count += 1
            path, _, anchor = link.partition("#")
            target = (file.parent / path).resolve() if path else file
            if not target.exists():
                dead.append(f"{file.relative_to(ROOT)}: {link} is not there")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                dead.append(f"{file.relative_to(ROOT)}: {link} names no heading")
    for link in dead:
        print(link, file=sys.stderr)
    print(f"{count} links in {len(files)} files followed")
    return 1 if dead or not count else 0


if __name__ == "__main__":
    sys.exit(main())
