/* A small model in training mode with dropout: where it drops, that steps are repeatable, and that gradients are those
 * of what is left. */
#ifndef PML_TESTS_RUNTIME_MODELS_DROPOUT_CHECK_H
#define PML_TESTS_RUNTIME_MODELS_DROPOUT_CHECK_H

#include <stdlib.h>

#include "runtime/models/training.h"
#include "tests/runtime/models/series_model.h"

typedef struct dropout_case {
    const char *family;
    const char *const *settings; /* with a dropout above 0 */
    const pml_array *inputs;
    size_t n_inputs;
    const char *output;
    size_t n_dropouts;             /* of one run */
    const char *const *parameters; /* whose gradients are checked, NULL-terminated */
} dropout_case;

static inline const float *run_step(pml_model *model, const dropout_case *is, uint64_t step, size_t *count) {
    pml_model_training_step_set(model, step);
    PML_ASSERT_OK(pml_model_run(model, is->inputs, is->n_inputs, &error), &error);
    const pml_array *y = pml_model_output(model, is->output);
    CU_ASSERT_PTR_NOT_NULL_FATAL(y);
    *count = 1;
    for (unsigned axis = 0; axis < y->rank; axis++) {
        *count *= y->shape[axis];
    }
    return y->data;
}

static inline double weighed(const float *y, const float *c, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)y[i] * (double)c[i];
    }
    return sum;
}

static inline void check_parameter(pml_model *model, const dropout_case *is, const char *name, const float *c) {
    pml_parameter *parameter = pml_model_parameter_find(model, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(parameter);
    const size_t at = parameter->count / 2;
    const float value = parameter->values[at], step = 1.0F / 512;
    double sums[2];
    size_t count;
    for (int side = 0; side < 2; side++) {
        parameter->values[at] = value + (side == 0 ? -step : step);
        const float *y = run_step(model, is, 3, &count);
        sums[side] = weighed(y, c, count);
    }
    parameter->values[at] = value;
    const double found = (double)parameter->gradient[at], expected = (sums[1] - sums[0]) / (2 * (double)step);
    if (fabs(found - expected) > 5e-3 * (1 + fabs(expected))) {
        (void)printf("    gradient of %s: %.9g, expected %.9g\n", name, found, expected);
        CU_FAIL("gradient");
    }
}

static inline void check_dropout(const dropout_case *is) {
    pml_metadata *metadata = series_metadata(is->family, is->settings);
    series_model m = {.file = series_file(metadata, is->family)};
    size_t count;
    pml_metadata_destroy(metadata);
    PML_ASSERT_OK(pml_model_create_trainable(m.file, &(pml_trainable_options){.seed = 5}, &m.model, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m.model);
    const float *y = run_step(m.model, is, 3, &count);
    float *whole = malloc(count * sizeof *whole), *kept = malloc(count * sizeof *kept), *c = malloc(count * sizeof *c);
    memcpy(whole, y, count * sizeof *whole);
    fill_values(c, count);
    pml_model_training_set(m.model, true);
    memcpy(kept, run_step(m.model, is, 3, &count), count * sizeof *kept);
    CU_ASSERT_EQUAL(pml_model_context(m.model)->training->n_dropouts, is->n_dropouts);
    CU_ASSERT_NOT_EQUAL(memcmp(kept, whole, count * sizeof *kept), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(run_step(m.model, is, 4, &count), kept, count * sizeof *kept), 0);
    CU_ASSERT_EQUAL(memcmp(run_step(m.model, is, 3, &count), kept, count * sizeof *kept), 0);
    PML_ASSERT_OK(pml_model_backward(m.model, &(pml_output_gradient){is->output, c}, 1, NULL, NULL, &error), &error);
    for (const char *const *name = is->parameters; *name != NULL; name++) {
        check_parameter(m.model, is, *name, c);
    }
    pml_model_training_set(m.model, false);
    CU_ASSERT_EQUAL(memcmp(run_step(m.model, is, 3, &count), whole, count * sizeof *whole), 0);
    free(whole);
    free(kept);
    free(c);
    series_close(&m);
}

#endif
