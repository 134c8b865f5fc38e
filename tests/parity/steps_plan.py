"""What a run of steps.json did, as text for tests/parity/steps.c: steps_plan.py CASE_DIR MODEL_DIR OUT_DIR

OUT_DIR/plan-I.txt, per run: the optimizer as --optimizer takes it, then of each step the first row of its windows, or
the number of its batch of OUT_DIR/batches.f32 where the case has one per step (-1: the recorded batch), the loss in float32 and in float64. OUT_DIR/norms-I-{32,64}/, where the case has norms of what came
out: a checkpoint whose tensors have these norms, all elements alike, so that the converter finds each one's canonical
name. Training on windows of a series takes $PML_DATA: OUT_DIR/series.f32 is the scaled one.
"""
import array
import csv
import json
import math
import os
import shutil
import sys

from gradient_source import read, write


def spec(run):
    settings = run.get("settings", run)
    name = run["optimizer"].rsplit(".", 1)[-1].lower()
    options = ["lr=%r" % settings["lr"]]
    if "weight_decay" in settings:
        options.append("weight_decay=%r" % settings["weight_decay"])
    if "betas" in settings:
        options.append("betas=%r/%r" % tuple(settings["betas"]))
    if "eps" in settings:
        options.append("eps=%r" % settings["eps"])
    if "momentum" in settings:
        options.append("momentum=%r" % settings["momentum"])
    return name + ":" + ",".join(options)


def write_norms(model_dir, out_dir, norms, ties):
    """A tensor without a norm is left alone: whoever reads knows it by NaN. Tied ones have the norm of their first."""
    os.makedirs(out_dir, exist_ok=True)
    for name in os.listdir(model_dir):
        if name.endswith((".json", ".txt")):
            shutil.copy(os.path.join(model_dir, name), out_dir)
    model, metadata = read(os.path.join(model_dir, "model.safetensors"))
    result = {}
    for name, (dtype, shape, data) in model.items():
        if dtype not in ("F32", "F16", "BF16", "C64"):
            result[name] = (dtype, shape, data)
            continue
        count = math.prod(shape) * (2 if dtype == "C64" else 1)
        norm = norms.get(ties.get(name, name), math.nan)
        if name.endswith("attn.c_attn.bias"):  # a third of it, the keys', is nothing but rounding
            norm = math.nan
        each = norm / math.sqrt(count)
        result[name] = ("C64" if dtype == "C64" else "F32", shape, array.array("f", [each] * count).tobytes())
    write(os.path.join(out_dir, "model.safetensors"), result, metadata)


def write_series(case, io, path):
    """The training rows, (x - mean) / std in float64, rounded once."""
    source = os.path.join(os.environ["PML_DATA"], "ETT", case["data"]["file"])
    mean = array.array("d", io["in.scaler_mean"][2])
    std = array.array("d", io["in.scaler_std"][2])
    begin, end = case["data"]["train_rows"]
    with open(source, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1 + begin:1 + end]
    values = array.array("f", [(float(text) - mean[c]) / std[c] for row in rows for c, text in enumerate(row[1:])])
    with open(path, "wb") as file:
        values.tofile(file)


def write_batches(io, out_dir):
    """Tokens of every step, and those after them: a file of floats, and the first batch as if it were recorded."""
    dtype, (n_steps, batch, length), data = io["in.batch"]
    ids = array.array("q", data)
    n = batch * (length - 1)
    floats, first = array.array("f"), []
    for step in range(n_steps):
        for shift in (0, 1):
            part = [ids[(step * batch + b) * length + t + shift] for b in range(batch) for t in range(length - 1)]
            floats.extend(part)
            if step == 0:
                first.append(("I64", [batch, length - 1], array.array("q", part).tobytes()))
    with open(os.path.join(out_dir, "batches.f32"), "wb") as file:
        floats.tofile(file)
    write(os.path.join(out_dir, "io.safetensors"), {"in.input_ids": first[0], "in.next_ids": first[1]}, None)


def main():
    case_dir, model_dir, out_dir = sys.argv[1:4]
    with open(os.path.join(case_dir, "steps.json"), encoding="utf-8") as file:
        steps = json.load(file)
    with open(os.path.join(case_dir, "case.json"), encoding="utf-8") as file:
        case = json.load(file)
    io, _ = read(os.path.join(case_dir, "io.safetensors"))
    os.makedirs(out_dir, exist_ok=True)
    for i, run in enumerate(steps.get("runs", [steps])):
        rows = run.get("first_row", [-1] * len(run["loss"]))
        if "in.batch" in io:
            rows = range(len(run["loss"]))
            write_batches(io, out_dir)
        with open(os.path.join(out_dir, "plan-%d.txt" % i), "w", encoding="utf-8") as file:
            file.write(spec(run) + "\n")
            for row, loss, loss64 in zip(rows, run["loss"], run["loss64"]):
                file.write("%d %r %r\n" % (row, loss, loss64))
        after = next((key for key in ("after10", "after20") if key in run), None)
        if after is not None:
            f64 = run.get(after + "_64", run[after])
            f32 = run.get(after + "_f32", run[after])
            ties = case.get("ties", {}) if isinstance(case.get("ties"), dict) else {}
            write_norms(model_dir, os.path.join(out_dir, "norms-%d-64" % i), f64, ties)
            write_norms(model_dir, os.path.join(out_dir, "norms-%d-32" % i), f32, ties)
        if "first_row" in run:
            write_series(case, io, os.path.join(out_dir, "series.f32"))


main()
