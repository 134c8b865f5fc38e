/* Likelihood under a normal density. */
#include "tests/runtime/train/losses/loss_case.h"

LOSS_TESTS("normal_nll", )
