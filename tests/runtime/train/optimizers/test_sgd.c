/* SGD, with and without momentum. */
#include "tests/runtime/train/optimizers/optimizer_case.h"

OPTIMIZER_TESTS("sgd")
