#!/usr/bin/env python3
"""Makes the cases `neuralforecast*` under tests/goldens: networks of that package as it saves them, random weights, what they compute.

    python3 scripts/make_golden_neuralforecast.py tests/goldens      needs neuralforecast 3.3
"""
import copy
import hashlib
import json
import os
import sys

import neuralforecast
import neuralforecast.models as models
import numpy as np
import torch
from safetensors.torch import save_file

CASES = [
    ("dlinear", "neuralforecast", "DLinear", dict(h=7, input_size=19, moving_avg_window=5), 2, "Odd sizes, an average over 5 steps."),
    ("dlinear", "neuralforecast-nlinear", "NLinear", dict(h=5, input_size=12), 2, "One map, told from others by its class."),
    ("itransformer", "neuralforecast", "iTransformer",
     dict(h=6, input_size=15, n_series=3, hidden_size=8, n_heads=2, d_ff=12, use_norm=False), 2, "Three series, no scaling of windows."),
    ("autoformer", "neuralforecast-odd", "Autoformer",
     dict(h=7, input_size=19, hidden_size=8, n_head=2, conv_hidden_size=12, MovingAvg_window=5, factor=2,
          decoder_input_size_multiplier=.25), 2,
     "A look-back of 19 steps: the inverse transform is not told how many there are."),
    ("autoformer", "neuralforecast-odd-decoder", "Autoformer",
     dict(h=6, input_size=18, hidden_size=8, n_head=2, conv_hidden_size=12, MovingAvg_window=5, factor=2, encoder_layers=1,
          decoder_layers=2), 2, "The decoder runs over 15 steps."),
    ("fedformer", "neuralforecast", "FEDformer",
     dict(h=6, input_size=20, hidden_size=16, conv_hidden_size=12, modes=4, random_seed=7), 2,
     "Frequencies drawn with the package's own argument random_seed; blocks that layers share are saved once."),
    ("timesnet", "neuralforecast", "TimesNet", dict(h=5, input_size=19, hidden_size=4, conv_hidden_size=6, top_k=2, num_kernels=3), 1,
     "scaler_type is standard by default and lies outside of the network, whose outputs these are."),
    ("patchtst", "neuralforecast", "PatchTST",
     dict(h=5, input_size=20, hidden_size=8, n_heads=2, linear_hidden_size=12, patch_len=6, stride=3, encoder_layers=2), 2,
     "revin_subtract_last is true by default."),
]


def disturb(model, generator):
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator, dtype=p.dtype)
            if p.is_complex():
                p.copy_(noise * (1.5 if "cross" in name else .3))
            elif p.requires_grad:
                p.add_(noise * (.2 if p.ndim == 1 else .2 * float(p.std(correction=0))))
        for name, b in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                b.add_(.3 * torch.rand(b.shape, generator=generator))


def run(model, x, wide):
    keep = torch.cfloat
    if wide:
        torch.cfloat = torch.complex128
        torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            return model({"insample_y": x.clone(), "futr_exog": None}).contiguous()
    finally:
        torch.cfloat = keep
        torch.set_default_dtype(torch.float32)


def make(root, family, name, class_name, arguments, batch, notes, seed):
    model = getattr(models, class_name)(accelerator="cpu", **arguments).eval()
    disturb(model, torch.Generator().manual_seed(seed))
    rng = np.random.RandomState(seed)
    steps, channels = arguments["input_size"], arguments.get("n_series", 1)
    t = np.arange(steps)[:, None]
    x = torch.tensor(np.stack([rng.randn(channels) + np.sin(2 * np.pi * t / p) + .4 * rng.randn(steps, channels)
                               for p in (5., 7.)[:batch]]), dtype=torch.float32)
    wide = copy.deepcopy(model).double()
    for p in wide.parameters():
        p.data = p.data.to(torch.complex128) if p.is_complex() else p.data
    out, out64 = run(model, x, False), run(wide, x.double(), True)
    folder = os.path.join(root, family, name)
    os.makedirs(folder, exist_ok=True)
    model.save(os.path.join(folder, "model.safetensors"))
    save_file({"in.x": x, "out.eval": out, "out64.eval": out64}, os.path.join(folder, "io.safetensors"))
    files = {f: hashlib.sha256(open(os.path.join(folder, f), "rb").read()).hexdigest() for f in ("io.safetensors", "model.safetensors")}
    case = dict(family=family, dialect="neuralforecast", source=f"neuralforecast.models.{class_name}",
                versions=dict(neuralforecast=neuralforecast.__version__, torch=torch.__version__), seed=seed, mode="eval", notes=notes,
                arguments=arguments, files=files)
    with open(os.path.join(folder, "case.json"), "w", encoding="utf-8") as f:
        json.dump(case, f, indent=1)
        f.write("\n")


for i, one in enumerate(CASES):
    make(sys.argv[1], *one, seed=900 + i)
