"""Bare matrix products of the peers: x [M, K] times a constant [K, N], packed ahead where the peer can. give() is the greatest error over the
greatest exact value. A call from Python costs some microseconds, which counts in the smallest shapes."""
import os
import tempfile

import numpy as np

from .peers import OnnxRuntime

ROWS, SIZES = (1, 4, 16, 128), (384, 768, 1536, 3072)
SHAPES = [(m, n, k) for m in ROWS for n in SIZES for k in SIZES]
QUICK_SHAPES = [(m, n, k) for m in ROWS for n, k in ((768, 768), (3072, 768))]


def name_of(m, n, k):
    return f"{m}x{n}x{k}"


def operands(m, n, k):
    random = np.random.default_rng(m * n + k)
    return random.integers(0, 256, (m, k), dtype=np.uint8), random.integers(-127, 128, (k, n), dtype=np.int8)


def error_of(y, x, w):
    exact = x.astype(np.float64) @ w.astype(np.float64)
    return float(np.abs(np.asarray(y, np.float64) - exact).max() / np.abs(exact).max())


def shapes(directory):
    return QUICK_SHAPES if os.environ.get("PML_BENCH_QUICK") else SHAPES


class Products:
    """One call for all shapes; `make(x, w, dtype, threads)` gives the function and how its result becomes an array."""

    @classmethod
    def cases(cls, work, dtype, threads, directory):
        made = {}
        for shape in shapes(directory):
            x, w = operands(*shape)
            run, array = cls.make(x, w, dtype, threads)
            made[name_of(*shape)] = (lambda run=run: (run(), None)[1],
                                     lambda run=run, array=array, x=x, w=w: error_of(array(run()), x, w))
        return made


class TorchProducts(Products):
    package = "torch"

    @staticmethod
    def make(x, w, dtype, threads):
        import torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        if dtype == "int8":  # oneDNN
            (k, n), ops = w.shape, torch.ops.onednn
            packed = ops.qlinear_prepack(torch.from_numpy(np.ascontiguousarray(w.T)), list(x.shape))
            scales, zeros, rows = torch.ones(n), torch.zeros(n, dtype=torch.int64), torch.from_numpy(x)
            return (lambda: ops.qlinear_pointwise(rows, 1.0, 0, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], "")), \
                lambda y: y.numpy()
        kind = torch.bfloat16 if dtype == "bf16" else torch.float32
        linear = torch.nn.Linear(*w.shape, bias=False).to(kind)
        linear.weight.data = torch.from_numpy(np.ascontiguousarray(w.T)).to(kind)
        rows = torch.from_numpy(x).to(kind)
        return (lambda: linear(rows)), lambda y: y.float().numpy()


class NumpyProducts(Products):
    package = "numpy"

    @staticmethod
    def make(x, w, dtype, threads):
        x, w = x.astype(np.float32), w.astype(np.float32)
        y = np.empty((len(x), w.shape[1]), np.float32)
        return (lambda: np.matmul(x, w, out=y)), lambda y: y


class OnnxRuntimeProducts(Products):
    package = "onnxruntime"

    @staticmethod
    def make(x, w, dtype, threads):
        import onnxruntime as ort
        from . import graphs
        if dtype == "f32":
            x, w = x.astype(np.float32), w.astype(np.float32)
        with tempfile.NamedTemporaryFile(suffix=".onnx") as f:
            graphs.write_product(w, len(x), f.name)
            session = OnnxRuntime.session(f.name, threads)
        y = np.empty((len(x), w.shape[1]), np.float32 if dtype == "f32" else np.int32)
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(x))
        binding.bind_ortvalue_output("y", ort.OrtValue.ortvalue_from_numpy(y))
        return (lambda: session.run_with_iobinding(binding)), lambda _: binding.copy_outputs_to_cpu()[0]


PEERS = {"PyTorch product": TorchProducts, "OpenBLAS (numpy)": NumpyProducts, "ONNX Runtime product": OnnxRuntimeProducts}
SUBJECTS = [("ONNX Runtime product", "f32"), ("ONNX Runtime product", "int8"), ("OpenBLAS (numpy)", "f32"), ("PyTorch product", "f32"),
            ("PyTorch product", "bf16"), ("PyTorch product", "int8")]
