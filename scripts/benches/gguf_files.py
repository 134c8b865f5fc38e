"""Checkpoints as GGUF files for llama.cpp, and its own quantisation of them."""
import ctypes
import json
import os

import gguf
import numpy as np

from . import tensors


def _begin(path, arch, config, layers, heads, inner, context, eps):
    out = gguf.GGUFWriter(path, arch)
    out.add_context_length(context)
    out.add_embedding_length(config)
    out.add_block_count(layers)
    out.add_feed_forward_length(inner)
    out.add_head_count(heads)
    out.add_layer_norm_eps(eps)
    out.add_file_type(gguf.LlamaFileType.ALL_F32)
    return out


def _end(out, weights, pairs, transposed):
    for theirs, ours in pairs.items():
        matrix = np.array(weights[ours + ".weight"])
        out.add_tensor(theirs + ".weight", np.ascontiguousarray(matrix.T) if transposed and matrix.ndim == 2 else matrix)
        out.add_tensor(theirs + ".bias", np.array(weights[ours + ".bias"]))
    for write in (out.write_header_to_file, out.write_kv_data_to_file, out.write_tensors_to_file, out.close):
        write()


def write_minilm(directory, path):
    weights = {k.removeprefix("bert."): v for k, v in tensors.read(os.path.join(directory, "model.safetensors")).items()}
    out = _begin(path, "bert", 384, 6, 12, 1536, 512, 1e-12)
    out.add_causal_attention(False)
    out.add_token_type_count(2)
    out.add_tokenizer_model("bert")
    out.add_tokenizer_pre("jina-v2-en")
    with open(os.path.join(directory, "vocab.txt"), encoding="utf-8") as f:
        words = f.read().split("\n")[:30522]
    special = [len(w) > 2 and w[0] == "[" and w[-1] == "]" for w in words]
    out.add_token_list([w if s else w[2:] if w.startswith("##") else "\u2581" + w for w, s in zip(words, special)])
    out.add_token_types([gguf.TokenType.CONTROL if s else gguf.TokenType.NORMAL for s in special])
    for name, value in dict(bos=101, eos=102, unk=100, sep=102, pad=0, mask=103).items():
        getattr(out, f"add_{name}_token_id")(value)
    for theirs, ours in dict(token_embd="word", position_embd="position", token_types="token_type").items():
        out.add_tensor(theirs + ".weight", np.array(weights[f"embeddings.{ours}_embeddings.weight"]))
    pairs = {"token_embd_norm": "embeddings.LayerNorm"}
    for i in range(6):
        for theirs, ours in dict(attn_q="attention.self.query", attn_k="attention.self.key", attn_v="attention.self.value",
                                 attn_output="attention.output.dense", attn_output_norm="attention.output.LayerNorm",
                                 ffn_up="intermediate.dense", ffn_down="output.dense", layer_output_norm="output.LayerNorm").items():
            pairs[f"blk.{i}.{theirs}"] = f"encoder.layer.{i}.{ours}"
    _end(out, weights, pairs, False)


def write_gpt2(directory, path):
    weights = {k.removeprefix("transformer."): v
               for k, v in tensors.read(os.path.join(directory, "model.safetensors")).items()}
    out = _begin(path, "gpt2", 768, 12, 12, 3072, 1024, 1e-5)
    with open(os.path.join(directory, "vocab.json"), encoding="utf-8") as f:
        words = list(json.load(f))
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(words)
    out.add_token_types([gguf.TokenType.NORMAL] * (len(words) - 1) + [gguf.TokenType.CONTROL])
    out.add_token_merges([f"{words[0]} {words[1]}"])  # it wants one
    out.add_bos_token_id(len(words) - 1)
    out.add_eos_token_id(len(words) - 1)
    out.add_tensor("token_embd.weight", np.array(weights["wte.weight"]))
    out.add_tensor("position_embd.weight", np.array(weights["wpe.weight"]))
    pairs = {"output_norm": "ln_f"}
    for i in range(12):
        for theirs, ours in dict(attn_norm="ln_1", attn_qkv="attn.c_attn", attn_output="attn.c_proj", ffn_norm="ln_2",
                                 ffn_up="mlp.c_fc", ffn_down="mlp.c_proj").items():
            pairs[f"blk.{i}.{theirs}"] = f"h.{i}.{ours}"
    _end(out, weights, pairs, True)


def quantize(source, target, threads):
    import llama_cpp
    quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, threads
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)) != 0:
        raise RuntimeError("llama.cpp could not quantize")
