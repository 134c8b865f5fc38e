#!/usr/bin/env python3
"""The samplers on five objectives with known minima: TPE beside random sampling, and beside the installed Optuna's TPE.

    scripts/benches/tune.py --build BUILD --python VENV/bin/python [--seeds 30] [--trials 60] [--settings a=b,…] [--out table.md]

Each function is searched with every seed by the program bench_tune of the build and by Optuna in VENV (scripts/setup_client optuna DIR),
with the same settings. What is compared is the regret, the best value found above the minimum.
  1. TPE beats random sampling: one-sided Wilcoxon signed-rank test over the seeds' pairs, Holm's correction over the functions, 5 %.
  2. TPE is no worse than Optuna's: the ratio of the median regrets is at most 1.1 on each function.
Exit code 1 where one of both does not hold, 77 where there is no such interpreter.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys

FUNCTIONS = ["branin", "hartmann6", "rosenbrock", "mixed", "conditional"]
ALPHA, MOST_RATIO = 0.05, 1.1


# ---- the same functions as tests/bench/bench_tune.c; `get` gives a parameter by name, range and kind --------------------
def branin(get):
    x, y = get("x", -5.0, 10.0), get("y", 0.0, 15.0)
    t = y - 5.1 / (4 * math.pi ** 2) * x * x + 5 / math.pi * x - 6
    return t * t + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def hartmann6(get):
    a = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    p = [[0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886], [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
         [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650], [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381]]
    x = [get(f"x{j}", 0.0, 1.0) for j in range(6)]
    return -sum(c * math.exp(-sum(u * (v - w) ** 2 for u, v, w in zip(a[i], x, p[i]))) for i, c in enumerate([1, 1.2, 3, 3.2]))


def rosenbrock(get):
    x, y = get("x", -5.0, 10.0), get("y", -5.0, 10.0)
    return 100 * (y - x * x) ** 2 + (1 - x) ** 2


def mixed(get):
    optimizer = get("optimizer", ["sgd", "momentum", "adam", "adamw"])
    activation = get("activation", ["relu", "gelu", "tanh"])
    rate, dropout = math.log10(get("rate", 1e-5, 1.0, log=True)), get("dropout", 0.0, 0.6)
    width, depth = math.log2(get("width", 8, 1024, log=True)), get("depth", 1, 8)
    return [0.6, 0.4, 0.1, 0][optimizer] + [0.1, 0, 0.3][activation] + 0.5 * (rate - [-1, -1.5, -3, -2.5][optimizer]) ** 2 \
        + 0.1 * (width - 7) ** 2 + 0.05 * (depth - 4) ** 2 + 4 * (dropout - 0.2) ** 2


def conditional(get):
    model = get("model", ["linear", "forest", "network"])
    if model == 0:
        return 0.5 + 0.1 * (math.log10(get("penalty", 1e-6, 1e2, log=True)) + 1) ** 2
    if model == 1:
        trees, leaf = math.log2(get("trees", 8, 512, log=True)), get("leaf", 0.0, 1.0)
        return 0.25 + 0.02 * (trees - 8) ** 2 + (leaf - 0.3) ** 2
    rate, decay, layers = math.log10(get("rate", 1e-5, 1.0, log=True)), get("decay", 0.0, 1.0), get("layers", 1, 6)
    return 0.3 * (rate + 3) ** 2 + 2 * (decay - 0.7) ** 2 + 0.1 * (layers - 3) ** 2


POINTS = {"branin": [[-5, 0], [math.pi, 2.275], [7.5, 11]],
          "hartmann6": [[0] * 6, [0.2, 0.15, 0.48, 0.28, 0.31, 0.66], [0.9, 0.1, 0.8, 0.2, 0.7, 0.3]],
          "rosenbrock": [[-5, 10], [1, 1], [0.5, -2]],
          "mixed": [[3, 1, 0.0031622776601683794, 0.2, 128, 4], [0, 2, 0.01, 0, 1000, 8], [2, 0, 1, 0.6, 8, 1]],
          "conditional": [[2, 0.001, 0.7, 3], [0, 10], [1, 64, 0.9]]}


def values(name):
    """What bench_tune prints as values: the function at three points."""
    return [globals()[name](lambda *_, **__: next(rest)) for rest in (iter(p) for p in POINTS[name])]


# ---- Optuna, in its own interpreter ---------------------------------------------------------------------------------------
def optuna_get(trial):
    def get(name, low, high=None, log=False):
        if isinstance(low, list):
            return low.index(trial.suggest_categorical(name, low))
        suggest = trial.suggest_int if isinstance(low, int) else trial.suggest_float
        return suggest(name, low, high, log=log)
    return get


def search_with_optuna(names, seeds, trials, settings):
    """Runs under VENV's python: best values as JSON, {function: [one of each seed]}."""
    import warnings

    import optuna
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    best = {"version": optuna.__version__}
    for name in names:
        best[name] = []
        for seed in range(seeds):
            study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, **settings))
            study.optimize(lambda trial, f=globals()[name]: f(optuna_get(trial)), n_trials=trials)
            best[name].append(study.best_value)
    json.dump(best, sys.stdout)


# ---- statistics -----------------------------------------------------------------------------------------------------------
def wilcoxon_less(x, y):
    """One-sided p of the signed-rank test that x is less than y, exact over all signs; pairs without a difference are left out."""
    differences = sorted((b - a for a, b in zip(x, y) if a != b), key=abs)
    n = len(differences)
    if n == 0:
        return 1.0
    ranks, i = [0.0] * n, 0
    while i < n:
        j = i
        while j < n and abs(differences[j]) == abs(differences[i]):
            j += 1
        for k in range(i, j):
            ranks[k] = (i + 1 + j) / 2  # of equal ones the mean
        i = j
    doubled = [int(2 * r) for r in ranks]
    statistic = sum(r for r, d in zip(doubled, differences) if d > 0)
    ways = {0: 1}
    for r in doubled:
        grown = dict(ways)
        for total, count in ways.items():
            grown[total + r] = grown.get(total + r, 0) + count
        ways = grown
    return sum(count for total, count in ways.items() if total >= statistic) / 2 ** n


def holm(p_values):
    """Holm's step-down adjusted p-values, in the order given."""
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = worst
    return adjusted


# ---- the comparison -------------------------------------------------------------------------------------------------------
def ours(program, sampler, seeds, trials):
    lines = subprocess.run([program, sampler, str(seeds), str(trials)], check=True, capture_output=True, text=True).stdout
    regrets = {name: [] for name in FUNCTIONS}
    for line in lines.split():
        name, _, _, regret = line.split(",")
        regrets[name].append(float(regret))
    return regrets


def minima(program):
    """The functions' minima; checks that both languages compute the same functions."""
    least, theirs = {}, {name: [] for name in FUNCTIONS}
    for line in subprocess.run([program, "values"], check=True, capture_output=True, text=True).stdout.split():
        name, _, value, minimum = line.split(",")
        theirs[name].append(float(value))
        least[name] = float(minimum)
    for name in FUNCTIONS:
        for a, b in zip(values(name), theirs[name]):
            assert abs(a - b) <= 1e-12 * max(1, abs(a)), f"{name} is not the same function here ({a}) and in bench_tune ({b})"
    return least


def main():
    if len(sys.argv) > 1 and sys.argv[1] == "optuna":
        search_with_optuna(*json.loads(sys.argv[2]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--python", required=True, help="an interpreter that has optuna")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--settings", default="", help="of TPE, for both: multivariate=false,n_startup_trials=5,…")
    parser.add_argument("--out", help="also writes the table there")
    args = parser.parse_args()
    if not os.access(args.python, os.X_OK):
        print(f"no Optuna at {args.python}: scripts/setup_client optuna DIR")
        return 77
    program = os.path.join(args.build, "bench_tune")
    least = minima(program)
    pairs = [s.split("=") for s in args.settings.split(",") if s]
    settings = {k: v == "true" if v in ("true", "false") else int(v) for k, v in pairs if k != "width"}  # which only ours has
    request = json.dumps([FUNCTIONS, args.seeds, args.trials, settings])
    answer = json.loads(subprocess.run([args.python, os.path.abspath(__file__), "optuna", request], check=True, capture_output=True,
                                       text=True).stdout)
    tpe = ours(program, "tpe" + (":" + args.settings if args.settings else ""), args.seeds, args.trials)
    chance = ours(program, "random", args.seeds, args.trials)
    adjusted = holm([wilcoxon_less(tpe[n], chance[n]) for n in FUNCTIONS])
    lines = [f"{args.seeds} seeds, {args.trials} trials, Optuna {answer['version']}, settings: {args.settings or 'defaults'}", "",
             "| function | random | TPE | Optuna's TPE | p, TPE beats random (Holm) | TPE / Optuna |", "|---|---|---|---|---|---|"]
    holds = True
    for name, p in zip(FUNCTIONS, adjusted):
        theirs = [v - least[name] for v in answer[name]]
        medians = [statistics.median(v) for v in (chance[name], tpe[name], theirs)]
        ratio = medians[1] / medians[2]
        holds = holds and p < ALPHA and ratio <= MOST_RATIO
        lines.append("| {} | {:.4g} | {:.4g} | {:.4g} | {:.2g} | {:.3f} |".format(name, *medians, p, ratio))
    text = "\n".join(lines + ["", "both hold on each function" if holds else "NOT REACHED on each function"]) + "\n"
    sys.stdout.write(text)
    if args.out:
        with open(args.out, "w", encoding="utf-8") as f:
            f.write(text)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
