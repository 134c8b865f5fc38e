"""MiniLM and GPT-2 as ONNX graphs of the fused operators that ONNX Runtime's transformer optimiser makes, and bare products."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FUSED = "com.microsoft"


class Graph:
    def __init__(self, weights):
        self.weights, self.nodes, self.stored, self.names = weights, [], {}, 0

    def put(self, name, array):
        self.stored.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def vector(self, name):
        return self.put(name, self.weights[name])

    def pair(self, name):
        return [self.vector(name + ".weight"), self.vector(name + ".bias")]

    def node(self, kind, inputs, outputs=1, domain="", **attributes):
        if isinstance(outputs, int):
            outputs = [f"t{self.names + i}" for i in range(outputs)]
            self.names += len(outputs)
        self.nodes.append(helper.make_node(kind, inputs, outputs, f"{kind}{len(self.nodes)}", domain=domain, **attributes))
        return outputs

    def product(self, x, name, matrix):
        return self.node("MatMul", [x, self.put(name, matrix)])[0]

    def save(self, path, inputs, outputs):
        value = lambda v: helper.make_tensor_value_info(*v)  # noqa: E731
        graph = helper.make_graph(self.nodes, "bench", [value(v) for v in inputs], [value(v) for v in outputs],
                                  list(self.stored.values()))
        onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)]),
                  path)


def write_minilm(weights, path, n_layers=6, n_heads=12):
    g = Graph(weights)
    tables = [g.vector(f"embeddings.{t}_embeddings.weight") for t in ("word", "position", "token_type")]
    x = g.node("EmbedLayerNormalization", ["ids", "types", *tables, *g.pair("embeddings.LayerNorm")], 2, FUSED, epsilon=1e-12)[0]
    for i in range(n_layers):
        at = f"encoder.layer.{i}."
        parts = [at + "attention.self." + p for p in ("query", "key", "value")]
        weight = g.put(at + "qkv.weight", np.concatenate([weights[p + ".weight"] for p in parts]).T)
        bias = g.put(at + "qkv.bias", np.concatenate([weights[p + ".bias"] for p in parts]))
        attended = g.node("Attention", [x, weight, bias, "mask"], 1, FUSED, num_heads=n_heads)[0]
        y = g.product(attended, at + "attended.weight", weights[at + "attention.output.dense.weight"].T)
        bias = g.vector(at + "attention.output.dense.bias")
        x = g.node("SkipLayerNormalization", [y, x, *g.pair(at + "attention.output.LayerNorm"), bias], 1, FUSED, epsilon=1e-12)[0]
        y = g.product(x, at + "up.weight", weights[at + "intermediate.dense.weight"].T)
        y = g.node("BiasGelu", [y, g.vector(at + "intermediate.dense.bias")], 1, FUSED)[0]
        y = g.product(y, at + "down.weight", weights[at + "output.dense.weight"].T)
        bias = g.vector(at + "output.dense.bias")
        x = g.node("SkipLayerNormalization", [y, x, *g.pair(at + "output.LayerNorm"), bias],
                   ["hidden"] if i == n_layers - 1 else 1, FUSED, epsilon=1e-12)[0]
    g.save(path, [(n, TensorProto.INT32, ["batch", "tokens"]) for n in ("ids", "types", "mask")],
           [("hidden", TensorProto.FLOAT, ["batch", "tokens", 384])])


def write_gpt2(weights, path, n_layers=12, n_heads=12, width=768, vocabulary=50257):
    """With a cache of fixed room, bound in place: past.<k|v>.<layer> and present.<k|v>.<layer>."""
    g = Graph(weights)
    rows = g.node("Gather", [g.vector("wte.weight"), "ids"]) + g.node("Gather", [g.vector("wpe.weight"), "positions"])
    x = g.node("Add", rows)[0]
    room = ["batch", n_heads, "room", width // n_heads]
    caches = []

    def linear(x, name):
        return g.node("Add", [g.product(x, name + ".weight", weights[name + ".weight"]), g.vector(name + ".bias")])[0]

    def add_and_norm(y, x, name):
        y, _, _, x = g.node("SkipLayerNormalization", [y, x, *g.pair(name)], 4, FUSED, epsilon=1e-5)
        return y, x

    y = g.node("LayerNormalization", [x, *g.pair("h.0.ln_1")], epsilon=1e-5)[0]
    for i in range(n_layers):
        at = f"h.{i}."
        past, present = ([f"{when}.{kind}.{i}" for kind in "kv"] for when in ("past", "present"))
        caches.append((past, present))
        y = g.node("GroupQueryAttention", [linear(y, at + "attn.c_attn"), "", "", *past, "lengths", "total"], [f"attended{i}", *present],
                   FUSED, num_heads=n_heads, kv_num_heads=n_heads)[0]
        y, x = add_and_norm(linear(y, at + "attn.c_proj"), x, at + "ln_2")
        y = g.product(y, at + "mlp.c_fc.weight", weights[at + "mlp.c_fc.weight"])
        y = g.node("FastGelu", [y, g.vector(at + "mlp.c_fc.bias")], 1, FUSED)[0]
        y, x = add_and_norm(linear(y, at + "mlp.c_proj"), x, f"h.{i + 1}.ln_1" if i + 1 < n_layers else "ln_f")
    y = g.node("Gather", [y, g.put("last", np.array([-1]))], axis=1)[0]
    g.node("MatMul", [y, g.put("head", weights["wte.weight"].T)], ["logits"])
    values = lambda i: [(name, TensorProto.FLOAT, room) for pair in caches for name in pair[i]]  # noqa: E731
    g.save(path, [("ids", TensorProto.INT64, ["batch", "tokens"]), ("positions", TensorProto.INT64, ["batch", "tokens"]),
                  ("lengths", TensorProto.INT32, ["batch"]), ("total", TensorProto.INT32, []), *values(0)],
           [("logits", TensorProto.FLOAT, ["batch", 1, vocabulary]), *values(1)])


def write_product(weight, rows, path):
    """One product with a constant matrix: MatMulInteger for bytes, MatMul for floats."""
    g = Graph({})
    is_integer = weight.dtype == np.int8
    g.node("MatMulInteger" if is_integer else "MatMul", ["x", g.put("w", weight)], ["y"])
    g.save(path, [("x", TensorProto.UINT8 if is_integer else TensorProto.FLOAT, [rows, weight.shape[0]])],
           [("y", TensorProto.INT32 if is_integer else TensorProto.FLOAT, [rows, weight.shape[1]])])
