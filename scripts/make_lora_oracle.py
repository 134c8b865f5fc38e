#!/usr/bin/env python3
"""Records what PyTorch makes of a feed-forward layer with adapters: tests/runtime/ops/lora_oracle.h.

    scripts/make_lora_oracle.py > tests/runtime/ops/lora_oracle.h     (needs torch)

y = (gelu_tanh(adapted(x, up) + a) adapted down) + b, the loss is the sum of y * c; operands are exact fractions that the
test makes again (value()). Recorded: y and the gradients of A and B of both adapters and of x in float64, and how far
PyTorch's in float32 are from them at most.
"""
import torch

ROWS, IN, WIDTH, OUT, RANK, SCALE = 7, 6, 20, 5, 3, 1.5


def value(i, salt):
    return ((i * 37 + salt * 11 + i * i % 13) % 64 - 31) / 32.0


def tensor(dtype, salt, *shape):
    count = 1
    for n in shape:
        count *= n
    return torch.tensor([value(i, salt) for i in range(count)], dtype=dtype).reshape(shape).requires_grad_()


def adapted(x, w, a, b):
    return x @ w + x @ a @ b * SCALE


def run(dtype):
    x, up, up_bias = tensor(dtype, 1, ROWS, IN), tensor(dtype, 2, IN, WIDTH), tensor(dtype, 3, WIDTH)
    down, down_bias = tensor(dtype, 4, WIDTH, OUT), tensor(dtype, 5, OUT)
    a1, b1 = tensor(dtype, 6, IN, RANK), tensor(dtype, 7, RANK, WIDTH)
    a2, b2 = tensor(dtype, 8, WIDTH, RANK), tensor(dtype, 9, RANK, OUT)
    between = torch.nn.functional.gelu(adapted(x, up, a1, b1) + up_bias, approximate="tanh")
    y = adapted(between, down, a2, b2) + down_bias
    (y * tensor(dtype, 10, ROWS, OUT).detach()).sum().backward()
    return {"y": y.detach(), "x": x.grad, "up_a": a1.grad, "up_b": b1.grad, "down_a": a2.grad, "down_b": b2.grad}


def main():
    exact, rounded = run(torch.float64), run(torch.float32)
    print("/* Made by scripts/make_lora_oracle.py with PyTorch: values in float64, and the greatest error of float32. */")
    for name, values in exact.items():
        apart = (rounded[name].double() - values).abs().max().item()
        flat = values.flatten().tolist()
        print(f"static const double oracle_{name}_error = {apart:.17g};")
        print(f"static const double oracle_{name}[{len(flat)}] = {{")
        for i in range(0, len(flat), 4):
            print("    " + ", ".join(f"{v:.17g}" for v in flat[i:i + 4]) + ",")
        print("};")


if __name__ == "__main__":
    main()
