/* Search spaces: whatever the text, a space that is read can be walked and gridded. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tune/study.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void search(const pml_space *space, const char *sampler) {
    pml_study *study = NULL;
    const pml_trial *trial = NULL;
    double values[64];
    pml_error error = {0};
    const pml_study_options options = {.space = space, .sampler = pml_trial_sampler_get(sampler), .seed = 1};
    if (pml_study_open(&options, &study, &error) == PML_OK && pml_study_ask(study, &trial, &error) == PML_OK &&
        trial != NULL && pml_study_suggest_space(study, trial, values, &error) == PML_OK) {
        for (size_t i = 0; i < space->n_parameters; i++) {
            if (!isnan(values[i]) && !pml_distribution_contains(&space->parameters[i].distribution, values[i])) {
                abort();
            }
        }
    }
    pml_study_close(study);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pml_space space = {0};
    pml_error error = {0};
    if (pml_space_parse((const char *)data, size, "fuzz", &space, &error) != PML_OK) {
        if (error.message[0] == '\0') {
            abort();
        }
        return 0;
    }
    double product = 1;
    for (size_t i = 0; i < space.n_parameters; i++) {
        const pml_space_parameter *p = &space.parameters[i];
        product *=
            p->resolution > 0 ? (double)p->resolution
            : p->distribution.kind == PML_DISTRIBUTION_CATEGORICAL
                ? (double)p->distribution.n_choices
                : 2 + (p->distribution.step > 0 ? (p->distribution.high - p->distribution.low) / p->distribution.step
                                                : 8);
    }
    if (space.n_parameters <= 64) {
        search(&space, "random");
        if (product < 1e4) {
            search(&space, "grid");
        }
    }
    pml_space_deinit(&space);
    return 0;
}
