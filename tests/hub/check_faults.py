"""Every fault of fake_hub does what README.md says: check_faults.py FAKE_HUB. Talks over plain sockets, trusts nothing."""
import gzip
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

CONTENT = bytes(range(256)) * 40
PATH = "/acme/m/resolve/main/data.txt"


class Reply:
    """One reply, read until the connection ends."""

    def __init__(self, origin, path=PATH, method="GET", headers=(), patience=5.0):
        host, port = origin.split("//")[1].split(":")
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers, "", ""]
        raw, self.end = b"", "closed"
        with socket.create_connection((host, int(port)), timeout=patience) as connection:
            connection.sendall("\r\n".join(lines).encode())
            try:
                while piece := connection.recv(65536):
                    raw += piece
            except ConnectionResetError:
                self.end = "reset"
            except TimeoutError:
                self.end = "silent"
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.status = int(head.split()[1]) if head else 0
        self.headers = {k.lower(): v.strip() for k, v in re.findall(r"^([^:\r\n]+):([^\r\n]*)", head.decode("latin-1"), re.M)}

    def __getattr__(self, name):
        return self.headers.get(name.replace("_", "-"))


class Hub:
    def __init__(self, program, folder, script, *options):
        with open(f"{folder}/script", "w", encoding="utf-8") as out:
            out.write(script)
        self.process = subprocess.Popen([program, "--root", f"{folder}/root", "--script", f"{folder}/script", *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hub, self.cdn = self.process.stdout.readline().split()[:2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)


RANGE = ["Range: bytes=100-"]
N = len(CONTENT)
# fault, request headers, what must hold of the reply r
CASES = [
    ("status 503 Retry-After=7", [], lambda r: r.status == 503 and r.retry_after == "7"),
    ("cut 1000", [], lambda r: r.content_length == str(N) and r.body == CONTENT[:1000]),
    ("cut 50%", [], lambda r: r.body == CONTENT[:N // 2]),
    ("cut -1", [], lambda r: r.body == CONTENT[:-1]),
    ("cut 10", RANGE, lambda r: r.status == 206 and r.body == CONTENT[100:110]),
    ("cut-chunked 1000", [], lambda r: r.transfer_encoding == "chunked" and CONTENT[:1000] in r.body and b"\r\n0\r\n" not in r.body),
    ("cut-bare 1000", [], lambda r: not r.content_length and not r.transfer_encoding and r.body == CONTENT[:1000]),
    ("chunked", [], lambda r: r.transfer_encoding == "chunked" and r.body.endswith(b"\r\n0\r\n\r\n")),
    ("bare", [], lambda r: not r.content_length and not r.transfer_encoding and r.body == CONTENT),
    ("rst 1000", [], lambda r: r.end == "reset"),
    ("close", [], lambda r: r.status == 0 and r.end == "closed"),
    ("close rst", [], lambda r: r.status == 0 and r.end == "reset"),
    ("stall 1000", [], lambda r: r.end == "silent" and r.body == CONTENT[:1000]),
    ("stall 1000 20", [], lambda r: r.body == CONTENT),
    ("delay 50", [], lambda r: r.body == CONTENT),
    ("drip 5000 1", [], lambda r: r.body == CONTENT),
    ("flip 1000", [], lambda r: [i for i in range(N) if r.body[i] != CONTENT[i]] == [1000]),
    ("flip @1000", RANGE, lambda r: [i for i in range(N - 100) if r.body[i] != CONTENT[100 + i]] == [900]),
    ("garbage", [], lambda r: len(r.body) == N and r.body != CONTENT and r.content_length == str(N)),
    ("swap other.txt", [], lambda r: r.body == b"other"),
    ("short 3", [], lambda r: r.content_length == str(N - 3) and r.body == CONTENT[:-3]),
    ("long 3", [], lambda r: r.content_length == str(N + 3) and r.body == CONTENT + b"xxx"),
    ("ignore-range", RANGE, lambda r: r.status == 200 and r.body == CONTENT and not r.content_range),
    ("wrong-range start", RANGE, lambda r: r.status == 206 and r.content_range == f"bytes 101-{N - 1}/{N}"),
    ("wrong-range total", RANGE, lambda r: r.content_range == f"bytes 100-{N - 1}/{N + 1}"),
    ("wrong-range none", RANGE, lambda r: r.status == 206 and not r.content_range),
    ("wrong-range begin", RANGE, lambda r: r.content_range == f"bytes 0-{N - 101}/{N}" and r.body == CONTENT[:-100]),
    ("partial 10", [], lambda r: r.status == 206 and r.body == CONTENT[:10] and r.content_range == f"bytes 0-9/{N}"),
    ("unsatisfiable", RANGE, lambda r: r.status == 416 and r.content_range == f"bytes */{N}"),
    ("gzip", [], lambda r: r.content_encoding == "gzip" and gzip.decompress(r.body) == CONTENT),
    ("etag abc", [], lambda r: r.etag == '"abc"'),
    ("etag", [], lambda r: r.etag is None),
    ("weak-etag", [], lambda r: r.etag.startswith('W/"')),
    ("header X-Repo-Commit", [], lambda r: r.x_repo_commit is None),
    ("header 'X-Repo-Commit=../x y'", [], lambda r: r.x_repo_commit == "../x y"),
    ("huge-headers 3 1000", [], lambda r: r.x_filler_2 == "h" * 1000 and r.body == CONTENT),
    ("redirect {cdn}{path} 307", [], lambda r: r.status == 307 and r.location.endswith(PATH) and r.location.startswith("http")),
    ("body hello text/html", [], lambda r: r.body == b"hello" and r.content_type == "text/html"),
    ("flood 5000", [], lambda r: r.body == b" " * 5000),
    ("chunked & weak-etag", [], lambda r: r.transfer_encoding == "chunked" and r.etag.startswith("W/")),
]


def check(program, folder):
    wrong = []

    def expect(name, holds, reply):
        if not holds:
            wrong.append(f"{name}: status {reply.status}, {len(reply.body)} bytes, {reply.end}, {reply.headers}")

    for fault, headers, holds in CASES:
        with Hub(program, folder, f"get {fault}\n") as hub:
            reply = Reply(hub.hub, headers=headers, patience=0.5 if fault == "stall 1000" else 10)
            expect(fault, holds(reply), reply)
    with Hub(program, folder, "get status 500 +1 x2\nget:*/other.txt status 501 x1\n") as hub:
        counts = [Reply(hub.hub).status for _ in range(4)]
        expect("+1 x2", counts == [200, 500, 500, 200], Reply(hub.hub))
        others = [Reply(hub.hub, "/acme/m/resolve/main/other.txt").status for _ in range(2)]
        expect("pattern", others == [501, 200], Reply(hub.hub))
    with Hub(program, folder, "tree replace data.txt ../../x\nrevision body '{\"sha\":\"..\"}'\n") as hub:
        reply = Reply(hub.hub, "/api/models/acme/m/tree/main?recursive=true")
        expect("replace", b'"path":"../../x"' in reply.body, reply)
        reply = Reply(hub.hub, "/api/models/acme/m")
        expect("revision", reply.body == b'{"sha":".."}', reply)
    with Hub(program, folder, "", "--url-uses", "2", "--limit", "resolvers:3:3600") as hub:
        link = Reply(hub.hub, "/acme/m/resolve/main/weights.bin", "HEAD")
        expect("signed", link.status == 302 and link.x_linked_size == "6" and link.location.startswith(hub.cdn), link)
        target = link.location.removeprefix(hub.cdn)
        expect("expires", [Reply(hub.cdn, target).status for _ in range(3)] == [200, 200, 403], link)
        expect("is checked", Reply(hub.cdn, target.replace("serial=", "serial=1")).status == 403, link)
        expect("limit", [Reply(hub.hub).status for _ in range(3)] == [200, 200, 429], link)
        expect("limit", Reply(hub.hub).ratelimit.startswith('"resolvers";r=0;t='), Reply(hub.hub))
    return wrong


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f"{folder}/root/acme/m")
        for name, content in (("data.txt", CONTENT), ("other.txt", b"other"), ("weights.bin", b"binary")):
            with open(f"{folder}/root/acme/m/{name}", "wb") as out:
                out.write(content)
        wrong = check(sys.argv[1], folder)
    print("\n".join(wrong) if wrong else f"{len(CASES)} faults and more: as described")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
