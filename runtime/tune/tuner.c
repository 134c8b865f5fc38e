#include "runtime/tune/tuner.h"

#include <string.h>

#define PML_SAMPLER(id) extern const pml_trial_sampler pml_trial_sampler_##id;
#define PML_PRUNER(id) extern const pml_pruner pml_pruner_##id;
#include "runtime/tune/registry.def"
#undef PML_SAMPLER
#undef PML_PRUNER

static const pml_trial_sampler *const samplers[] = {
#define PML_SAMPLER(id) &pml_trial_sampler_##id,
#define PML_PRUNER(id)
#include "runtime/tune/registry.def"
#undef PML_SAMPLER
#undef PML_PRUNER
};

static const pml_pruner *const pruners[] = {
#define PML_SAMPLER(id)
#define PML_PRUNER(id) &pml_pruner_##id,
#include "runtime/tune/registry.def"
#undef PML_SAMPLER
#undef PML_PRUNER
};

const pml_trial_sampler *pml_trial_sampler_at(size_t i) {
    return i < sizeof samplers / sizeof samplers[0] ? samplers[i] : NULL;
}

const pml_pruner *pml_pruner_at(size_t i) {
    return i < sizeof pruners / sizeof pruners[0] ? pruners[i] : NULL;
}

const pml_trial_sampler *pml_trial_sampler_get(const char *name) {
    size_t i = 0;
    while (pml_trial_sampler_at(i) != NULL && strcmp(samplers[i]->plugin.name, name) != 0) {
        i++;
    }
    return pml_trial_sampler_at(i);
}

const pml_pruner *pml_pruner_get(const char *name) {
    size_t i = 0;
    while (pml_pruner_at(i) != NULL && strcmp(pruners[i]->plugin.name, name) != 0) {
        i++;
    }
    return pml_pruner_at(i);
}

#define MOST_PLUGINS 32u

pml_status pml_trial_sampler_choose(const char *spec, const pml_trial_sampler **sampler, pml_settings *settings,
                                    pml_error *error) {
    const pml_plugin *plugins[MOST_PLUGINS] = {NULL};
    size_t i_plugin = 0;
    for (size_t i = 0; i + 1 < MOST_PLUGINS && pml_trial_sampler_at(i) != NULL; i++) {
        plugins[i] = &samplers[i]->plugin;
    }
    const pml_status status = pml_plugin_choose("sampler", plugins, spec, &i_plugin, settings, error);
    if (status == PML_OK) {
        *sampler = samplers[i_plugin];
    }
    return status;
}

pml_status pml_pruner_choose(const char *spec, const pml_pruner **pruner, pml_settings *settings, pml_error *error) {
    const pml_plugin *plugins[MOST_PLUGINS] = {NULL};
    size_t i_plugin = 0;
    for (size_t i = 0; i + 1 < MOST_PLUGINS && pml_pruner_at(i) != NULL; i++) {
        plugins[i] = &pruners[i]->plugin;
    }
    const pml_status status = pml_plugin_choose("pruner", plugins, spec, &i_plugin, settings, error);
    if (status == PML_OK) {
        *pruner = pruners[i_plugin];
    }
    return status;
}
