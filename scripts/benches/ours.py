"""pml as a subject: files of every dtype, `pml-run bench` for the time and `pml-convert selftest` for the result."""
import json
import os
import subprocess
import sys

import numpy as np

from . import inputs, series, tensors

DTYPES = ["f32", "bf16", "int8", "int8-g64", "int8-g32"]
ISAS = {"": None, "avx512": "avx512", "avx2": "avx2", "scalar": "scalar"}  # "": all that this CPU has
SCALAR_CASES = {"minilm-1x16", "patchtst42-b1", "gpt2-generate"}  # elsewhere it only takes time
CASES = {  # case -> model, arguments of pml-run bench
    **{name: ("minilm", ["-b", str(b), "-p", str(t)]) for name, (b, t) in inputs.MINILM_SHAPES.items()},
    "gpt2-prompt": ("gpt2", ["-p", str(inputs.PROMPT), "-n", "0"]),
    "gpt2-generate": ("gpt2", ["-p", "0", "-n", str(inputs.GENERATED), "-d", str(inputs.PROMPT)]),
    **{name: ("patchtst42", ["-b", str(batch)]) for name, batch in inputs.PATCHTST_BATCHES.items()},
    **{name: (family, ["-b", str(batch), *(["-p", "7"] if family in series.FREE_CHANNELS else [])])
       for name, (family, batch) in series.CASES.items()},
}


def reference_of(work, case):
    return series.reference(work, case) if case in series.CASES else os.path.join(work, "reference", case + ".npy")


def environment(isa):
    env = {k: v for k, v in os.environ.items() if k not in ("PML_ISA", "PML_THREADS")}
    return env if ISAS[isa] is None else dict(env, PML_ISA=ISAS[isa])


class Files:
    def __init__(self, build, work):
        self.build, self.work, self.errors = build, work, {}

    def tool(self, name):
        return os.path.join(self.build, name)

    def path(self, model, dtype):
        """Converted by this build, once per run of the bench."""
        path = os.path.join(self.work, f"{model}-{dtype}.pml")
        if (model, dtype) not in self.errors:
            subprocess.run([self.tool("pml-convert"), os.path.join(self.work, model), "-o", path, "--dtype", dtype, "--force", "-q", *series.CONVERTED_WITH.get(model, [])],
                           check=True, stdout=subprocess.DEVNULL)
            self.errors[model, dtype] = {}
        return path

    def recorded_inputs(self, case, model):
        path = os.path.join(self.work, f"inputs-{case}.safetensors")
        if model in series.ARGUMENTS:
            arrays = {"in." + name: array for name, array in series.arrays(case).items()}
        elif model == "patchtst42":
            arrays = {"in.past_values": inputs.series(inputs.PATCHTST_BATCHES[case])}
        else:
            ids = inputs.minilm_ids(*inputs.MINILM_SHAPES[case]) if model == "minilm" else inputs.gpt2_ids(inputs.PROMPT)
            arrays = {"in.input_ids": ids, "in.attention_mask": np.ones_like(ids)}
        tensors.write(path, arrays)
        return path

    def relative_rms(self, case, dtype, isa):
        """Against the float64 reference; None where there is none, as without PyTorch."""
        model = CASES[case][0]
        measured = "gpt2-prompt" if model == "gpt2" else case
        reference = reference_of(self.work, measured)
        known = self.errors[model, dtype]
        if not os.path.exists(reference):
            return None
        if (measured, isa) not in known:
            out = os.path.join(self.work, "outputs.safetensors")
            subprocess.run([self.tool("pml-convert"), "selftest", self.path(model, dtype), "--io",
                            self.recorded_inputs(measured, model), "--out", out, "-q"], check=True, env=environment(isa),
                           stdout=subprocess.DEVNULL)
            name = {"minilm": "last_hidden_state", "gpt2": "logits"}.get(model, "prediction_outputs")
            values = tensors.read(out)["out." + name]
            known[measured, isa] = inputs.relative_rms(values[0, -1] if model == "gpt2" else values, np.load(reference))
        return known[measured, isa]


class Subject:
    """A dtype on an instruction set."""
    name, version = "pml", ""

    def __init__(self, files, case, dtype, isa, threads):
        self.files, self.case, self.dtype, self.isa, self.threads = files, case, dtype, isa, threads
        self.model, self.arguments = CASES[case]
        if isa == "scalar" and case == "gpt2-generate":
            self.arguments = ["8" if a == str(inputs.GENERATED) else a for a in self.arguments]  # enough to see how slow it is
        self.path, self.runs, self.note = files.path(self.model, dtype), None, ""
        self.share, self.read_gb_per_s = 0.0, 0.0

    def relative_rms(self):
        return self.files.relative_rms(self.case, self.dtype, self.isa)

    def turn(self, seconds, affinity):
        runs = self.runs or (1 if self.isa == "scalar" else 2)
        command = [self.files.tool("pml-run"), "bench", self.path, *self.arguments, "-t", str(self.threads), "-r", str(runs),
                   "--warmup", "1", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(self.isa), preexec_fn=affinity, check=False)
        if done.returncode != 0:
            sys.exit(f"bench: {' '.join(command)}\n{done.stderr}")
        result = json.loads(done.stdout)["results"][0]
        each_ms = result["min_ms"] * (inputs.GENERATED if self.case == "gpt2-generate" else 1)
        self.runs = max(3 if each_ms < 500 else 1, min(40, int(seconds * 1e3 / max(each_ms, 1e-3))))
        if self.case == "gpt2-generate":
            self.read_gb_per_s = max(self.read_gb_per_s, result["read_gb_per_s"])
            self.share = max(self.share, result["gb_per_s"] / result["read_gb_per_s"])
            self.note = f"{1e3 / result['min_ms']:.0f} tokens/s; {100 * self.share:.0f} % of reading"
        return result["runs_ms"]
