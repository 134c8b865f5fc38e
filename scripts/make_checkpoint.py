#!/usr/bin/env python3
"""Writes a random PatchTST checkpoint as Hugging Face does: DIR/config.json and DIR/model.safetensors.

    scripts/make_checkpoint.py [--size-mb MB | --patchtst42] [--dtype F32|F16|BF16|F64] [--shards N] [--seed N]
                               [--scaler] DIR

--size-mb chooses wide layers until the weights take about MB megabytes; --patchtst42 (the default) is the small model
of the benches: 336 steps, patches of 16 every 8, width 16, 3 layers. Needs numpy only; one tensor is held at a time.
"""
import argparse
import json
import os
import struct

import numpy as np

WIDTHS = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8}


def config_of(size_mb, width_bytes):
    config = dict(
        architectures=["PatchTSTForPrediction"], model_type="patchtst", activation_function="gelu", bias=True,
        channel_attention=False, channel_consistent_masking=False, context_length=336, d_model=16,
        distribution_output="student_t", attention_dropout=0.0, do_mask_input=False, ff_dropout=0.0, ffn_dim=128,
        head_dropout=0.0, init_std=0.02, loss="mse", mask_type="random", mask_value=0, norm_eps=1e-05,
        norm_type="batchnorm", num_attention_heads=4, num_forecast_mask_patches=[2], num_hidden_layers=3,
        num_input_channels=7, num_parallel_samples=100, num_targets=1, output_range=None, patch_length=16,
        patch_stride=8, path_dropout=0.0, pooling_type=None, positional_dropout=0.0,
        positional_encoding_type="sincos", pre_norm=True, prediction_length=96, random_mask_ratio=0.5, scaling="std",
        share_embedding=True, share_projection=True, unmasked_channel_indices=None, use_cls_token=False)
    if size_mb is not None:
        # Layers of width D hold about 4 D^2 + 2 D F = 12 D^2 weights with F = 4 D; the head D x patches x horizon.
        wanted = size_mb * 1e6 / width_bytes
        width = 1024 if size_mb >= 100 else 256
        patches = (336 - 16) // 8 + 1
        layers = max(1, round((wanted - width * patches * 96) / (12 * width * width)))
        config.update(d_model=width, ffn_dim=4 * width, num_hidden_layers=layers, num_attention_heads=16)
        # The feed-forward width takes up what whole layers leave over or lack.
        rest = wanted - width * patches * 96 - layers * 4 * width * width
        config.update(ffn_dim=max(width, int(rest / (layers * 2 * width)) // 16 * 16))
    return config


def tensors_of(config):
    """Names and shapes in the order of save_pretrained (by name)."""
    d, f, p = config["d_model"], config["ffn_dim"], config["patch_length"]
    patches = (max(config["context_length"], p) - p) // config["patch_stride"] + 1
    shapes = {"model.encoder.embedder.input_embedding.weight": (d, p),
              "model.encoder.embedder.input_embedding.bias": (d,),
              "model.encoder.positional_encoder.position_enc": (patches, d),
              "head.projection.weight": (config["prediction_length"], d * patches),
              "head.projection.bias": (config["prediction_length"],)}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.encoder.layers.{layer}."
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes[f"{prefix}self_attn.{name}.weight"] = (d, d)
            shapes[f"{prefix}self_attn.{name}.bias"] = (d,)
        for sublayer in ("norm_sublayer1", "norm_sublayer3"):
            norm = f"{prefix}{sublayer}.batchnorm."
            for name in ("weight", "bias", "running_mean", "running_var"):
                shapes[norm + name] = (d,)
            shapes[norm + "num_batches_tracked"] = ()
        shapes[f"{prefix}ff.0.weight"], shapes[f"{prefix}ff.0.bias"] = (f, d), (f,)
        shapes[f"{prefix}ff.3.weight"], shapes[f"{prefix}ff.3.bias"] = (d, f), (d,)
    return dict(sorted(shapes.items()))


def values_of(name, shape, generator, dtype):
    if name.endswith("num_batches_tracked"):
        return np.array(1000, "<i8").tobytes()
    if name.endswith(("running_var", "batchnorm.weight")):
        values = generator.uniform(0.5, 1.5, shape).astype(np.float32)
    else:
        scale = 1 / np.sqrt(shape[-1]) if len(shape) == 2 else 0.02
        values = generator.standard_normal(shape, np.float32) * np.float32(scale)
    if dtype == "BF16":
        bits = values.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return values.astype({"F32": "<f4", "F16": "<f2", "F64": "<f8"}[dtype]).tobytes()


def write_file(path, shapes, generator, dtype):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes.items():
        counter = name.endswith("num_batches_tracked")
        size = int(np.prod(shape, dtype=np.int64)) * (8 if counter else WIDTHS[dtype])
        end = offset + size
        header[name] = {"dtype": "I64" if counter else dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            f.write(values_of(name, shape, generator, dtype))
    return offset


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--size-mb", type=float)
    size.add_argument("--patchtst42", action="store_true")
    parser.add_argument("--dtype", choices=sorted(WIDTHS), default="F32")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scaler", action="store_true", help="also DIR/scaler.json")
    parser.add_argument("directory")
    args = parser.parse_args()
    os.makedirs(args.directory, exist_ok=True)
    config = config_of(args.size_mb, WIDTHS[args.dtype])
    shapes = tensors_of(config)
    generator = np.random.default_rng(args.seed)
    with open(os.path.join(args.directory, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f, indent=2)
    if args.scaler:
        columns = [f"c{i}" for i in range(config["num_input_channels"])]
        scaler = dict(kind="standard", ddof=0, columns=columns, mean=[i / 4 for i in range(len(columns))],
                      std=[1 + i / 8 for i in range(len(columns))], frequency="h")
        with open(os.path.join(args.directory, "scaler.json"), "w", encoding="utf-8") as f:
            json.dump(scaler, f)
    if args.shards == 1:
        write_file(os.path.join(args.directory, "model.safetensors"), shapes, generator, args.dtype)
        return
    names = list(shapes)
    cuts = [len(names) * i // args.shards for i in range(args.shards + 1)]
    weight_map, total = {}, 0
    for i in range(args.shards):
        part = names[cuts[i]:cuts[i + 1]]
        file_name = f"model-{i + 1:05d}-of-{args.shards:05d}.safetensors"
        path = os.path.join(args.directory, file_name)
        total += write_file(path, {n: shapes[n] for n in part}, generator, args.dtype)
        weight_map.update({n: file_name for n in part})
    with open(os.path.join(args.directory, "model.safetensors.index.json"), "w", encoding="utf-8") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, f)


if __name__ == "__main__":
    main()
