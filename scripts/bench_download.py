#!/usr/bin/env python3
"""CPU seconds per GB of a download: pml-convert against the official client, from the same fake hub over loopback.

    scripts/bench_download.py BUILD [--rounds N] [--folder DIR] [--gigabytes G] [--files N]

Runs take turns, each into an empty cache; the least of each counts. BUILD/hub-client is made by scripts/setup_hub_client.
The official client checks sizes only; pml-convert hashes every byte. What the hash alone costs is measured beside it, so
that the transfer can be compared alone, too. CSV on stdout: client, CPU seconds per GB, seconds, greatest RSS in MiB.
"""
import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

SNAPSHOT = "import huggingface_hub as h; h.snapshot_download('acme/large')"


def measure(command, variables, cache):
    shutil.rmtree(cache, ignore_errors=True)
    start = time.monotonic()
    environment = {"PATH": "/usr/bin:/bin", "HOME": cache + ".home", "HF_HUB_CACHE": cache, **variables}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]}: exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024


def make_repository(folder, n_files, file_bytes):
    os.makedirs(folder)
    with open(f"{folder}/config.json", "w", encoding="utf-8") as out:
        out.write("{}")
    block = os.urandom(1 << 20)
    names = [f"model-{i + 1:05d}-of-{n_files:05d}.safetensors" for i in range(n_files)]
    for i, name in enumerate(names):
        with open(f"{folder}/{name}", "wb") as out:
            for piece in range(file_bytes >> 20):
                out.write((i * 4096 + piece).to_bytes(8, "little") + block[8:])
    with open(f"{folder}/model.safetensors.index.json", "w", encoding="utf-8") as out:
        rows = ", ".join(f'"t{i}": "{name}"' for i, name in enumerate(names))
        out.write('{"metadata": {}, "weight_map": {' + rows + "}}")


def hash_seconds(folder):
    """CPU seconds of hashing all files with the library that pml-convert uses."""
    block = bytearray(1 << 18)
    start = time.process_time()
    reading = 0.0
    for name in sorted(os.listdir(folder)):
        digest = hashlib.sha256()
        with open(f"{folder}/{name}", "rb", buffering=0) as file:
            while True:
                before = time.process_time()
                count = file.readinto(block)
                reading += time.process_time() - before
                if not count:
                    break
                digest.update(memoryview(block)[:count])
    return time.process_time() - start - reading


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where everything is written (default: a temporary folder)")
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--files", type=int, default=8)
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    work = tempfile.mkdtemp(prefix="bench-download-", dir=options.folder)
    file_bytes = int(options.gigabytes * 1e9 / options.files) >> 20 << 20
    try:
        make_repository(f"{work}/root/acme/large", options.files, file_bytes)
        gigabytes = options.files * file_bytes / 1e9
        hub = subprocess.Popen([f"{build}/tests/fake_hub", "--root", f"{work}/root"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
        endpoint = hub.stdout.readline().split()[0]
        clients = {"pml-convert": [f"{build}/pml-convert", "download", "acme/large", "-q"],
                   "huggingface_hub": [f"{build}/hub-client/bin/python", "-c", SNAPSHOT]}
        variables = {"HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_XET": "1"}
        runs = {name: [] for name in clients}
        urllib.request.urlopen(f"{endpoint}/api/models/acme/large").read()  # the hub hashes its files once
        for _ in range(options.rounds):
            for name, command in clients.items():
                runs[name].append(measure(command, variables, f"{work}/cache"))
        hashing = min(hash_seconds(f"{work}/root/acme/large") for _ in range(3)) / gigabytes
        print("client,cpu_seconds_per_gb,seconds,rss_mib")
        least = {name: min(run[0] for run in runs[name]) / gigabytes for name in clients}
        for name in clients:
            print(f"{name},{least[name]:.3f},{min(r[1] for r in runs[name]):.2f},{min(r[2] for r in runs[name]):.0f}")
        print(f"sha256 alone,{hashing:.3f},,")
        theirs, ours = least["huggingface_hub"], least["pml-convert"]
        print(f"their CPU / ours: {theirs / ours:.2f} hashing included, {theirs / (ours - hashing):.2f} without", file=sys.stderr)
        hub.stdin.close()
        hub.wait()
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
