/* The rounded distance; beta 0 is the distance itself. */
#include "tests/runtime/train/losses/loss_case.h"

LOSS_TESTS("smooth_l1", )
