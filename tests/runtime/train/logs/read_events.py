#!/usr/bin/env python3
"""Prints what TensorBoard's EventAccumulator finds in a folder: a line per tag, `step=value` of each scalar."""
import logging
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

logging.disable(logging.WARNING)  # it tells what it withdraws
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
for tag in sorted(events.Tags()["scalars"]):
    scalars = events.Scalars(tag)
    if scalars:
        print(tag, *(f"{e.step}={e.value:g}" for e in scalars))
