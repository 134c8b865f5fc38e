"""The forecasting families at the sizes of their official ETTh1 runs: random weights, one checkpoint for pml and the peers."""
import json
import os

import numpy as np

from . import inputs

COMMON = dict(features="M", label_len=48, pred_len=96, enc_in=7, dec_in=7, c_out=7, dropout=0.05, embed="timeF", freq="h", activation="gelu",
              output_attention=False)
SEASONAL = dict(COMMON, seq_len=96, d_model=512, n_heads=8, e_layers=2, d_layers=1, d_ff=2048, factor=3)
CHANNELS = dict(COMMON, model="iTransformer", seq_len=96, n_heads=8, e_layers=2, d_layers=1, factor=1, use_norm=1, class_strategy="projection")
ARGUMENTS = {  # family -> the run's arguments
    "dlinear": dict(COMMON, model="DLinear", seq_len=336, individual=False),
    "itransformer": dict(CHANNELS, d_model=256, d_ff=256),
    "itransformer-d128": dict(CHANNELS, d_model=128, d_ff=128),
    "autoformer": dict(SEASONAL, model="Autoformer", moving_avg=25),
    "fedformer": dict(SEASONAL, model="FEDformer", moving_avg=[24], version="Fourier", mode_select="random", modes=64, L=3, base="legendre",
                      cross_activation="tanh"),
    "timesnet": dict(COMMON, model="TimesNet", task_name="long_term_forecast", seq_len=96, d_model=16, d_ff=32, e_layers=2, d_layers=1, top_k=5,
                     num_kernels=6),
}
# A batch of TimesNet's computes something else in the library (periods that its samples share), and no graph can fold series by what they are.
CASES = {f"{family}-b{batch}": (family, batch) for family in ARGUMENTS for batch in (1, 32) if family != "timesnet" or batch == 1}
EXPORTED = [case for case, (family, _) in CASES.items() if family != "timesnet"]
CONVERTED_WITH = {"fedformer": ["--set", "fed.seed=2021"]}  # the seed of series_networks.py
FREE_CHANNELS = {"dlinear", "itransformer", "itransformer-d128"}  # pml-run bench is told how many


def arrays(case):
    """Window, its time marks, and those of the decoder's steps, by their names in pml."""
    family, batch = CASES[case]
    arguments = ARGUMENTS[family]
    found = {"past_values": inputs.series(batch, arguments["seq_len"])}
    if arguments["model"] != "DLinear":
        found["past_marks"] = inputs.marks(batch, 0, arguments["seq_len"])
    if arguments["model"] in ("Autoformer", "FEDformer"):
        found["decoder_marks"] = inputs.marks(batch, arguments["seq_len"] - arguments["label_len"], arguments["label_len"] + arguments["pred_len"])
    return found


def reference(directory, case):
    return os.path.join(directory, CASES[case][0], case + ".npy")


def make_checkpoint(family, target):
    """As the official code writes it, and what float64 gives for every case."""
    import torch
    os.makedirs(target)
    torch.manual_seed(len(family))
    torch.save(network(family).state_dict(), os.path.join(target, "checkpoint.pth"))
    with open(os.path.join(target, "config.json"), "w", encoding="utf-8") as f:
        json.dump(ARGUMENTS[family], f, indent=1)
    model = load(os.path.dirname(target), family)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(torch.complex128 if parameter.is_complex() else torch.float64)
    for buffer in model.buffers():
        buffer.data = buffer.data.double()
    with torch.no_grad():
        for case in [c for c, (of, _) in CASES.items() if of == family]:
            values = model(*[torch.from_numpy(a).double() for a in arrays(case).values()])
            np.save(reference(os.path.dirname(target), case), values.numpy())


def network(family):
    from .series_networks import NETWORKS
    from .timesnet_network import TimesNet
    return {**NETWORKS, "TimesNet": TimesNet}[ARGUMENTS[family]["model"]](**ARGUMENTS[family])


def load(directory, family):
    import torch
    model = network(family)
    model.load_state_dict(torch.load(os.path.join(directory, family, "checkpoint.pth")))
    return model.eval()


def export(directory, case, target):
    import torch
    given = arrays(case)
    torch.onnx.export(load(directory, CASES[case][0]), tuple(torch.from_numpy(a) for a in given.values()), target, dynamo=True,
                      external_data=False, input_names=list(given), output_names=["y"], verbose=False)


def torch_cases(torch, directory, family):
    model = load(directory, family)

    def case(name):
        given = [torch.from_numpy(a) for a in arrays(name).values()]
        run = lambda: model(*given)  # noqa: E731
        return lambda: (run(), None)[1], lambda: run().numpy()
    return {name: case(name) for name, (of, _) in CASES.items() if of == family}


def onnx_cases(open_session, directory, family):
    def case(name):
        session, given = open_session(os.path.join(directory, name + ".onnx")), arrays(name)
        feed = {i.name: given[i.name] for i in session.get_inputs()}
        run = lambda: session.run(None, feed)[0]  # noqa: E731
        return lambda: (run(), None)[1], run
    return {name: case(name) for name, (of, _) in CASES.items() if of == family}
