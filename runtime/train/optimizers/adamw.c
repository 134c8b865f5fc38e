/* Adam with weight decay beside the gradient. */
#include "runtime/train/optimizers/adam_update.h"

static const pml_plugin_option options[] = {PML_ADAM_OPTIONS("0.01", "of the weights per unit of learning rate")};

static void update(const pml_optimizer_part *part) {
    pml_adam_update(part, true);
}

const pml_optimizer pml_optimizer_adamw = {
    .plugin = {.name = "adamw", .help = "adam with decoupled weight decay", .options = options},
    .slots = {"exp_avg", "exp_avg_sq"},
    .update = update,
};
