/* Lion: steps of one size, in the direction of a mean's signs (Chen et al. 2023). */
#include "runtime/train/optimizer.h"

enum { BETAS = PML_OPTIMIZER_OWN };
static const pml_plugin_option options[] = {
    {"lr", PML_PLUGIN_NUMBER, "0.0001", "[0, inf)", "learning rate: the size of every step"},
    {"weight_decay", PML_PLUGIN_NUMBER, "0", "[0, inf)", "of the weights per unit of learning rate"},
    {"betas", PML_PLUGIN_LIST, "0.9/0.99", "[0, 1)", "shares of the mean that count in a step, that are kept"},
    {0}};

static void update(const pml_optimizer_part *part) {
    const double *betas = part->settings->values[BETAS];
    const pml_lion job = {.n = part->count,
                          .value = part->value,
                          .gradient = part->gradient,
                          .mean = part->slots[0],
                          .rate = (float)part->rate,
                          .keep = (float)(1 - part->rate * part->weight_decay),
                          .keep_1 = (float)betas[0],
                          .share_1 = (float)(1 - betas[0]),
                          .keep_2 = (float)betas[1],
                          .share_2 = (float)(1 - betas[1])};
    part->kernels->lion_f32(&job);
}

const pml_optimizer pml_optimizer_lion = {
    .plugin = {.name = "lion", .help = "steps by the sign of a mean of the gradients", .options = options},
    .slots = {"exp_avg"},
    .update = update,
};
