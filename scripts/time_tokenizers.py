#!/usr/bin/env python3
"""Times the Python package `tokenizers` as a peer of scripts/bench: one line "ms X" per repetition, one thread.

    scripts/time_tokenizers.py VOCAB.txt TEXT.txt
"""
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import BertWordPieceTokenizer  # noqa: E402  (after the environment that it reads)


def main():
    vocabulary, path = sys.argv[1:]
    tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=True)
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    for _ in range(5):
        start = time.perf_counter()
        tokenizer.encode_batch(lines)
        print("ms", (time.perf_counter() - start) * 1e3)


main()
