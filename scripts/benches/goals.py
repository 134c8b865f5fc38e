"""What pml sets out to reach: ratios within one run, one thread, the smaller the better."""

from . import series

ORT, OPENVINO, LLAMA, TORCH = "ONNX Runtime", "OpenVINO", "llama.cpp", "PyTorch"


def ratio(table, work, dtype, peer, peer_dtype, metric="ms"):
    mine, theirs = table.find(work, "pml", dtype, metric), table.find(work, peer, peer_dtype, metric)
    return mine / theirs if mine and theirs else None


def error(work, dtype):
    return lambda table: next((r["relative_rms"] for r in table.rows if (r["work"], r["subject"], r["dtype"], r["isa"], r["threads"]) ==
                               (work, "pml", dtype, "", 1)), None)


def against(work, dtype, peer, peer_dtype, metric="ms"):
    return lambda table: ratio(table, work, dtype, peer, peer_dtype, metric)


def prepacked(what, dtype):
    def find(table):
        work = "first result, " + what
        theirs = [r["min"] for r in table.rows if r["work"] == work and r["subject"] == ORT and r["dtype"] == dtype and "prepacked" in r["note"]]
        mine = table.find(work, "pml", dtype)
        return mine / theirs[0] if mine and theirs else None
    return find


def product(rows, dtype, isa):
    """The worst of the square and rectangular shapes, beside the best peer of each."""
    def find(table):
        found = [r["ratio"] for r in table.rows if r["work"].startswith(f"product {rows}x") and r["dtype"] == dtype and r["isa"] == isa and
                 r["ratio"]]
        return max(found, default=None)
    return find


def missing_peak(rows, dtype, isa):
    """How many times slower than the core's peak the slowest shape is."""
    def find(table):
        found = [float(r["note"].split("; ")[1].split(" %")[0]) / 100 for r in table.rows
                 if r["work"].startswith(f"product {rows}x") and r["dtype"] == dtype and r["isa"] == isa and r["subject"] == "pml"]
        return 1 / min(found) if found and min(found) > 0 else None
    return find


def reading(table):
    notes = [r["note"] for r in table.rows if (r["work"], r["subject"], r["dtype"], r["isa"], r["threads"]) ==
             ("gpt2-generate", "pml", "int8", "", 1)]
    return 100 / float(notes[0].split("; ")[1].split(" %")[0]) if notes and "; " in notes[0] else None


def size(model, dtype):
    return lambda table: ratio_of_sizes(table, model, dtype)


def ratio_of_sizes(table, model, dtype):
    small, large = (table.find("file size, " + model, "pml", d, "MB") for d in (dtype, "f32"))
    return small / large if small and large else None


def memory(model):
    return lambda table: table.find("conversion memory, " + model, "pml", "int8", "private MB")


GOALS = [
    ("MiniLM 1 × 128 f32 ÷ OpenVINO", against("minilm-1x128", "f32", OPENVINO, "f32"), 1.0),
    ("MiniLM 1 × 128 bf16 ÷ OpenVINO bf16", against("minilm-1x128", "bf16", OPENVINO, "bf16"), 0.9),
    ("MiniLM 1 × 128 int8 ÷ OpenVINO int8", against("minilm-1x128", "int8", OPENVINO, "int8"), 0.9),
    ("relative RMS error of it", error("minilm-1x128", "int8"), 0.10),
    *[(f"MiniLM 1 × 128 {d} ÷ {p} int8", against("minilm-1x128", d, p, "int8"), bound)
      for d in ("int8-g64", "int8-g32") for p, bound in ((OPENVINO, 1.1), (ORT, 0.65))],
    *[(f"relative RMS error of {d}", error("minilm-1x128", d), 0.045) for d in ("int8-g64", "int8-g32")],
    ("MiniLM 1 × 16 int8 ÷ OpenVINO int8", against("minilm-1x16", "int8", OPENVINO, "int8"), 0.8),
    ("MiniLM 8 × 128 int8 ÷ OpenVINO int8", against("minilm-8x128", "int8", OPENVINO, "int8"), 1.0),
    ("GPT-2 prompt of 128 f32 ÷ ONNX Runtime", against("gpt2-prompt", "f32", ORT, "f32"), 0.75),
    ("GPT-2 prompt of 128 int8 ÷ ONNX Runtime int8", against("gpt2-prompt", "int8", ORT, "int8"), 0.6),
    ("GPT-2 each token int8 ÷ ONNX Runtime int8", against("gpt2-generate", "int8", ORT, "int8"), 1 / 1.5),
    ("GPT-2 each token int8 ÷ reading its weights", reading, 1 / 0.85),
    ("GPT-2 each token f32 ÷ llama.cpp f32", against("gpt2-generate", "f32", LLAMA, "f32"), 1.0),
    ("products of 128 rows int8 ÷ best peer, worst shape", product(128, "int8", "avx512vnni"), 1.0),
    ("products of 128 rows f32 ÷ best peer, worst shape", product(128, "f32", "avx512"), 1 / 1.1),
    ("products of 128 rows int8 ÷ peak, worst shape", missing_peak(128, "int8", "avx512vnni"), 1 / 0.85),
    ("products of 128 rows f32 ÷ peak, worst shape", missing_peak(128, "f32", "avx512"), 1 / 0.85),
    *[(f"PatchTST/42 batch {b} f32 ÷ OpenVINO", against(f"patchtst42-b{b}", "f32", OPENVINO, "f32"), 0.8) for b in (1, 32, 128)],
    *[(f"{case} f32 ÷ {peer}", against(case, "f32", peer, "f32"), bound) for case, (_, batch) in series.CASES.items() if batch == 1
      for peer, bound in ((TORCH, 0.3), (ORT, 0.6)) if peer == TORCH or case in series.EXPORTED],
    *[(f"relative RMS error of {case}", error(case, "f32"), 1e-3 if "fedformer" in case else 1e-5) for case in series.CASES],
    *[(f"first result, {what} int8 ÷ ONNX Runtime prepacked", prepacked(what, "int8"), 0.2)
      for what in ("minilm, 16 tokens", "minilm, 128 tokens", "gpt2, 128 tokens")],
    *[(f"conversion of {m} to int8 ÷ llama.cpp's quantization", against("conversion, " + m, "int8", LLAMA, "int8", "CPU s"), 1.0)
      for m in ("minilm", "gpt2")],
    *[(f"private MB of it, {m}", memory(m), 128) for m in ("minilm", "gpt2")],
    *[(f"file size {m} {d} ÷ f32", size(m, d), bound) for m in ("minilm", "gpt2") for d, bound in (("int8", 0.26), ("int8-g64", 0.27))],
]


def markdown(table):
    lines = ["| goal | at most | found | |\n|---|--:|--:|---|\n"]
    for name, find, bound in GOALS:
        found = find(table)
        verdict = "not measured" if found is None else "yes" if found <= bound else "**no**"
        lines.append(f"| {name} | {bound:.3g} | {'' if found is None else f'{found:.3g}'} | {verdict} |\n")
    return "".join(lines)


