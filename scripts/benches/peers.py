"""The peers: each loads the files of one work and gives its cases as functions; see worker.py for who calls them.

A peer is a class with `cases(work, dtype, threads, directory)`, a dict: case -> (run, give). `run()` does the work once and returns nothing
or the milliseconds of one unit; `give()` returns the result that is compared with the reference, or None.
"""
import ctypes
import os
import time

import numpy as np

from . import inputs, series


def existing(directory, *names):
    for name in names:
        if not os.path.exists(os.path.join(directory, name)):
            raise FileNotFoundError(f"no {name} here")
    return os.path.join(directory, names[0])


def suffix(dtype):
    return "" if dtype == "f32" else "-" + dtype


def per_token(prefill, step):
    """Milliseconds of one of GENERATED tokens behind a fresh prompt; step(token, position) returns scores."""
    scores = prefill()
    start = time.perf_counter()
    for i in range(inputs.GENERATED):
        scores = step(int(scores.argmax()), inputs.PROMPT + i)
    return (time.perf_counter() - start) * 1e3 / inputs.GENERATED


class Torch:
    package, files = "torch", "model.safetensors"

    @staticmethod
    def cases(work, dtype, threads, directory):
        import torch
        from .peer_files import torch_model
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        if work in series.ARGUMENTS:
            return series.torch_cases(torch, directory, work)
        model = torch_model(directory, work)
        model = model.to(torch.bfloat16) if dtype == "bf16" else model
        return getattr(Torch, work)(torch, model)

    @staticmethod
    def minilm(torch, model):
        def case(shape):
            ids = torch.from_numpy(inputs.minilm_ids(*shape))
            mask = torch.ones_like(ids)
            run = lambda: model(input_ids=ids, attention_mask=mask).last_hidden_state  # noqa: E731
            return lambda: (run(), None)[1], lambda: run().float().numpy()
        return {name: case(shape) for name, shape in inputs.wanted(inputs.MINILM_SHAPES).items()}

    @staticmethod
    def gpt2(torch, model):
        ids, state = torch.from_numpy(inputs.gpt2_ids(inputs.PROMPT)), {}

        def feed(tokens, past):
            out = model(input_ids=tokens, past_key_values=past, use_cache=True, logits_to_keep=1)
            state["past"] = out.past_key_values
            return out.logits[0, -1].float().numpy()
        prefill = lambda: feed(ids, None)  # noqa: E731
        step = lambda token, _: feed(torch.tensor([[token]]), state["past"])  # noqa: E731
        return {"gpt2-prompt": (lambda: (prefill(), None)[1], prefill), "gpt2-generate": (lambda: per_token(prefill, step), None)}

    @staticmethod
    def patchtst42(torch, model):
        def case(batch):
            x = torch.from_numpy(inputs.series(batch))
            run = lambda: model(past_values=x).prediction_outputs  # noqa: E731
            return lambda: (run(), None)[1], lambda: run().numpy()
        return {name: case(batch) for name, batch in inputs.PATCHTST_BATCHES.items()}


class OnnxRuntime:
    package = "onnxruntime"

    @staticmethod
    def session(path, threads):
        import onnxruntime as ort
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    @classmethod
    def cases(cls, work, dtype, threads, directory):
        prepacked = dtype.endswith("prepacked")
        name = work + suffix(dtype.removeprefix("f32-")) + ".onnx"
        if work == "patchtst42":
            return cls.patchtst42(threads, directory)
        if work in series.ARGUMENTS:
            return series.onnx_cases(lambda path: cls.session(existing(*os.path.split(path)), threads), directory, work)
        path = existing(directory, name, *([name + ".data"] if prepacked else []))
        return getattr(cls, work)(cls.session(path, threads))

    @staticmethod
    def minilm(session):
        def case(shape):
            ids = inputs.minilm_ids(*shape).astype(np.int32)
            feed = {"ids": ids, "types": np.zeros_like(ids), "mask": np.ones_like(ids)}
            run = lambda: session.run(None, feed)[0]  # noqa: E731
            return lambda: (run(), None)[1], run
        return {name: case(shape) for name, shape in inputs.wanted(inputs.MINILM_SHAPES).items()}

    @staticmethod
    def gpt2(session):
        import onnxruntime as ort
        value = ort.OrtValue.ortvalue_from_numpy
        room = inputs.PROMPT + inputs.GENERATED
        caches = {f"{kind}.{i}": value(np.zeros((1, 12, room, 64), np.float32)) for i in range(12) for kind in "kv"}
        scores = value(np.zeros((1, 1, inputs.GPT2_VOCABULARY), np.float32))

        def feed(tokens, position):
            end = position + tokens.shape[1]
            binding = session.io_binding()
            for name, array in (("ids", tokens), ("positions", np.arange(position, end)[None]),
                                ("lengths", np.array([end - 1], np.int32)), ("total", np.array(end, np.int32))):
                binding.bind_cpu_input(name, array)
            for name, cache in caches.items():
                binding.bind_ortvalue_input("past." + name, cache)
                binding.bind_ortvalue_output("present." + name, cache)
            binding.bind_ortvalue_output("logits", scores)
            session.run_with_iobinding(binding)
            return scores.numpy()[0, 0]
        prefill = lambda: feed(inputs.gpt2_ids(inputs.PROMPT), 0)  # noqa: E731
        step = lambda token, position: feed(np.array([[token]]), position)  # noqa: E731
        return {"gpt2-prompt": (lambda: (prefill(), None)[1], prefill), "gpt2-generate": (lambda: per_token(prefill, step), None)}

    @classmethod
    def patchtst42(cls, threads, directory):
        def case(name, batch):
            session, x = cls.session(existing(directory, name + ".onnx"), threads), inputs.series(batch)
            run = lambda: session.run(None, {"x": x})[0]  # noqa: E731
            return lambda: (run(), None)[1], run
        return {name: case(name, batch) for name, batch in inputs.PATCHTST_BATCHES.items()}


class OpenVino:
    package = "openvino"

    @classmethod
    def cases(cls, work, dtype, threads, directory):
        import openvino as ov
        core = ov.Core()
        options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False,
                   "INFERENCE_PRECISION_HINT": "bf16" if dtype == "bf16" else "f32"}

        def case(model, values):
            request = core.compile_model(model, "CPU", options).create_infer_request()
            run = lambda: request.infer(values, share_inputs=True, share_outputs=True)[0]  # noqa: E731
            return lambda: (run(), None)[1], lambda: np.array(run())
        if work == "patchtst42":
            return {name: case(core.read_model(existing(directory, name + ".onnx")), [inputs.series(batch)])
                    for name, batch in inputs.PATCHTST_BATCHES.items()}
        path = existing(directory, "minilm-int8.xml" if dtype == "int8" else "minilm.xml")
        made = {}
        for name, shape in inputs.wanted(inputs.MINILM_SHAPES).items():
            model, ids = core.read_model(path), inputs.minilm_ids(*shape)
            model.reshape({port.get_any_name(): list(shape) for port in model.inputs})
            arrays = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
            made[name] = case(model, {port.get_any_name(): arrays[port.get_any_name()] for port in model.inputs})
        return made


class CTranslate2:
    package = "ctranslate2"

    @staticmethod
    def cases(work, dtype, threads, directory):
        import ctranslate2
        path = existing(directory, work + suffix(dtype) + "-ct2")
        options = dict(device="cpu", intra_threads=threads, inter_threads=1,
                       compute_type="float32" if dtype == "f32" else "int8_float32")
        if work == "minilm":
            encoder = ctranslate2.Encoder(path, **options)

            def case(shape):
                ids = inputs.minilm_ids(*shape).tolist()
                run = lambda: encoder.forward_batch(ids).last_hidden_state  # noqa: E731
                return lambda: (np.array(run()), None)[1], lambda: np.array(run())
            return {name: case(shape) for name, shape in inputs.wanted(inputs.MINILM_SHAPES).items()}
        import json
        with open(os.path.join(directory, "gpt2", "vocab.json"), encoding="utf-8") as f:
            words = list(json.load(f))
        generator = ctranslate2.Generator(path, **options)
        prompt = [words[i] for i in inputs.gpt2_ids(inputs.PROMPT)[0]]

        def generate(count):
            """When each token came."""
            stamps = []
            generator.generate_batch([prompt], max_length=count, min_length=count, sampling_topk=1, include_prompt_in_result=False,
                                     callback=lambda _: bool(stamps.append(time.perf_counter())))
            return stamps

        def each_ms():
            stamps = generate(inputs.GENERATED + 1)
            return (stamps[-1] - stamps[0]) * 1e3 / (len(stamps) - 1)
        return {"gpt2-prompt": (lambda: (generate(1), None)[1], lambda: np.array(generator.forward_batch([prompt]))[0, -1]),
                "gpt2-generate": (each_ms, None)}


class LlamaCpp:
    package = "llama_cpp"

    @staticmethod
    def open(path, threads, **settings):
        import llama_cpp as api
        LlamaCpp.quiet = api.llama_log_callback(lambda *_: None)
        api.llama_log_set(LlamaCpp.quiet, ctypes.c_void_p(0))
        api.llama_backend_init()
        parameters = api.llama_model_default_params()
        parameters.n_gpu_layers = 0
        model = api.llama_model_load_from_file(path.encode(), parameters)
        wanted = api.llama_context_default_params()
        for name, value in dict(settings, n_threads=threads, n_threads_batch=threads).items():
            setattr(wanted, name, value)
        context = api.llama_init_from_model(model, wanted)
        if not model or not context:
            raise RuntimeError("llama.cpp cannot open " + os.path.basename(path))
        return api, context

    @staticmethod
    def batch(api, ids, all_scores):
        rows, tokens = ids.shape
        batch = api.llama_batch_init(ids.size, 0, 1)
        batch.n_tokens = ids.size
        for i, token in enumerate(ids.ravel()):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = int(token), i % tokens, 1
            batch.seq_id[i][0], batch.logits[i] = i // tokens, int(all_scores or i == ids.size - 1)
        return batch

    @classmethod
    def cases(cls, work, dtype, threads, directory):
        path = existing(directory, work + ("" if dtype == "f32" else "-q8_0") + ".gguf")
        return getattr(cls, work)(path, threads)

    @classmethod
    def minilm(cls, path, threads):
        api, context = cls.open(path, threads, n_ctx=8192, n_batch=1024, n_ubatch=1024, n_seq_max=8, embeddings=True, pooling_type=0)

        def case(shape):
            batch = cls.batch(api, inputs.minilm_ids(*shape), True)

            def run():
                if api.llama_encode(context, batch) != 0:
                    raise RuntimeError("llama_encode failed")

            def give():
                run()
                return np.stack([np.ctypeslib.as_array(api.llama_get_embeddings_ith(context, i), (384,)).copy()
                                 for i in range(shape[0] * shape[1])])
            return run, give
        return {name: case(shape) for name, shape in inputs.wanted(inputs.MINILM_SHAPES).items()}

    @classmethod
    def gpt2(cls, path, threads):
        api, context = cls.open(path, threads, n_ctx=256, n_batch=inputs.PROMPT, n_ubatch=inputs.PROMPT)
        prompt, one = cls.batch(api, inputs.gpt2_ids(inputs.PROMPT), False), cls.batch(api, np.zeros((1, 1), int), True)

        def decode(batch):
            if api.llama_decode(context, batch) != 0:
                raise RuntimeError("llama_decode failed")
            return np.ctypeslib.as_array(api.llama_get_logits_ith(context, -1), (inputs.GPT2_VOCABULARY,))

        def prefill():
            api.llama_memory_clear(api.llama_get_memory(context), False)
            return decode(prompt)

        def step(token, position):
            one.token[0], one.pos[0] = token, position
            return decode(one)
        return {"gpt2-prompt": (lambda: (prefill(), None)[1], lambda: prefill().copy()),
                "gpt2-generate": (lambda: per_token(prefill, step), None)}


PEERS = {"PyTorch": Torch, "ONNX Runtime": OnnxRuntime, "OpenVINO": OpenVino, "CTranslate2": CTranslate2, "llama.cpp": LlamaCpp}
SUBJECTS = {  # work -> peer, dtype
    "minilm": [("PyTorch", "f32"), ("PyTorch", "bf16"), ("ONNX Runtime", "f32"), ("ONNX Runtime", "int8"), ("OpenVINO", "f32"),
               ("OpenVINO", "bf16"), ("OpenVINO", "int8"), ("CTranslate2", "f32"), ("CTranslate2", "int8"), ("llama.cpp", "f32"),
               ("llama.cpp", "int8")],
    "gpt2": [("PyTorch", "f32"), ("PyTorch", "bf16"), ("ONNX Runtime", "f32"), ("ONNX Runtime", "int8"), ("CTranslate2", "f32"),
             ("CTranslate2", "int8"), ("llama.cpp", "f32"), ("llama.cpp", "int8")],
    "patchtst42": [("PyTorch", "f32"), ("ONNX Runtime", "f32"), ("OpenVINO", "f32")],
    **{family: [("PyTorch", "f32"), *([("ONNX Runtime", "f32")] if family + "-b1" in series.EXPORTED else [])]
       for family in series.ARGUMENTS},
}
