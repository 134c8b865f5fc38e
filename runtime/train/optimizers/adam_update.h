/* Adam's step (Kingma, Ba 2015), with weight decay as a part of the gradient or beside it (Loshchilov, Hutter 2019). */
#ifndef PML_RUNTIME_TRAIN_OPTIMIZERS_ADAM_UPDATE_H
#define PML_RUNTIME_TRAIN_OPTIMIZERS_ADAM_UPDATE_H

#include <math.h>

#include "runtime/train/optimizer.h"

enum { PML_ADAM_BETAS = PML_OPTIMIZER_OWN, PML_ADAM_EPS };
#define PML_ADAM_OPTIONS(weight_decay, what)                                                                           \
    {"lr", PML_PLUGIN_NUMBER, "0.001", "[0, inf)", "learning rate"},                                                   \
        {"weight_decay", PML_PLUGIN_NUMBER, weight_decay, "[0, inf)", what},                                           \
        {"betas", PML_PLUGIN_LIST, "0.9/0.999", "[0, 1)", "shares of mean and square that are kept"},                  \
        {"eps", PML_PLUGIN_NUMBER, "1e-8", "[0, inf)", "added to the root of the square"}, {                           \
        0                                                                                                              \
    }

static inline void pml_adam_update(const pml_optimizer_part *part, bool is_decoupled) {
    const double *betas = part->settings->values[PML_ADAM_BETAS];
    const double correction_1 = 1 - pow(betas[0], (double)part->i_step);
    const double correction_2 = 1 - pow(betas[1], (double)part->i_step);
    const pml_adam job = {.n = part->count,
                          .value = part->value,
                          .gradient = part->gradient,
                          .mean = part->slots[0],
                          .square = part->slots[1],
                          .rate = (float)(part->rate / correction_1),
                          .keep = is_decoupled ? (float)(1 - part->rate * part->weight_decay) : 1.0f,
                          .coupled = is_decoupled ? 0.0f : (float)part->weight_decay,
                          .share_1 = (float)(1 - betas[0]),
                          .keep_2 = (float)betas[1],
                          .share_2 = (float)(1 - betas[1]),
                          .root = (float)sqrt(correction_2),
                          .eps = (float)pml_setting(part->settings, PML_ADAM_EPS)};
    part->kernels->adam_f32(&job);
}

#endif
