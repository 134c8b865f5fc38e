#!/usr/bin/env python3
"""Writes a synthetic hourly series of seven columns, shaped like transformer load data but drawn from a formula.

    scripts/make_series.py [--rows 1000] > examples/hourly.csv

Daily and weekly cycles, a slow drift and autoregressive noise from a fixed linear congruential generator, so that the file is the
same on every machine. The column names are those the embedded checkpoint was trained on, so it can be forecast with it.
"""
import argparse
import datetime
import math

COLUMNS = [  # name, level, daily and weekly amplitude, noise
    ("HUFL", 9.0, 4.0, 1.0, 0.8), ("HULL", 2.5, 1.0, 0.3, 0.4), ("MUFL", 6.0, 3.5, 0.9, 0.7), ("MULL", 1.2, 0.9, 0.3, 0.4),
    ("LUFL", 2.9, 0.6, 0.2, 0.2), ("LULL", 0.9, 0.3, 0.1, 0.1), ("OT", 18.0, 3.0, 1.5, 0.5)]


def noise(seed):
    """Uniform numbers in [-1, 1) from the 64-bit generator with Knuth's MMIX constants."""
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> 11) / 2**52 - 1.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1000)
    rows = parser.parse_args().rows
    sources = [noise(2024 + i) for i in range(len(COLUMNS))]
    wander = [0.0] * len(COLUMNS)
    start = datetime.datetime(2024, 1, 1)
    print("date," + ",".join(c[0] for c in COLUMNS))
    for row in range(rows):
        values = []
        for i, (_, level, daily, weekly, rough) in enumerate(COLUMNS):
            wander[i] = 0.9 * wander[i] + rough * next(sources[i])
            phase = 2 * math.pi * row
            values.append(level + daily * math.sin(phase / 24 + 0.4 * i) + weekly * math.sin(phase / 168 + 0.2 * i)
                          + 0.001 * row + wander[i])
        stamp = start + datetime.timedelta(hours=row)
        print(stamp.strftime("%Y-%m-%d %H:%M:%S") + "," + ",".join(f"{v:.3f}" for v in values))


if __name__ == "__main__":
    main()
