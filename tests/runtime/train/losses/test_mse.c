/* Squared distance. */
#include "tests/runtime/train/losses/loss_case.h"

LOSS_TESTS("mse", )
