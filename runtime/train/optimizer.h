/* Optimizers: how a step changes parameters by their gradients. The formulas, in specs/training.md, are PyTorch's, with
 * its order of operations in FP32. */
#ifndef PML_RUNTIME_TRAIN_OPTIMIZER_H
#define PML_RUNTIME_TRAIN_OPTIMIZER_H

#include "runtime/base/plugin.h"
#include "runtime/train/parameter_set.h"

/* The first two options of every optimizer. */
enum { PML_OPTIMIZER_LR, PML_OPTIMIZER_WEIGHT_DECAY, PML_OPTIMIZER_OWN };

/* A run of elements as plug-ins see it. */
typedef struct pml_optimizer_part {
    const pml_settings *settings;
    const pml_kernels *kernels;
    uint64_t i_step; /* from 1 on */
    double rate, weight_decay;
    float *value;
    const float *gradient;
    float *slots[PML_PARAMETER_MAX_SLOTS];
    size_t count;
} pml_optimizer_part;

typedef struct pml_optimizer {
    pml_plugin plugin;
    const char *slots[PML_PARAMETER_MAX_SLOTS]; /* names of what is kept for each element, as checkpoints have them */
    size_t (*n_slots)(const pml_settings *settings); /* how many of these; NULL: all that have names */
    void (*update)(const pml_optimizer_part *part);
} pml_optimizer;

extern const pml_optimizer *const pml_optimizers[]; /* in the registry's order, ends with NULL */
extern const pml_plugin *const pml_optimizer_plugins[];

/* Reads "adamw:lr=0.001,weight_decay=0.01". Errors: NOT_FOUND, ARGUMENT. */
pml_status pml_optimizer_choose(const char *spec, const pml_optimizer **optimizer, pml_settings *settings,
                                pml_error *error) PML_WARN_UNUSED;
/* How many arrays of moments each parameter needs; optimizer->slots has their names. */
size_t pml_optimizer_slots(const pml_optimizer *optimizer, const pml_settings *settings);

/* Step i_step, from 1 on, of all parameters at once: learning rate = option `lr` * rate_factor (the schedule's) * the
 * group's. Parameters whose group has factor 0 stay as they are, and so do their slots. Nothing is allocated. */
void pml_optimizer_step(const pml_optimizer *optimizer, const pml_settings *settings, pml_parameter_set *set,
                        uint64_t i_step, double rate_factor, pml_context *context);

#endif
