"""Training steps beside PyTorch: scripts/bench train [--build DIR] [--venv DIR] [--work DIR] [--only REGEX] [--rounds N] [--threads 1 2]

One step is forward, loss, backward and AdamW, on made-up data, without dropout: the same checkpoint in both. Both take turns, round after
round, pinned to as many processors as they have threads; times are the least. Memory is the greatest resident size above what the process
holds before it has a model: for PyTorch, once it is imported.
"""
import argparse
import json
import os
import re
import subprocess
import sys

if __name__ != "__main__":
    from . import rounds

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(SCRIPTS)
SERIES = dict(features="M", label_len=48, pred_len=96, enc_in=7, dec_in=7, c_out=7, dropout=0, embed="timeF", freq="h", activation="gelu",
              output_attention=False)
CASES = {  # name -> (family, batch, tokens, goal: at most so much of PyTorch's time, arguments)
    "dlinear-b32": ("dlinear", 32, 7, 0.5, dict(SERIES, model="DLinear", seq_len=336, individual=False)),
    "dlinear-b128": ("dlinear", 128, 7, 0.5, dict(SERIES, model="DLinear", seq_len=336, individual=False)),
    "patchtst42-b128": ("patchtst", 128, 0, 0.5, dict(
        num_input_channels=7, context_length=336, patch_length=16, patch_stride=8, num_hidden_layers=3, d_model=16, num_attention_heads=4,
        ffn_dim=128, pre_norm=False, norm_type="batchnorm", scaling="std", prediction_length=96, share_embedding=True, loss="mse")),
    "itransformer-b32": ("itransformer", 32, 7, 0.8, dict(
        SERIES, model="iTransformer", seq_len=96, n_heads=8, e_layers=2, d_layers=1, factor=1, use_norm=1, class_strategy="projection",
        d_model=256, d_ff=256)),
    "bert-mini-b16x128": ("bert", 16, 128, 0.8, dict(
        vocab_size=30522, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0)),
    "gpt2-4x256-b4x128": ("gpt2", 4, 128, 0.8, dict(
        vocab_size=50257, n_embd=256, n_layer=4, n_head=4, embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0)),
}
CLASSES = {"patchtst": ("PatchTSTConfig", "PatchTSTForPrediction"), "bert": ("BertConfig", "BertForMaskedLM"), "gpt2": ("GPT2Config", "GPT2LMHeadModel")}


# ---- in PyTorch's process ----
def peak_kib():
    with open("/proc/self/status", encoding="utf-8") as f:
        return int(re.search(r"^VmHWM:\s*(\d+)", f.read(), re.M).group(1))


def network(family, arguments):
    import torch
    torch.manual_seed(7)
    if family in CLASSES:
        import transformers
        config, model = (getattr(transformers, name) for name in CLASSES[family])
        return model(config(**arguments))
    sys.path.insert(0, SCRIPTS)
    from benches.series_networks import NETWORKS
    return NETWORKS[arguments["model"]](**arguments)


def save(model, family, arguments, target):
    import torch
    if family in CLASSES:
        model.save_pretrained(target)
        return
    os.makedirs(target, exist_ok=True)
    torch.save(model.state_dict(), os.path.join(target, "checkpoint.pth"))
    with open(os.path.join(target, "config.json"), "w", encoding="utf-8") as f:
        json.dump(arguments, f, indent=1)


def serve(name, threads, directory):
    """A step's least time for every line with a number of steps; the model is written first."""
    import time
    import torch
    family, batch, tokens, _, arguments = CASES[name]
    torch.set_num_threads(threads)
    if family in CLASSES:
        import transformers
        transformers.logging.set_verbosity_error()
        getattr(transformers, CLASSES[family][1])
    model = network(family, arguments).train()
    save(model, family, arguments, os.path.join(directory, name))
    base = peak_kib()
    print(base, flush=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    if family in ("bert", "gpt2"):
        ids = torch.randint(0, arguments["vocab_size"], (batch, tokens))
        labels = torch.randint(0, arguments["vocab_size"], (batch, tokens))

        def loss():
            logits = model(ids).logits
            return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    else:
        x = torch.randn(batch, arguments.get("seq_len") or arguments["context_length"], 7)
        marks = torch.randn(batch, x.shape[1], 4)

        def loss():
            if family == "patchtst":
                y = model(past_values=x).prediction_outputs
            else:
                y = model(x, marks)
            return torch.nn.functional.mse_loss(y, torch.zeros_like(y))

    for line in sys.stdin:
        least = 1e9
        for _ in range(int(line)):
            begin = time.perf_counter()
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
            least = min(least, time.perf_counter() - begin)
        print(f"{least * 1e3:.4f} {peak_kib()}", flush=True)


# ---- here ----
class Subject:
    def __init__(self, command, threads):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=rounds.peer_environment(threads), preexec_fn=rounds.affinity_of(threads))
        self.base_kib, self.least, self.peak_kib = int(self.process.stdout.readline() or 0), 1e9, 0

    def turn(self, n_steps):
        self.process.stdin.write(f"{n_steps}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 2:
            raise RuntimeError("a subject has ended")
        self.least, self.peak_kib = min(self.least, float(answer[0])), int(answer[1])
        return float(answer[0])

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def compare(args, name, threads):
    """Milliseconds and MiB of ours and of PyTorch's; PyTorch's are None where it is not there."""
    family, batch, tokens, _, _ = CASES[name]
    theirs = None
    if args.python:
        theirs = Subject([args.python, os.path.abspath(__file__), name, str(threads), args.work], threads)
    source, model = os.path.join(args.work, name), os.path.join(args.work, name + ".pml")
    if not os.path.isdir(source):
        return None
    subprocess.run([os.path.join(args.build, "pml-convert"), source, "-o", model, "--dtype", "f32", "-q", "--force"], check=True,
                   stdout=subprocess.DEVNULL)
    ours = Subject([os.path.join(args.build, "bench_step"), model, str(batch), str(tokens or 1), str(threads)], threads)
    subjects = [s for s in (ours, theirs) if s is not None]
    for subject in subjects:
        subject.turn(2)
    for _ in range(args.rounds):
        for subject in subjects:
            subject.turn(max(1, min(40, int(400 / subject.least))))
    for subject in subjects:
        subject.end()
    return [(s.least, (s.peak_kib - s.base_kib) / 1024) if s else None for s in (ours, theirs)]


def main(argv):
    parser = argparse.ArgumentParser(prog="bench train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--work", default=os.path.join(ROOT, "build", "bench", "train"))
    parser.add_argument("--venv", default=os.path.join(ROOT, "build", "bench", "venv"))
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args(argv)
    args.work = os.path.abspath(args.work)
    os.makedirs(args.work, exist_ok=True)
    args.python = os.path.join(args.venv, "bin", "python")
    if not os.path.exists(args.python):
        args.python = None
        rounds.note("missing: PyTorch, which also makes the models: scripts/bench --peers makes its environment")
    lines = ["| step | threads | ms | PyTorch's | ratio | goal | MiB | PyTorch's | ratio |", "|---|---|---|---|---|---|---|---|---|"]
    for name in CASES:
        for threads in args.threads if re.search(args.only, name) else []:
            result = compare(args, name, threads)
            if result is None:
                continue
            (ms, mib), theirs = result[0], result[1]
            known = theirs is not None
            lines.append(f"| {name} | {threads} | {ms:.2f} | {f'{theirs[0]:.2f}' if known else '-'} | "
                         f"{f'{ms / theirs[0]:.2f}' if known else '-'} | {CASES[name][3]} | {mib:.1f} | {f'{theirs[1]:.1f}' if known else '-'} | "
                         f"{f'{mib / theirs[1]:.2f}' if known else '-'} |")
            print(lines[-1], flush=True)
    text = "\n".join(lines) + "\n"
    with open(os.path.join(args.work, "train.md"), "w", encoding="utf-8") as f:
        f.write(text)
    print("\n" + text, end="")


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
