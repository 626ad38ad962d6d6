#!/usr/bin/env python3
"""Runs the proxies of docs/reverse-proxy.md, as they stand there, in front of the daemon, and pushes messages through
them.

Only what a test cannot have is exchanged in their configuration: name, ports, certificate. Needs nginx, caddy and
openssl.

Usage: proxy-test.py POLLER CLI [nginx] [caddy]
"""

import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "bridge.example.com"
SECRET = "0123456789abcdef0123456789abcdef"
TOKEN = "a-word"
NUMBER = "123456789012345"
# For each of the processes to listen.
PATIENCE = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on {port}: {log.read_text(errors='replace')}")


def documented(language: str) -> str:
    text = (ROOT / "docs/reverse-proxy.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    if len(blocks) != 1:
        sys.exit(f"docs/reverse-proxy.md has {len(blocks)} blocks of {language}, not one")
    return blocks[0]


def exchanged(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        if old not in text:
            sys.exit(f"docs/reverse-proxy.md does not say {old!r} any more: adapt this test")
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, bridge: int) -> list[str]:
    live = f"/etc/letsencrypt/live/{NAME}"
    server = exchanged(
        documented("nginx"),
        {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            f"{live}/fullchain.pem": str(folder / "cert.pem"),
            f"{live}/privkey.pem": str(folder / "key.pem"),
            "127.0.0.1:18790": f"127.0.0.1:{bridge}",
        },
    )
    (folder / "nginx.conf").write_text(
        # Its workers write large bodies into the folder, which is this user's.
        ("user root;\n" if os.geteuid() == 0 else "")
        + f"pid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n"
        + "".join(
            f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        + f"access_log off;\n{server}}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]


def caddy(folder: Path, port: int, bridge: int) -> list[str]:
    site = exchanged(
        documented("caddyfile"),
        {
            f"{NAME} {{": f"https://{NAME}:{port} {{\n\ttls {folder}/cert.pem {folder}/key.pem",
            "127.0.0.1:18790": f"127.0.0.1:{bridge}",
        },
    )
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


PROXIES = {"nginx": nginx, "caddy": caddy}


class Front:
    """Requests through the proxy, with its certificate checked."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.port = port
        self.context = ssl.create_default_context(cafile=str(certificate))

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=15)
        connection = http.client.HTTPConnection(NAME, self.port, timeout=15)
        connection.sock = self.context.wrap_socket(raw, server_hostname=NAME)
        connection.request(
            method, path, body, {"Content-Type": "application/json", "Connection": "close", **(headers or {})}
        )
        answer = connection.getresponse()
        status, content = answer.status, answer.read()
        connection.close()
        return status, content

    def push(self, body: bytes, key: str = SECRET) -> int:
        signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Webhook-Event": "whatsapp.message.received", "X-Webhook-Signature": signature}
        return self.ask("POST", "/webhook", body, headers)[0]


def message(wamid: str, text: str) -> bytes:
    return json.dumps(
        {
            "message": {
                "id": wamid,
                "timestamp": str(int(time.time())),
                "type": "text",
                "from": "15551234567",
                "text": {"body": text},
                "kapso": {
                    "direction": "inbound",
                    "status": "received",
                    "origin": "cloud_api",
                    "has_media": False,
                    "content": text,
                },
            },
            "conversation": {
                "id": "c",
                "phone_number": "+15551234567",
                "phone_number_id": NUMBER,
                "contact_name": "Ana",
            },
            "is_new_conversation": False,
            "phone_number_id": NUMBER,
        },
        ensure_ascii=False,
    ).encode()


def check(proxy: str, front: Front, recorded) -> None:
    def expect(what: str, seen, wanted) -> None:
        if seen != wanted:
            sys.exit(f"{proxy}: {what}: {seen!r} instead of {wanted!r}")
        print(f"ok  {proxy}: {what}")

    wamid = f"wamid.{proxy}"
    expect("a signed message is taken", front.push(message(wamid, "Hola, ¿qué tal? 😀")), 200)
    expect("it is recorded", wamid in recorded(), True)
    expect("a body of nearly 4 MiB reaches the bridge", front.push(message(f"{wamid}.long", "x" * 2_050_000)), 200)
    expect("a forged one is refused by the bridge", front.push(message(f"{wamid}.forged", "x"), "another"), 401)
    expect("an unsigned one too", front.ask("POST", "/webhook", b"{}")[0], 401)
    challenge = f"/webhook?hub.mode=subscribe&hub.verify_token={TOKEN}&hub.challenge=4711"
    expect("Meta's verification is answered", front.ask("GET", challenge), (200, b"4711"))
    for path in ("/health", "/metrics", "/", "/webhook/more"):
        expect(f"{path} is not passed on", front.ask("GET", path)[0], 404)


def main(poller: str, cli: str, *proxies: str) -> None:
    folder = Path(tempfile.mkdtemp())
    processes = []

    def start(command: list[str], name: str, port: int, environment: dict[str, str]) -> None:
        log = folder / f"{name}.log"
        processes.append(subprocess.Popen(command, env=environment, stdout=log.open("w"), stderr=subprocess.STDOUT))
        wait_for(port, processes[-1], log)

    try:
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                f"/CN={NAME}",
                "-addext",
                f"subjectAltName=DNS:{NAME}",
                "-keyout",
                folder / "key.pem",
                "-out",
                folder / "cert.pem",
            ],
            check=True,
            capture_output=True,
        )
        bridge = free_port()
        plain = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        ours = plain | {
            "KAPSO_API_KEY": "key",
            "KAPSO_PHONE_NUMBER_ID": NUMBER,
            "KAPSO_BASE_URL": "http://127.0.0.1:1",
            "KAPSO_MODE": "domain",
            "KAPSO_WEBHOOK_ADDR": f"127.0.0.1:{bridge}",
            "KAPSO_WEBHOOK_SECRET": SECRET,
            "KAPSO_WEBHOOK_VERIFY_TOKEN": TOKEN,
            "KAPSO_ALLOWED_NUMBERS": "+15551234567",
            "KAPSO_STATE_DIR": str(folder / "state"),
        }
        start([poller], "poller", bridge, ours)

        def recorded() -> str:
            return subprocess.run([cli, "inbox", "--json"], env=ours, check=True, capture_output=True, text=True).stdout

        for proxy in proxies or PROXIES:
            port = free_port()
            start(PROXIES[proxy](folder, port, bridge), proxy, port, plain)
            check(proxy, Front(port, folder / "cert.pem"), recorded)
    finally:
        for process in reversed(processes):
            # The daemon is first; it would take eight seconds to finish what is in flight, for nobody.
            process.kill() if process is processes[0] else process.terminate()
            process.wait(timeout=PATIENCE)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
