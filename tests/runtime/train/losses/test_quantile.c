/* Pinball loss. */
#include "tests/runtime/train/losses/loss_case.h"

LOSS_TESTS("quantile", )
