"""The parts of scripts/bench, one idea each."""
