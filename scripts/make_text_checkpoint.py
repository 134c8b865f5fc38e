#!/usr/bin/python3
"""Writes a random GPT-2 or BERT checkpoint as Hugging Face does: DIR/config.json, DIR/model.safetensors, tokenizer files.

    scripts/make_text_checkpoint.py gpt2|bert [--layers N] [--width N] [--heads N] [--inner N] [--vocabulary N]
                                    [--positions N] [--seed N] DIR

The defaults are GPT-2 small, and a BERT of MiniLM's shape. Weights are normal with deviation 0.02, as both are initialised; words have no
meaning beyond single letters. Needs numpy only.
"""
import argparse
import json
import os
import struct

import numpy as np

DEFAULTS = {"gpt2": dict(layers=12, width=768, heads=12, inner=3072, vocabulary=50257, positions=1024),
            "bert": dict(layers=6, width=384, heads=12, inner=1536, vocabulary=30522, positions=512)}


def config_of(family, s):
    if family == "gpt2":
        return dict(architectures=["GPT2LMHeadModel"], model_type="gpt2", activation_function="gelu_new", n_layer=s["layers"],
                    n_embd=s["width"], n_head=s["heads"], n_inner=s["inner"], vocab_size=s["vocabulary"], n_positions=s["positions"],
                    n_ctx=s["positions"], layer_norm_epsilon=1e-05, bos_token_id=s["vocabulary"] - 1,
                    eos_token_id=s["vocabulary"] - 1)
    return dict(architectures=["BertModel"], model_type="bert", hidden_act="gelu", num_hidden_layers=s["layers"],
                hidden_size=s["width"], num_attention_heads=s["heads"], intermediate_size=s["inner"], vocab_size=s["vocabulary"],
                max_position_embeddings=s["positions"], type_vocab_size=2, layer_norm_eps=1e-12, pad_token_id=0)


def gpt2_shapes(s):
    d, f = s["width"], s["inner"]
    shapes = {"wte.weight": (s["vocabulary"], d), "wpe.weight": (s["positions"], d)}
    for layer in range(s["layers"]):
        for name, shape in (("ln_1", (d,)), ("attn.c_attn", (d, 3 * d)), ("attn.c_proj", (d, d)), ("ln_2", (d,)),
                            ("mlp.c_fc", (d, f)), ("mlp.c_proj", (f, d))):
            shapes[f"h.{layer}.{name}.weight"], shapes[f"h.{layer}.{name}.bias"] = shape, shape[-1:]
    shapes["ln_f.weight"], shapes["ln_f.bias"] = (d,), (d,)
    return {"transformer." + name: shape for name, shape in shapes.items()}


def bert_shapes(s):
    d, f = s["width"], s["inner"]
    shapes = {f"embeddings.{name}_embeddings.weight": (rows, d)
              for name, rows in (("word", s["vocabulary"]), ("position", s["positions"]), ("token_type", 2))}
    linears = [("attention.self.query", d, d), ("attention.self.key", d, d), ("attention.self.value", d, d),
               ("attention.output.dense", d, d), ("intermediate.dense", f, d), ("output.dense", d, f)]
    norms = ["embeddings.LayerNorm"]
    for layer in range(s["layers"]):
        prefix = f"encoder.layer.{layer}."
        for name, n_out, n_in in linears:
            shapes[prefix + name + ".weight"], shapes[prefix + name + ".bias"] = (n_out, n_in), (n_out,)
        norms += [prefix + "attention.output.LayerNorm", prefix + "output.LayerNorm"]
    for name in norms:
        shapes[name + ".weight"], shapes[name + ".bias"] = (d,), (d,)
    shapes["pooler.dense.weight"], shapes["pooler.dense.bias"] = (d, d), (d,)
    return shapes


def values_of(name, shape, generator):
    is_norm_weight = len(shape) == 1 and name.endswith("weight")
    values = generator.standard_normal(shape, np.float32) * np.float32(0.02)
    return (values + np.float32(1) if is_norm_weight else values).astype("<f4").tobytes()


def write_weights(path, shapes, generator):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        end = offset + 4 * int(np.prod(shape, dtype=np.int64))
        header[name], offset = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, end]}, end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            f.write(values_of(name, shape, generator))


def gpt2_words(count):
    """The 256 letters that stand for bytes, fillers, and the word that ends a text."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = [chr(c) for c in plain] + [chr(256 + i) for i in range(256 - len(plain))]
    return letters + [f"filler{i}" for i in range(256, count - 1)] + ["<|endoftext|>"]


def bert_words(count):
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,:;!?'\"-()"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + c for c in letters)]
    return words + [f"filler{i}" for i in range(len(words), count)]


def write_tokenizer(directory, family, vocabulary):
    put = lambda name, text: open(os.path.join(directory, name), "w", encoding="utf-8").write(text)  # noqa: E731
    if family == "gpt2":
        put("vocab.json", json.dumps({word: i for i, word in enumerate(gpt2_words(vocabulary))}))
        put("merges.txt", "#version: 0.2\n")
        put("tokenizer_config.json", json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    else:
        put("vocab.txt", "".join(word + "\n" for word in bert_words(vocabulary)))
        put("tokenizer_config.json", json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=sorted(DEFAULTS))
    for name in DEFAULTS["gpt2"]:
        parser.add_argument("--" + name, type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("directory")
    args = parser.parse_args()
    sizes = {name: getattr(args, name) or value for name, value in DEFAULTS[args.family].items()}
    os.makedirs(args.directory, exist_ok=True)
    with open(os.path.join(args.directory, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config_of(args.family, sizes), f, indent=2)
    write_tokenizer(args.directory, args.family, sizes["vocabulary"])
    shapes = gpt2_shapes(sizes) if args.family == "gpt2" else bert_shapes(sizes)
    write_weights(os.path.join(args.directory, "model.safetensors"), shapes, np.random.default_rng(args.seed))


if __name__ == "__main__":
    main()
