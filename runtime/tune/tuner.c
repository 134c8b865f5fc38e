#include "runtime/tune/tuner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/quote.h"

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
    while (pml_trial_sampler_at(i) != NULL && strcmp(samplers[i]->name, name) != 0) {
        i++;
    }
    return pml_trial_sampler_at(i);
}

const pml_pruner *pml_pruner_get(const char *name) {
    size_t i = 0;
    while (pml_pruner_at(i) != NULL && strcmp(pruners[i]->name, name) != 0) {
        i++;
    }
    return pml_pruner_at(i);
}

void pml_tuner_settings_init(const pml_tuner_setting *table, double settings[PML_TUNER_SETTINGS]) {
    for (size_t i = 0; i < PML_TUNER_SETTINGS; i++) {
        settings[i] = 0;
    }
    for (size_t i = 0; table[i].name != NULL; i++) {
        settings[i] = table[i].value;
    }
}

static pml_status unknown(const char *tuner, const pml_tuner_setting *table, const char *text, pml_error *error) {
    char names[256] = "";
    size_t used = 0;
    pml_quoted quoted;
    for (size_t i = 0; table[i].name != NULL && used < sizeof names; i++) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", table[i].name);
    }
    return PML_FAIL(error, PML_E_ARGUMENT, "%s has no setting %s; it has %s", tuner, pml_quote(&quoted, text),
                    used > 0 ? names : "none");
}

pml_status pml_tuner_settings_set(const char *tuner, const pml_tuner_setting *table, const char *text,
                                  double settings[PML_TUNER_SETTINGS], pml_error *error) {
    const size_t length = strcspn(text, "=");
    size_t i = 0;
    while (table[i].name != NULL && (strlen(table[i].name) != length || strncmp(table[i].name, text, length) != 0)) {
        i++;
    }
    if (table[i].name == NULL || text[length] != '=') {
        return unknown(tuner, table, text, error);
    }
    char *end = NULL;
    const char *number = text + length + 1;
    const double value = strtod(number, &end);
    if (end == number || *end != '\0' || !(value >= table[i].least && value <= table[i].most) ||
        (table[i].is_whole && value != floor(value))) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: %s is a %snumber from %g to %g", tuner, table[i].name,
                        table[i].is_whole ? "whole " : "", table[i].least, table[i].most);
    }
    settings[i] = value;
    return PML_OK;
}
