#!/usr/bin/env python3
"""Makes tests/goldens/study: a journal that Optuna wrote, and what its own default evaluator says of the parameters.

    python3 scripts/make_golden_study.py FOLDER      needs optuna 5
"""
import json
import math
import pathlib
import sys

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
journal = folder / "study.journal"
journal.unlink(missing_ok=True)
optuna.logging.set_verbosity(optuna.logging.WARNING)
storage = JournalStorage(JournalFileBackend(str(journal)))


def least(trial):
    lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
    layers = trial.suggest_int("layers", 1, 6)
    width = trial.suggest_int("width", 8, 512, log=True)
    dropout = trial.suggest_float("dropout", 0, 0.5, step=0.1)
    optimizer = trial.suggest_categorical("optimizer", ["adam", "sgd", "lion"])
    momentum = trial.suggest_float("momentum", 0, 1) if optimizer == "sgd" else 0.5
    if trial.number % 11 == 7:
        raise optuna.TrialPruned()
    return (abs(math.log10(lr) + 3) + 0.2 * abs(layers - 3) + 0.01 * width / 100 + dropout * 0.1
            + {"adam": 0, "sgd": 0.5, "lion": 0.3}[optimizer] + 0.3 * (momentum - 0.9) ** 2)


def greatest(trial):
    size = trial.suggest_int("size", 2, 40, step=2)
    if trial.suggest_categorical("solver", [None, True, 3, "fast"]) == 3:
        return 4 - (trial.suggest_float("tolerance", 0.25, 1) - 0.5) ** 2 + size / 100
    return size / 20


expected = {}
for name, objective, direction, n_trials in (("least", least, "minimize", 34), ("greatest", greatest, "maximize", 30)):
    study = optuna.create_study(study_name=name, storage=storage, direction=direction,
                                sampler=optuna.samplers.RandomSampler(seed=3))
    study.optimize(objective, n_trials=n_trials)
    expected[name] = optuna.importance.get_param_importances(study)
(folder / "importance.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
