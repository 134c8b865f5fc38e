/* Stochastic gradient descent, with momentum as PyTorch has it (the first gradient is the first buffer). */
#include "runtime/train/optimizer.h"

enum { MOMENTUM = PML_OPTIMIZER_OWN, DAMPENING, NESTEROV };
static const pml_plugin_option options[] = {
    {"lr", PML_PLUGIN_NUMBER, "0.001", "[0, inf)", "learning rate"},
    {"weight_decay", PML_PLUGIN_NUMBER, "0", "[0, inf)", "of the weights, added to gradients"},
    {"momentum", PML_PLUGIN_NUMBER, "0", "[0, inf)", "share of the last step that is kept"},
    {"dampening", PML_PLUGIN_NUMBER, "0", NULL, "share of a gradient that momentum leaves out"},
    {"nesterov", PML_PLUGIN_SWITCH, "false", NULL, "momentum looks ahead"},
    {0}};

static size_t n_slots(const pml_settings *settings) {
    return pml_setting(settings, MOMENTUM) != 0;
}

static void update(const pml_optimizer_part *part) {
    const double momentum = pml_setting(part->settings, MOMENTUM);
    const pml_sgd job = {.n = part->count,
                         .value = part->value,
                         .gradient = part->gradient,
                         .buffer = momentum != 0 ? part->slots[0] : NULL,
                         .rate = (float)part->rate,
                         .coupled = (float)part->weight_decay,
                         .momentum = (float)momentum,
                         .share = (float)(1 - pml_setting(part->settings, DAMPENING)),
                         .is_first = part->i_step == 1,
                         .nesterov = pml_setting(part->settings, NESTEROV) != 0};
    part->kernels->sgd_f32(&job);
}

const pml_optimizer pml_optimizer_sgd = {
    .plugin = {.name = "sgd", .help = "stochastic gradient descent", .options = options},
    .slots = {"momentum_buffer"},
    .n_slots = n_slots,
    .update = update,
};
