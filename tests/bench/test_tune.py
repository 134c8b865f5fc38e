#!/usr/bin/env python3
"""The statistics of scripts/benches/tune.py, against values known from tables and by hand."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "benches"))
sys.dont_write_bytecode = True
import tune  # noqa: E402


class Statistics(unittest.TestCase):
    def test_signed_ranks(self):
        self.assertEqual(tune.wilcoxon_less([1, 2, 3, 4, 5], [2, 4, 6, 8, 10]), 1 / 32)  # all signs alike: one of 32 ways
        self.assertEqual(tune.wilcoxon_less([2, 4, 6, 8, 10], [1, 2, 3, 4, 5]), 1.0)
        self.assertEqual(tune.wilcoxon_less([1, 1], [1, 1]), 1.0)
        # Ranks 1 against 2, 3, 4: sums of at least 9 of 10 come in 2 of 16 ways.
        self.assertEqual(tune.wilcoxon_less([1, 0, 0, 0], [0, 2, 3, 4]), 2 / 16)
        # The table's critical value for n = 10 and 5 % (one-sided) is 10: 10 is significant, 11 is not.
        self.assertLess(tune.wilcoxon_less([10, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 0.05)
        self.assertGreater(tune.wilcoxon_less([10, 1] + [0] * 8, [0, 0] + list(range(2, 10))), 0.05)

    def test_ties_share_their_ranks(self):
        # Differences 1, 1, -1: ranks 2, 2, 2; a sum of at least 4 comes in 4 of 8 ways.
        self.assertEqual(tune.wilcoxon_less([0, 0, 1], [1, 1, 0]), 4 / 8)

    def test_holm(self):
        for got, expected in zip(tune.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]):
            self.assertAlmostEqual(got, expected)

    def test_functions_reach_their_minima(self):
        for name, least in (("branin", 0.39788735772973816), ("rosenbrock", 0), ("mixed", 0), ("conditional", 0)):
            self.assertAlmostEqual(min(tune.values(name)), least, places=9)


if __name__ == "__main__":
    unittest.main()
