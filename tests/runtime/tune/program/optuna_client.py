#!/usr/bin/env python3
"""Optuna on a journal of ours, as a user and as its dashboard would: optuna_client.py look|begin|work JOURNAL

look    reads a study that `pml-train tune` made, and adds trials
begin   makes a study for `pml-train tune` to go on with
work    a worker beside ours
"""
import sys
import warnings

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
action, path = sys.argv[1:3]
storage = JournalStorage(JournalFileBackend(path))


def objective(trial):
    rate = trial.suggest_float("lr", 1e-5, 1.0, log=True)
    if trial.suggest_categorical("opt", ["adam", "sgd"]) == "sgd":
        trial.suggest_float("m", 0.0, 1.0)
    trial.report(rate, 0)
    return rate


if action == "look":
    (summary,) = optuna.get_all_study_summaries(storage)
    study = optuna.load_study(study_name=summary.study_name, storage=storage)
    assert study.metric_names == ["loss"], study.metric_names
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    trials = study.get_trials()
    complete = [t for t in trials if t.state == optuna.trial.TrialState.COMPLETE]
    assert len(trials) == 16 and complete, [t.state for t in trials]
    assert any(t.state == optuna.trial.TrialState.FAIL and t.user_attrs["failure"] == "exit code 3" for t in trials)
    best = min(complete, key=lambda t: t.value)
    assert study.best_trial.number == best.number and study.best_value == best.value
    assert set(study.best_params) >= {"lr", "opt"} and 1e-5 <= study.best_params["lr"] <= 1
    assert all(t.datetime_complete >= t.datetime_start for t in complete)
    assert all(sorted(t.intermediate_values) == [0, 1, 2] for t in complete)
    assert all(("m" in t.params) == (t.params["opt"] == "sgd") for t in complete)
    importances = optuna.importance.get_param_importances(study, params=["lr", "opt"])
    assert set(importances) == {"lr", "opt"} and abs(sum(importances.values()) - 1) < 1e-9
    frame_columns = [t.duration.total_seconds() for t in complete]
    assert all(d >= 0 for d in frame_columns)
    print("best %d %r" % (best.number, best.value))
    study.optimize(objective, n_trials=4)
    study.enqueue_trial({"lr": 0.5, "opt": "adam"})
elif action == "begin":
    study = optuna.create_study(study_name="theirs", storage=storage, direction="minimize")
    study.set_metric_names(["loss"])
    study.optimize(objective, n_trials=12)
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    study.set_user_attr("nan", float("nan"))
elif action == "work":
    optuna.load_study(study_name="study", storage=storage).optimize(objective, n_trials=15)
print("optuna is content")
