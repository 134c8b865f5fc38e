"""What was measured: rows with their ratios to the best peer of the same cell, as CSV and as Markdown."""
import csv
import statistics

COLUMNS = ["work", "threads", "subject", "version", "dtype", "isa", "metric", "min", "median", "n", "relative_rms", "best_peer", "ratio", "note"]
OURS = "pml"


def kind_of(dtype):
    return "int8" if dtype.startswith("int8") else dtype


def number(value):
    return "" if value is None else f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


class Table:
    """Smaller is better in every metric. A cell is one work, number of threads, metric and kind of dtype."""

    def __init__(self):
        self.rows = []

    def add(self, work, threads, subject, dtype, metric, values, isa="", version="", relative_rms=None, note=""):
        if values:
            self.rows.append(dict(work=work, threads=threads, subject=subject, version=version, dtype=dtype, isa=isa, metric=metric,
                                  min=min(values), median=statistics.median(values), n=len(values), relative_rms=relative_rms,
                                  note=note, best_peer="", ratio=None))

    def find(self, work, subject, dtype, metric="ms", threads=1, isa=""):
        wanted = dict(work=work, subject=subject, dtype=dtype, metric=metric, threads=threads, isa=isa)
        return next((r["min"] for r in self.rows if all(r[k] == v for k, v in wanted.items())), None)

    def best_peer(self, row):
        cell = [r for r in self.rows if r["subject"] != OURS and kind_of(r["dtype"]) == kind_of(row["dtype"])
                and all(r[k] == row[k] for k in ("work", "threads", "metric"))]
        return min(cell, key=lambda r: r["min"], default=None)

    def rate(self):
        for row in self.rows:
            best = self.best_peer(row) if row["subject"] == OURS else None
            if best:
                row["best_peer"], row["ratio"] = best["subject"], row["min"] / best["min"]

    def write_csv(self, path):
        with open(path, "w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, COLUMNS, lineterminator="\n")
            writer.writeheader()
            for row in self.rows:
                shown = dict(row, min=f"{row['min']:.6g}", median=f"{row['median']:.6g}", ratio=number(row["ratio"]),
                             relative_rms=number(row["relative_rms"]))
                writer.writerow(shown)

    def markdown(self):
        """One table per work, one line per subject."""
        parts = []
        for work in dict.fromkeys(r["work"] for r in self.rows):
            rows = [r for r in self.rows if r["work"] == work]
            titles = ["threads", "dtype", "subject", "metric", "min", "median", "relative RMS error", "÷ best peer", ""]
            parts.append(f"\n### {work}\n\n| " + " | ".join(titles) + " |\n|--:|---|---|---|--:|--:|--:|--:|---|\n")
            for r in sorted(rows, key=lambda r: (r["threads"], r["metric"], kind_of(r["dtype"]), r["min"])):
                name = f"**{OURS}** {r['isa']}".strip() if r["subject"] == OURS else r["subject"]
                ratio = f"{r['ratio']:.2f} ({r['best_peer']})" if r["ratio"] else ""
                cells = [str(r["threads"]), r["dtype"], name, r["metric"], number(r["min"]), number(r["median"]),
                         number(r["relative_rms"]), ratio, r["note"]]
                parts.append("| " + " | ".join(cells) + " |\n")
        return "".join(parts)
