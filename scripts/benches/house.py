"""Works without peers from other projects: conversion beside copying and hashing, opening, the tokenizer."""
import json
import os
import subprocess
import sys

from . import fresh, rounds

ROOT = os.path.dirname(rounds.SCRIPTS)


def convert_and_open(args, table, files):
    """pml-convert of a generated checkpoint beside `cp --reflink=never` and `sha256sum` of it; then opening what it wrote."""
    source = os.path.join(args.work, f"checkpoint-{args.size_mb}")
    if not os.path.exists(os.path.join(source, "model.safetensors")):
        subprocess.run([sys.executable, f"{ROOT}/scripts/make_checkpoint.py", "--size-mb", str(args.size_mb), source], check=True)
    weights, copy, converted = os.path.join(source, "model.safetensors"), os.path.join(args.work, "copy.bin"), \
        os.path.join(args.work, "converted.pml")
    commands = {"cp": ["cp", "--reflink=never", weights, copy], "sha256sum": ["sha256sum", weights],
                "pml": [files.tool("pml-convert"), source, "-o", converted, "--force", "-q"]}
    spent = {name: [] for name in commands}
    for _ in range(args.rounds):
        for name, command in commands.items():
            spent[name].append(fresh.spend(command)[1])
    for name, values in spent.items():
        table.add(f"convert {args.size_mb} MB to f32", 1, name, "f32", "CPU s", values)
    os.remove(copy)
    opened = [json.loads(subprocess.run([files.tool("bench_open"), converted], check=True, capture_output=True, text=True).stdout)
              for _ in range(args.rounds)]
    table.add(f"open {args.size_mb} MB", 1, "pml", "f32", "ms", [o["open_ms"] for o in opened],
              note=f"{opened[0]['private_bytes'] / 2**20:.2f} MiB private")
    os.remove(converted)


def tokenizer(args, table, files):
    """MiniLM's tokenizer on 2 MB of English lines, one thread."""
    path = os.path.join(args.work, "tokenizer.txt")
    pages = sorted(n for n in os.listdir(f"{ROOT}/specs") if n.endswith(".md"))
    text = "".join(open(f"{ROOT}/specs/{n}", encoding="utf-8").read() for n in pages)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text * (2_000_000 // len(text) + 1))
    times, theirs = [], []
    peer = [args.python, f"{ROOT}/scripts/time_tokenizers.py", os.path.join(args.work, "minilm", "vocab.txt"), path]
    for _ in range(args.rounds):
        done = subprocess.run([files.tool("bench_tokenizer"), files.path("minilm", "f32"), path], check=True, capture_output=True, text=True)
        times.append(json.loads(done.stdout)["results"][0]["min_ms"])
        if args.python:
            done = subprocess.run(peer, capture_output=True, text=True, check=False)
            theirs += [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("ms ")]
    table.add("tokenizer, 2 MB", 1, "pml", "text", "ms", times)
    table.add("tokenizer, 2 MB", 1, "tokenizers", "text", "ms", theirs)
