#!/usr/bin/env python3
"""Makes tests/goldens/windows: a series and the windows that research code cuts out of it, with numpy alone.

    scripts/make_window_oracle.py tests/goldens/windows

expected.f32 holds, for each of M, S and MS, for train, val and test, window after window: x [T, C], x_mark [T, 4],
decoder marks [label + S, 4] and y [label + S, K], all float32.
"""
import datetime
import sys

import numpy as np

T, LABEL, S = 5, 2, 3
ROWS, COLUMNS = 40, ["load", "OT", "heat"]  # the target is not the last
SPLIT = (24, 32, 40)


def series():
    i = np.arange(ROWS, dtype=np.float64)
    values = np.stack([np.round(10 * np.sin(i / 3), 3), i % 7 - 2.5, 1000 + i * i], axis=1)
    start = datetime.datetime(2019, 12, 30, 20)
    return values, [start + datetime.timedelta(hours=h) for h in range(ROWS)]


def marks(dates):
    rows = [[d.hour / 23 - .5, d.weekday() / 6 - .5, (d.day - 1) / 30 - .5, (d.timetuple().tm_yday - 1) / 365 - .5]
            for d in dates]
    return np.array(rows, dtype=np.float64)


def main():
    folder = sys.argv[1]
    values, dates = series()
    with open(f"{folder}/series.csv", "w", encoding="utf-8") as f:
        f.write("date," + ",".join(COLUMNS) + "\n")
        for date, row in zip(dates, values):
            f.write(f"{date:%Y-%m-%d %H:%M:%S}," + ",".join(repr(float(v)) for v in row) + "\n")
    pieces = []
    orders = {"M": [0, 1, 2], "S": [1], "MS": [0, 2, 1]}
    for features, order in orders.items():
        data = values[:, order]
        train = data[:SPLIT[0]]
        data = ((data - train.mean(axis=0)) / train.std(axis=0)).astype(np.float32)
        stamps = marks(dates).astype(np.float32)
        for begin, end in ((0, SPLIT[0]), (SPLIT[0] - T, SPLIT[1]), (SPLIT[1] - T, SPLIT[2])):
            for i in range(begin, end - T - S + 1):
                y = slice(i + T - LABEL, i + T + S)
                pieces += [data[i:i + T], stamps[i:i + T], stamps[y], data[y, -1:] if features == "MS" else data[y]]
    np.concatenate([p.ravel() for p in pieces]).tofile(f"{folder}/expected.f32")


main()
