#!/usr/bin/env python3
"""The bench's own logic, nothing timed: ratios, goals, what is written, and when counts of instructions fail. Exit 77: numpy is not here."""
import csv
import importlib.machinery
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stdout

try:
    import numpy as np
except ImportError:
    print("skipped: numpy is not here")
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPTS = os.path.join(ROOT, "scripts")
sys.path.insert(0, SCRIPTS)
sys.dont_write_bytecode = True
from benches import goals, inputs, ours, series, table, tensors  # noqa: E402


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(SCRIPTS, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def sample_table():
    t = table.Table()
    t.add("minilm-1x128", 1, "pml", "int8-g64", "ms", [9.0, 8.0, 10.0], relative_rms=0.04)
    t.add("minilm-1x128", 1, "OpenVINO", "int8", "ms", [10.0, 11.0])
    t.add("minilm-1x128", 1, "ONNX Runtime", "int8", "ms", [16.0])
    t.add("minilm-1x128", 1, "CTranslate2", "f32", "ms", [1.0])   # another kind of dtype
    t.add("minilm-1x128", 2, "OpenVINO", "int8", "ms", [2.0])     # another number of threads
    t.rate()
    return t


class Ratios(unittest.TestCase):
    def test_only_the_same_cell_counts(self):
        row = sample_table().rows[0]
        self.assertEqual((row["best_peer"], row["ratio"], row["min"], row["median"]), ("OpenVINO", 0.8, 8.0, 9.0))

    def test_csv_and_markdown_hold_every_row(self):
        t = sample_table()
        with tempfile.NamedTemporaryFile("r", suffix=".csv") as f:
            t.write_csv(f.name)
            rows = list(csv.DictReader(f))
        self.assertEqual(len(rows), 5)
        self.assertEqual((rows[0]["ratio"], rows[0]["relative_rms"], rows[1]["ratio"]), ("0.8", "0.04", ""))
        text = t.markdown()
        self.assertIn("### minilm-1x128", text)
        self.assertIn("| **pml** | ms | 8 | 9 | 0.04 | 0.80 (OpenVINO) |", text)

    def test_goals(self):
        text = goals.markdown(sample_table())
        self.assertIn("| MiniLM 1 × 128 int8-g64 ÷ OpenVINO int8 | 1.1 | 0.8 | yes |", text)
        self.assertIn("| relative RMS error of int8-g64 | 0.045 | 0.04 | yes |", text)
        self.assertIn("| MiniLM 1 × 128 f32 ÷ OpenVINO | 1 |  | not measured |", text)
        slow = table.Table()
        slow.add("patchtst42-b1", 1, "pml", "f32", "ms", [3.0])
        slow.add("patchtst42-b1", 1, "OpenVINO", "f32", "ms", [2.0])
        self.assertIn("| PatchTST/42 batch 1 f32 ÷ OpenVINO | 0.8 | 1.5 | **no** |", goals.markdown(slow))


class Inputs(unittest.TestCase):
    def test_formulas_are_bounded_and_fixed(self):
        ids = inputs.minilm_ids(2, 16)
        self.assertEqual((ids.shape, ids[1, 0], ids[1, -1], ids.max() < 30522), ((2, 16), 101, 102, True))
        self.assertLess(inputs.gpt2_ids(128).max(), inputs.GPT2_VOCABULARY)
        self.assertEqual(inputs.series(3).shape, (3, 336, 7))
        self.assertAlmostEqual(inputs.relative_rms([1, 1], [1, 2]), (1 / 5) ** 0.5)

    def test_forecasting_families(self):
        for case, (family, batch) in series.CASES.items():
            arguments, found = series.ARGUMENTS[family], series.arrays(case)
            self.assertEqual(found["past_values"].shape, (batch, arguments["seq_len"], arguments["enc_in"]))
            steps = {"past_marks": arguments["seq_len"], "decoder_marks": arguments["label_len"] + arguments["pred_len"]}
            for name in set(found) - {"past_values"}:
                self.assertEqual(found[name].shape, (batch, steps[name], 4))
                self.assertLessEqual(np.abs(found[name]).max(), 0.5)
            self.assertEqual(ours.CASES[case][0], family)
        hours = inputs.marks(2, 47, 2)
        self.assertEqual([round(float(v), 4) for v in hours[0, :, 0]], [0.5, -0.5])  # 23 o'clock, midnight
        self.assertAlmostEqual(float(hours[1, 1, 1]), 3 / 6 - 0.5)                   # the fourth day of the week
        text = goals.markdown(table.Table())
        self.assertIn("| autoformer-b1 f32 ÷ PyTorch | 0.3 |", text)
        self.assertNotIn("autoformer-b32 f32", text)

    def test_safetensors_there_and_back(self):
        arrays = {"in.x": inputs.series(1), "in.ids": inputs.gpt2_ids(3)}
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as f:
            tensors.write(f.name, arrays)
            for name, array in tensors.read(f.name).items():
                self.assertTrue(np.array_equal(array, arrays[name]) and array.dtype == arrays[name].dtype)


class Programs(unittest.TestCase):
    def test_help_and_mistakes(self):
        for name in ("bench", "count_instructions"):
            script = os.path.join(SCRIPTS, name)
            done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("--build", done.stdout)
            self.assertEqual(subprocess.run([sys.executable, script, "--no-such"], capture_output=True, check=False).returncode, 2)
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, os.path.join(SCRIPTS, "bench"), "--build", folder, "--work", folder],
                                  capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("build first", done.stderr)

    def test_more_instructions_fail(self):
        compare = load("count_instructions").compare
        with redirect_stdout(io.StringIO()) as out:
            self.assertFalse(compare({"a": 1019, "b": 900}, {"a": 1000, "b": 1000}, 2.0))
            self.assertTrue(compare({"a": 1021}, {"a": 1000}, 2.0))
            self.assertTrue(compare({"new": 1}, {"a": 1000}, 2.0))
        self.assertIn("b: 900, recorded 1000, -10.00 %: fewer: record it", out.getvalue())


if __name__ == "__main__":
    unittest.main()
