/* Adam. */
#include "tests/runtime/train/optimizers/optimizer_case.h"

OPTIMIZER_TESTS("adam")
