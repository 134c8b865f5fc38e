"""Every file that the peers need, made once from the same checkpoints; run inside the private environment.

    python -m benches.peer_files WORK      each step that fails is named on stderr, and its peers are missing
"""
import os
import shutil
import sys

import numpy as np

from . import inputs, series, tensors


def here(work, *names):
    return os.path.join(work, *names)


def weights_of(work, model, prefix):
    return {k.removeprefix(prefix): np.array(v) for k, v in tensors.read(here(work, model, "model.safetensors")).items()}


def torch_model(work, name):
    import transformers
    transformers.logging.set_verbosity_error()
    kind = {"minilm": "BertModel", "gpt2": "GPT2LMHeadModel", "patchtst42": "PatchTSTForPrediction"}[name]
    more = {"add_pooling_layer": False} if name == "minilm" else {}
    return getattr(transformers, kind).from_pretrained(here(work, name), **more).eval()


def write_references(work, target):
    """What float64 gives: the truth that every subject's error is measured against."""
    import torch
    os.makedirs(target + ".part", exist_ok=True)
    put = lambda case, value: np.save(f"{target}.part/{case}.npy", value.numpy())  # noqa: E731
    with torch.no_grad():
        model = torch_model(work, "minilm").double()
        for case, shape in inputs.MINILM_SHAPES.items():
            ids = torch.from_numpy(inputs.minilm_ids(*shape))
            put(case, model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state)
        put("gpt2-prompt", torch_model(work, "gpt2").double()(torch.from_numpy(inputs.gpt2_ids(inputs.PROMPT))).logits[0, -1])
        model = torch_model(work, "patchtst42").double()
        for case, batch in inputs.PATCHTST_BATCHES.items():
            put(case, model(past_values=torch.from_numpy(inputs.series(batch)).double()).prediction_outputs)
    os.rename(target + ".part", target)


def ort_quantize(source, target):
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Attention"],
                     extra_options={"DefaultTensorType": TensorProto.FLOAT})


def ort_prepack(source, target):
    """The graph with weights as its kernels want them, in a file beside it that is mapped."""
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = target, 3
    for key, value in (("session.save_external_prepacked_constant_initializers", "1"),
                       ("session.optimized_model_external_initializers_file_name", os.path.basename(target) + ".data"),
                       ("session.optimized_model_external_initializers_min_size_in_bytes", "1024")):
        options.add_session_config_entry(key, value)
    ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def export_patchtst(work, target, batch):
    import torch
    model = torch_model(work, "patchtst42")

    class Forecast(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(past_values=x).prediction_outputs

    torch.onnx.export(Forecast().eval(), (torch.from_numpy(inputs.series(batch)),), target, dynamo=True, external_data=False,
                      input_names=["x"], output_names=["y"], verbose=False)


def write_openvino(work, target):
    """MiniLM by OpenVINO's own conversion from PyTorch; its INT8 by NNCF's static quantization on 16 samples."""
    import nncf
    import openvino as ov
    import torch
    model = torch_model(work, "minilm")
    ids = torch.from_numpy(inputs.minilm_ids(1, 128))
    example = dict(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=torch.zeros_like(ids))
    converted = ov.convert_model(model, example_input=example)
    ov.save_model(converted, target, compress_to_fp16=False)

    def sample(seed):
        ids = (inputs.minilm_ids(1, 128) * (2 * seed + 1) + seed) % 29000 + 999
        return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    quantized = nncf.quantize(converted, nncf.Dataset([sample(i) for i in range(16)]), subset_size=16,
                              model_type=nncf.ModelType.TRANSFORMER)
    ov.save_model(quantized, target.replace(".xml", "-int8.xml"), compress_to_fp16=False)


def ct2_convert(source, target, quantization=None):
    from ctranslate2.converters import TransformersConverter
    TransformersConverter(source).convert(target, quantization=quantization, force=True)


def steps(work):
    from functools import partial

    def fused(model, prefix, target):
        from . import graphs
        getattr(graphs, "write_" + model)(weights_of(work, model, prefix), target)

    def gguf_file(model, target):
        from . import gguf_files
        getattr(gguf_files, "write_" + model)(here(work, model), target)

    def gguf_quantize(model, target):
        from . import gguf_files
        gguf_files.quantize(here(work, model + ".gguf"), target, 1)

    yield "reference", partial(write_references, work)
    for model, prefix in (("minilm", "bert."), ("gpt2", "transformer.")):
        yield f"{model}.onnx", partial(fused, model, prefix)
        yield f"{model}-int8.onnx", lambda target, m=model: ort_quantize(here(work, m + ".onnx"), target)
        for dtype in ("", "-int8"):
            yield f"{model}{dtype}-prepacked.onnx", lambda t, m=model + dtype: ort_prepack(here(work, m + ".onnx"), t)
            yield f"{model}{dtype}-ct2", lambda t, m=model, d=dtype: ct2_convert(here(work, m), t, d[1:] or None)
        yield f"{model}.gguf", partial(gguf_file, model)
        yield f"{model}-q8_0.gguf", partial(gguf_quantize, model)
    for family in series.ARGUMENTS:
        yield family, partial(series.make_checkpoint, family)
    for case in series.EXPORTED:
        yield case + ".onnx", partial(series.export, work, case)
    for case, batch in inputs.PATCHTST_BATCHES.items():
        yield f"{case}.onnx", lambda target, b=batch: export_patchtst(work, target, b)
    yield "minilm.xml", partial(write_openvino, work)


def main():
    import logging
    import warnings
    warnings.filterwarnings("ignore")
    logging.disable(logging.ERROR)
    work = sys.argv[1]
    for name, make in steps(work):
        target = here(work, name)
        if os.path.exists(target):
            continue
        try:
            make(target)
            print("made", name, file=sys.stderr, flush=True)
        except Exception as error:  # one peer that is not installed must not keep out the others
            print(f"missing: {name}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr, flush=True)
            if os.path.isdir(target):
                shutil.rmtree(target)
            elif os.path.exists(target):
                os.remove(target)


if __name__ == "__main__":
    main()
