/* Names of plug-ins with options, as checkpoints hold them: what is accepted lies in the ranges of the tables. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/train/initializer.h"
#include "runtime/train/loss.h"
#include "runtime/train/optimizer.h"
#include "runtime/train/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *spec, pml_status status, const pml_settings *settings, const pml_error *error) {
    if (status != PML_OK) {
        if (error->message[0] == '\0') {
            abort();
        }
        return;
    }
    for (size_t i = 0; i < PML_PLUGIN_MAX_OPTIONS; i++) {
        if (settings->n_values[i] > PML_PLUGIN_MAX_VALUES || settings->n_values[i] > strlen(spec) + 3) {
            abort();
        }
        for (size_t k = 0; k < settings->n_values[i]; k++) {
            if (!isfinite(settings->values[i][k])) {
                abort();
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *spec = malloc(size + 1);
    const pml_loss *loss;
    const pml_optimizer *optimizer;
    const pml_schedule *schedule;
    const pml_initializer *initializer;
    pml_settings settings;
    pml_error error = {0};
    memcpy(spec, data, size);
    spec[size] = '\0';
    check(spec, pml_loss_choose(spec, &loss, &settings, &error), &settings, &error);
    check(spec, pml_initializer_choose(spec, &initializer, &settings, &error), &settings, &error);
    pml_status status = pml_optimizer_choose(spec, &optimizer, &settings, &error);
    check(spec, status, &settings, &error);
    if (status == PML_OK && !(pml_setting(&settings, PML_OPTIMIZER_LR) >= 0)) {
        abort();
    }
    status = pml_schedule_choose(spec, &schedule, &settings, &error);
    check(spec, status, &settings, &error);
    if (status == PML_OK) {
        const pml_schedule_point point = {size * 7, 100, size, 10};
        if (!(pml_schedule_factor(schedule, &settings, &point) >= 0)) {
            abort();
        }
    }
    free(spec);
    return 0;
}
