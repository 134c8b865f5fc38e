#include "runtime/train/optimizer.h"

#include <math.h>

#define COST_NS 1.5 /* of an element: it is memory that counts */

#define PML_OPTIMIZER(name) extern const pml_optimizer pml_optimizer_##name;
#include "runtime/train/optimizers/registry.def"
#undef PML_OPTIMIZER

const pml_optimizer *const pml_optimizers[] = {
#define PML_OPTIMIZER(name) &pml_optimizer_##name,
#include "runtime/train/optimizers/registry.def"
#undef PML_OPTIMIZER
    NULL};

const pml_plugin *const pml_optimizer_plugins[] = {
#define PML_OPTIMIZER(name) &pml_optimizer_##name.plugin,
#include "runtime/train/optimizers/registry.def"
#undef PML_OPTIMIZER
    NULL};

pml_status pml_optimizer_choose(const char *spec, const pml_optimizer **optimizer, pml_settings *settings,
                                pml_error *error) {
    size_t i_optimizer;
    const pml_status status =
        pml_plugin_choose("optimizer", pml_optimizer_plugins, spec, &i_optimizer, settings, error);
    if (status == PML_OK) {
        *optimizer = pml_optimizers[i_optimizer];
    }
    return status;
}

size_t pml_optimizer_slots(const pml_optimizer *optimizer, const pml_settings *settings) {
    size_t n = 0;
    if (optimizer->n_slots != NULL) {
        return optimizer->n_slots(settings);
    }
    while (n < PML_PARAMETER_MAX_SLOTS && optimizer->slots[n] != NULL) {
        n++;
    }
    return n;
}

typedef struct step {
    const pml_optimizer *optimizer;
    const pml_parameter_set *set;
    pml_optimizer_part part; /* what all have in common; rate without the group's factor */
    size_t n_slots;
} step;

static void update(void *user, size_t i_view, size_t begin, size_t count, double *sum) {
    const step *s = user;
    const pml_parameter_view *view = &s->set->views[i_view];
    const pml_parameter_group *group = &s->set->groups[view->i_group];
    pml_optimizer_part part = s->part;
    (void)sum;
    part.rate *= group->lr_scale;
    if (group->lr_scale == 0) {
        return;
    }
    if (!isnan(group->weight_decay)) {
        part.weight_decay = group->weight_decay;
    }
    part.value = view->value + begin;
    part.gradient = view->gradient + begin;
    for (size_t i = 0; i < s->n_slots; i++) {
        part.slots[i] = view->slots[i] + begin;
    }
    part.count = count;
    s->optimizer->update(&part);
}

void pml_optimizer_step(const pml_optimizer *optimizer, const pml_settings *settings, pml_parameter_set *set,
                        uint64_t i_step, double rate_factor, pml_context *context) {
    step s = {.optimizer = optimizer,
              .set = set,
              .part = {.settings = settings,
                       .kernels = &context->kernels,
                       .i_step = i_step,
                       .rate = pml_setting(settings, PML_OPTIMIZER_LR) * rate_factor,
                       .weight_decay = pml_setting(settings, PML_OPTIMIZER_WEIGHT_DECAY)},
              .n_slots = pml_optimizer_slots(optimizer, settings)};
    (void)pml_parameter_set_run(set, context, COST_NS, update, &s);
}
