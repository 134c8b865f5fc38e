#!/usr/bin/env python3
"""Makes what PyTorch says about losses, optimizers and schedules, for the tests of runtime/train: needs torch and transformers.

    scripts/make_training_oracle.py tests/runtime/train

Inputs are numbers that the tests make again by the same rule (tests/runtime/train/oracle_inputs.h), so that only results
are recorded. Losses are computed in float64 over float32 inputs.
"""
import argparse
import os

import torch
import torch.nn.functional as F


def numbers(seed, n, kind):
    """Element i of stream `seed`: a hash, in [0, 1), brought into the range of its kind, rounded to float32."""
    i = torch.arange(n, dtype=torch.int64)
    h = (i * 2654435761 + seed * 40503 * 65537 + 12345) % 2**32
    h = ((h ^ (h >> 15)) * 2246822519) % 2**32
    u = (h ^ (h >> 13)).double() / 2**32
    low, high = {"real": (-2, 2), "probability": (0.01, 0.99), "positive": (0.1, 2.1), "df": (2, 32), "logit": (-4, 4)}[kind]
    return (low + u * (high - low)).float().double()


def classes(n, width, ignored):
    return torch.tensor([-100 if ignored and i % 5 == 2 else (i * 7 + 3) % width for i in range(n)])


def reduce(terms, case, counted=None):
    """terms [n]; weights as runtime/train/loss.h has them."""
    weights = torch.ones_like(terms)
    if case["n_weights"]:
        w = numbers(7, case["n_weights"], "positive")
        w[1] = 0
        weights = w.repeat_interleave(len(terms) // case["n_weights"])
    total = (weights * terms).sum()
    return total if case["reduction"] == "SUM" else total / (weights if counted is None else weights * counted).sum()


def quantile(levels, p, t):
    d = t[:, None] - p
    q = torch.tensor(levels, dtype=torch.float64)
    return torch.maximum(q * d, (q - 1) * d).mean(dim=1)


def loss_cases():
    n = 12

    def case(spec, kinds, target, f, width=1, n_weights=0, reduction="MEAN", n_class_weights=0, ignored=False):
        return dict(spec=spec, kinds=kinds, target=target, f=f, width=width, n_weights=n_weights, reduction=reduction,
                    n_class_weights=n_class_weights, ignored=ignored, n=n)

    none = dict(reduction="none")
    out = []
    for weights, reduction in ((0, "MEAN"), (0, "SUM"), (12, "MEAN"), (4, "SUM"), (6, "MEAN")):
        more = dict(n_weights=weights, reduction=reduction)
        out += [
            case("mse", ["real"], "real", lambda c, p, t: F.mse_loss(p[0], t, **none), **more),
            case("l1", ["real"], "real", lambda c, p, t: F.l1_loss(p[0], t, **none), **more),
            case("huber:delta=0.75", ["real"], "real", lambda c, p, t: F.huber_loss(p[0], t, delta=.75, **none), **more),
            case("smooth_l1:beta=0.5", ["real"], "real", lambda c, p, t: F.smooth_l1_loss(p[0], t, beta=.5, **none), **more),
            case("bce", ["probability"], "probability", lambda c, p, t: F.binary_cross_entropy(p[0], t, **none), **more),
            case("bce_logits:pos_weight=2.5", ["logit"], "probability", lambda c, p, t: F.binary_cross_entropy_with_logits(
                p[0], t, pos_weight=torch.tensor(2.5), **none), **more),
            case("quantile:levels=0.1/0.5/0.75", ["real"], "real", lambda c, p, t: quantile([.1, .5, .75], p[0], t), width=3, **more),
            case("normal_nll", ["real", "positive"], "real",
                 lambda c, p, t: -torch.distributions.Normal(p[0], p[1]).log_prob(t), **more),
            case("student_t_nll", ["df", "real", "positive"], "real",
                 lambda c, p, t: -torch.distributions.StudentT(p[0], p[1], p[2]).log_prob(t), **more),
            case("cross_entropy", ["logit"], "class", lambda c, p, t: F.cross_entropy(p[0], t, **none), width=5, **more),
        ]
    out += [
        case("smooth_l1:beta=0", ["real"], "real", lambda c, p, t: F.smooth_l1_loss(p[0], t, beta=0.0, **none)),
        case("huber", ["real"], "real", lambda c, p, t: F.huber_loss(p[0], t, **none)),
        case("bce_logits", ["logit"], "probability", lambda c, p, t: F.binary_cross_entropy_with_logits(
            p[0].view(4, 3), t.view(4, 3), pos_weight=numbers(8, 3, "positive"), **none).view(-1), n_class_weights=3),
    ]
    for smoothing in (0, 0.1):
        for n_class_weights in (0, 5):
            w = numbers(8, 5, "positive") if n_class_weights else None

            def entropy(c, p, t, w=w, smoothing=smoothing):
                return F.cross_entropy(p[0], t, weight=w, label_smoothing=smoothing, reduction=c["reduction"].lower())
            for reduction in ("MEAN", "SUM"):
                out.append(case(f"cross_entropy:label_smoothing={smoothing}", ["logit"], "class", entropy, width=5,
                                n_class_weights=n_class_weights, ignored=True, reduction=reduction))
    return out


def write_losses(path):
    with open(path, "w", encoding="utf-8") as f:
        f.write("/* Made by scripts/make_training_oracle.py with PyTorch: value and derivatives of the losses.\n"
                " * PML_ORACLE(spec, n_terms, width, reduction, n_weights, n_class_weights, is_ignoring, value, ...) */\n")
        for c in loss_cases():
            p = [numbers(k + 1, c["n"] * c["width"], kind) for k, kind in enumerate(c["kinds"])]
            p = [(x.view(c["n"], -1) if c["width"] > 1 else x).requires_grad_() for x in p]
            t = classes(c["n"], c["width"], c["ignored"]) if c["target"] == "class" else numbers(5, c["n"], c["target"])
            value = c["f"](c, p, t)
            value = value if value.dim() == 0 else reduce(value, c)
            value.backward()
            gradients = [g for x in p for g in x.grad.reshape(-1).tolist()]
            f.write(f'PML_ORACLE("{c["spec"]}", {c["n"]}, {c["width"]}, {c["reduction"]}, {c["n_weights"]}, '
                    f'{c["n_class_weights"]}, {int(c["ignored"])}, {value.item():.15g},\n')
            words = [f"{g:.12g}" for g in gradients]
            for i in range(0, len(words), 6):
                f.write("    " + ", ".join(words[i:i + 6]) + (",\n" if i + 6 < len(words) else ")\n"))


class Lion(torch.optim.Optimizer):
    """The program of Chen et al. 2023, in the order of operations of the authors' code."""

    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                mean = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                update = mean.clone().mul_(group["betas"][0]).add(p.grad, alpha=1 - group["betas"][0]).sign_()
                p.add_(update, alpha=-group["lr"])
                mean.mul_(group["betas"][1]).add_(p.grad, alpha=1 - group["betas"][1])


def optimizer_cases():
    o = torch.optim
    return [
        ("sgd:lr=0.05", o.SGD, dict(lr=.05)),
        ("sgd:lr=0.05,weight_decay=0.1", o.SGD, dict(lr=.05, weight_decay=.1)),
        ("sgd:lr=0.05,weight_decay=0.1,momentum=0.9,dampening=0.25", o.SGD, dict(lr=.05, weight_decay=.1, momentum=.9, dampening=.25)),
        ("sgd:lr=0.05,weight_decay=0.1,momentum=0.9,nesterov=true", o.SGD, dict(lr=.05, weight_decay=.1, momentum=.9, nesterov=True)),
        ("adam:lr=0.01", o.Adam, dict(lr=.01)),
        ("adam:lr=0.01,weight_decay=0.1,betas=0.4/0.95,eps=0.001", o.Adam, dict(lr=.01, weight_decay=.1, betas=(.4, .95), eps=1e-3)),
        ("adamw:lr=0.01", o.AdamW, dict(lr=.01)),
        ("adamw:lr=0.01,weight_decay=0.2,betas=0.8/0.99,eps=1e-6", o.AdamW, dict(lr=.01, weight_decay=.2, betas=(.8, .99), eps=1e-6)),
        ("lion:lr=0.002", Lion, dict(lr=.002, betas=(.9, .99), weight_decay=0)),
        ("lion:lr=0.002,weight_decay=0.5,betas=0.85/0.95", Lion, dict(lr=.002, betas=(.85, .95), weight_decay=.5)),
    ]


def write_optimizers(path):
    """Gradients are numbers of their own in every step; the learning rate falls by 1 % a step."""
    n = 10
    with open(path, "w", encoding="utf-8") as f:
        f.write("/* Made by scripts/make_training_oracle.py with PyTorch: values, then each slot, after so many steps.\n"
                " * PML_ORACLE(spec, n_steps, ...) */\n")
        for spec, make, options in optimizer_cases():
            p = torch.nn.Parameter(numbers(1, n, "real").float())
            optimizer = make([p], **options)
            for step in range(1, 101):
                p.grad = numbers(100 + step, n, "real").float() * 0.7 + 0.3
                p.grad[3] = 0
                optimizer.param_groups[0]["lr"] = options["lr"] * 0.99 ** step
                optimizer.step()
                if step in (1, 2, 100):
                    state = optimizer.state[p]
                    slots = [state[k] for k in ("momentum_buffer", "exp_avg", "exp_avg_sq") if state.get(k) is not None]
                    words = [f"{x:.9g}" for t in [p] + slots for x in t.tolist()]
                    f.write(f'PML_ORACLE("{spec}", {step},\n')
                    for i in range(0, len(words), 8):
                        f.write("    " + ", ".join(words[i:i + 8]) + (",\n" if i + 8 < len(words) else ")\n"))


def schedule_cases():
    s = torch.optim.lr_scheduler
    import transformers
    linear, cosine = transformers.get_linear_schedule_with_warmup, transformers.get_cosine_schedule_with_warmup
    return [
        ("constant", lambda o: s.ConstantLR(o, 1.0)),
        ("constant:warmup=7", lambda o: transformers.get_constant_schedule_with_warmup(o, 7)),
        ("step:size=30,by=step", lambda o: s.StepLR(o, 30)),
        ("step:size=7,gamma=0.5,by=step", lambda o: s.StepLR(o, 7, .5)),
        ("exponential:gamma=0.97,by=step", lambda o: s.ExponentialLR(o, .97)),
        ("cosine", lambda o: s.CosineAnnealingLR(o, 100)),
        ("cosine:period=40,min=0.1", lambda o: s.CosineAnnealingLR(o, 40, .1)),
        ("cosine:period=30,min=0.01,restarts=true", lambda o: s.CosineAnnealingWarmRestarts(o, 30, 1, .01)),
        ("cosine:period=10,restarts=true,growth=2", lambda o: s.CosineAnnealingWarmRestarts(o, 10, 2)),
        ("warmup_linear", lambda o: linear(o, 0, 100)),
        ("warmup_linear:warmup=13", lambda o: linear(o, 13, 100)),
        ("warmup_linear:warmup=0.125", lambda o: linear(o, 13, 100)),
        ("warmup_cosine:warmup=10", lambda o: cosine(o, 10, 100)),
        ("warmup_cosine:warmup=0,cycles=1.5", lambda o: cosine(o, 0, 100, 1.5)),
        ("one_cycle", lambda o: s.OneCycleLR(o, 1.0, 100, cycle_momentum=False)),
        ("one_cycle:pct_start=0.25,anneal=linear,div_factor=10,final_div_factor=100",
         lambda o: s.OneCycleLR(o, 1.0, 100, pct_start=.25, anneal_strategy="linear", cycle_momentum=False, div_factor=10,
                                final_div_factor=100)),
        ("one_cycle:three_phase=true", lambda o: s.OneCycleLR(o, 1.0, 100, three_phase=True, cycle_momentum=False)),
    ]


def write_schedules(path):
    with open(path, "w", encoding="utf-8") as f:
        f.write("/* Made by scripts/make_training_oracle.py with PyTorch and transformers: factors of 100 steps.\n"
                " * PML_ORACLE(spec, ...) */\n")
        for spec, make in schedule_cases():
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
            schedule = make(optimizer)
            words = []
            for _ in range(100):
                words.append(f"{optimizer.param_groups[0]['lr']:.10g}")
                optimizer.step()
                schedule.step()
            f.write(f'PML_ORACLE("{spec}",\n')
            for i in range(0, 100, 10):
                f.write("    " + ", ".join(words[i:i + 10]) + (",\n" if i < 90 else ")\n"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    write_optimizers(os.path.join(folder, "optimizers", "oracle.def"))
    write_schedules(os.path.join(folder, "schedules", "oracle.def"))
    write_losses(os.path.join(folder, "losses", "oracle.def"))


if __name__ == "__main__":
    main()
