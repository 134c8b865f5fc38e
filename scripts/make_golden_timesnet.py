#!/usr/bin/env python3
"""Makes tests/goldens/timesnet/tsl-{anomaly,classification}: heads of which no run of the library was recorded, from the network of
scripts/benches/timesnet_network.py, which a recorded forecast of the library is first compared with.

    python3 scripts/make_golden_timesnet.py tests/goldens [GOLDENS/timesnet/tsl-forecast]      needs PyTorch and safetensors
"""
import copy
import hashlib
import json
import os
import sys

sys.dont_write_bytecode = True
import numpy as np
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from benches.timesnet_network import TimesNet  # noqa: E402

SIZES = dict(model="TimesNet", seq_len=22, label_len=0, pred_len=0, enc_in=3, dec_in=3, c_out=3, d_model=6, d_ff=8, e_layers=2, top_k=3,
             num_kernels=2, embed="timeF", freq="h", dropout=0.0)
CASES = {"tsl-anomaly": dict(SIZES, task_name="anomaly_detection"),
         "tsl-classification": dict(SIZES, task_name="classification", num_class=4)}
POSITIONS = "enc_embedding.position_embedding.pe"


def double(model):
    return copy.deepcopy(model).double()


def agrees(folder):
    """Whether the network computes what the library did."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        model = TimesNet(**json.load(f))
    model.load_state_dict(load_file(os.path.join(folder, "model.safetensors")))
    io = load_file(os.path.join(folder, "io.safetensors"))
    with torch.no_grad():
        y = double(model)(io["in.x_enc"].double(), io["in.x_mark_enc"].double())
    return float((y - io["out64.eval"]).abs().max()) < 1e-12


def make(root, name, arguments, seed):
    torch.manual_seed(seed)
    model = TimesNet(**arguments).eval()
    rng, t = np.random.RandomState(seed), np.arange(arguments["seq_len"])[:, None]
    wave = [rng.randn(3) + np.sin(2 * np.pi * t / p + rng.rand(3)) + .6 * np.sin(2 * np.pi * t / 3.3) + .3 * rng.randn(len(t), 3) for p in (5., 8.)]
    given = {"x_enc": torch.tensor(np.stack(wave), dtype=torch.float32)}
    if arguments["task_name"] == "classification":
        given["x_mark_enc"] = torch.ones(2, len(t))
        given["x_mark_enc"][1, -6:] = 0
    with torch.no_grad():
        run = lambda net, x: net(*x.values(), None).contiguous()  # noqa: E731
        out, out64 = run(model, given), run(double(model), {k: v.double() for k, v in given.items()})
    folder = os.path.join(root, "timesnet", name)
    os.makedirs(folder, exist_ok=True)
    weights = model.state_dict()
    weights[POSITIONS] = weights[POSITIONS][:, :64].contiguous()  # of 5000 rows
    save_file(weights, os.path.join(folder, "model.safetensors"))
    save_file({**{"in." + k: v for k, v in given.items()}, "out.eval": out, "out64.eval": out64}, os.path.join(folder, "io.safetensors"))
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        json.dump(arguments, f, indent=1)
        f.write("\n")
    files = {f: hashlib.sha256(open(os.path.join(folder, f), "rb").read()).hexdigest() for f in sorted(os.listdir(folder)) if f != "case.json"}
    case = dict(family="timesnet", dialect="tsl", source="scripts/benches/timesnet_network.py", versions=dict(torch=torch.__version__), seed=seed,
                mode="eval", notes="A batch of two, whose samples share their periods.", files=files)
    with open(os.path.join(folder, "case.json"), "w", encoding="utf-8") as f:
        json.dump(case, f, indent=1)
        f.write("\n")


if len(sys.argv) > 2 and not agrees(sys.argv[2]):
    sys.exit("the network does not compute what the library did")
for i, (name, arguments) in enumerate(CASES.items()):
    make(sys.argv[1], name, arguments, 950 + i)
