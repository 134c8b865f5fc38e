#!/usr/bin/env python3
"""Makes tests/goldens/train/trainer_state.json with transformers' own class: what a run of 40 steps would leave.

    python3 scripts/make_golden_trainer_state.py FILE      needs transformers
"""
import sys

from transformers.trainer_callback import EarlyStoppingCallback, TrainerControl, TrainerState

stopping = EarlyStoppingCallback(early_stopping_patience=3, early_stopping_threshold=0.001)
stopping.early_stopping_patience_counter = 1
control = TrainerControl(should_save=True)
state = TrainerState(
    epoch=2.0, global_step=40, max_steps=60, logging_steps=10, eval_steps=20, save_steps=20, train_batch_size=32,
    num_train_epochs=3, num_input_tokens_seen=0, total_flos=1.5e12, best_metric=0.375, best_global_step=20,
    best_model_checkpoint="out/checkpoint-20", stateful_callbacks=[control, stopping],
    log_history=[
        {"loss": 1.25, "grad_norm": 3.5, "learning_rate": 1e-4, "epoch": 0.5, "step": 10},
        {"loss": 0.1, "grad_norm": float("nan"), "learning_rate": 7.5e-05, "epoch": 1.0, "step": 20},
        {"eval_loss": 0.375, "eval_runtime": 0.25, "eval_samples_per_second": 100000.0, "epoch": 1.0, "step": 20},
        {"loss": float("inf"), "grad_norm": 1e22, "learning_rate": 0.0, "epoch": 1.5, "step": 30},
        {"loss": 1e15, "grad_norm": 123456789.25, "learning_rate": 1e-08, "epoch": 2.0, "step": 40},
        {"eval_loss": 0.5, "epoch": 2.0, "step": 40},
    ])
state.save_to_json(sys.argv[1])
