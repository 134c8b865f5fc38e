/* Adam; weight decay is a part of the gradient. */
#include "runtime/train/optimizers/adam_update.h"

static const pml_plugin_option options[] = {PML_ADAM_OPTIONS("0", "of the weights, added to gradients")};

static void update(const pml_optimizer_part *part) {
    pml_adam_update(part, false);
}

const pml_optimizer pml_optimizer_adam = {
    .plugin = {.name = "adam", .help = "steps by mean and square of the gradients", .options = options},
    .slots = {"exp_avg", "exp_avg_sq"},
    .update = update,
};
