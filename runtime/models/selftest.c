#include "runtime/models/selftest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/models/model.h"
#include "runtime/models/selftest_mode.h"
#include "runtime/models/selftest_text.h"

#define F32_ERROR_FACTOR 4.0   /* times the framework's own F32 error */
#define LEAST_RELATIVE 1e-6    /* of the greatest true value, where the framework happens to be exact */
#define NO_TRUTH_RELATIVE 1e-5 /* without F64 outputs */
#define BF16_RELATIVE_RMS 2e-2
#define I8_RELATIVE_RMS 0.1
#define GROUPED_I8_RELATIVE_RMS 0.08

double pml_vector_element(const pml_vector *vector, size_t i) {
    return pml_dtype_value(vector->dtype, (const char *)vector->bytes + i * (pml_dtype_bits(vector->dtype) / 8u));
}

pml_status pml_vector_count(const pml_vector *vector, size_t *count, pml_error *error) {
    uint64_t product;
    if (vector->rank > PML_MAX_RANK || !pml_dtype_is_number(vector->dtype) ||
        !pml_ck_product(vector->shape, vector->rank, &product) || !pml_ck_size(product, count)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "self-test vector '%s' has dtype %s or a shape that cannot be compared",
                        vector->name, pml_dtype_name(vector->dtype));
    }
    return PML_OK;
}

const pml_vector *pml_vector_find(const pml_vector *vectors, size_t n_vectors, const char *prefix, const char *name) {
    size_t length = strlen(prefix);
    for (size_t i = 0; i < n_vectors; i++) {
        if (strncmp(vectors[i].name, prefix, length) == 0 && strcmp(vectors[i].name + length, name) == 0) {
            return &vectors[i];
        }
    }
    return NULL;
}

/* The vector recorded for an input, under the port's name or an alias. */
static const pml_vector *find_input(const pml_model *model, const pml_vector *vectors, size_t n_vectors,
                                    size_t i_port) {
    const pml_model_port *port = pml_model_input_at(model, i_port);
    const pml_vector *found = pml_vector_find(vectors, n_vectors, "in.", port->name);
    for (size_t i = 0; found == NULL && i < n_vectors; i++) {
        bool is_input = strncmp(vectors[i].name, "in.", 3) == 0;
        found = is_input && pml_model_find_input(model, vectors[i].name + 3) == port ? &vectors[i] : NULL;
    }
    return found;
}

/* The recorded inputs as F32. Each data pointer is the caller's (pml_free). */
static pml_status gather_inputs(const pml_model *model, const pml_vector *vectors, size_t n_vectors, pml_array *inputs,
                                size_t *n_inputs, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i_port = 0; i_port < pml_model_n_inputs(model); i_port++) {
        const char *name = pml_model_input_at(model, i_port)->name;
        const pml_vector *vector = find_input(model, vectors, n_vectors, i_port);
        if (vector == NULL) {
            continue;
        }
        size_t count = 0;
        PML_TRY(pml_vector_count(vector, &count, error));
        float *values;
        PML_TRY(pml_alloc(count, sizeof *values, &values, error));
        for (size_t i = 0; i < count; i++) {
            values[i] = (float)pml_vector_element(vector, i);
        }
        pml_array *input = &inputs[(*n_inputs)++];
        *input = (pml_array){.name = name, .data = values, .rank = vector->rank};
        for (unsigned axis = 0; axis < vector->rank; axis++) {
            input->shape[axis] = (size_t)vector->shape[axis];
        }
    }

done:
    return status;
}

/* Equal once axes of size 1 are dropped. */
static bool same_shape(const pml_array *output, const pml_vector *recorded) {
    size_t i = 0, k = 0;
    for (;;) {
        while (i < output->rank && output->shape[i] == 1) {
            i++;
        }
        while (k < recorded->rank && recorded->shape[k] == 1) {
            k++;
        }
        if (i == output->rank || k == recorded->rank) {
            return i == output->rank && k == recorded->rank;
        }
        if (output->shape[i++] != recorded->shape[k++]) {
            return false;
        }
    }
}

/* How many trailing elements share one row of in.attention_mask; 0 when the mask says nothing about this output: a
 * model with a token axis says which outputs have it, even where a width happens to equal T. */
static size_t masked_row_elements(const pml_model *model, const pml_array *output, const pml_vector *mask) {
    const pml_model_port *port = pml_model_find_output(model, output->name);
    const bool is_pooled = pml_model_n_tokens(model) != 0 && (port == NULL || port->token_axis != 1);
    if (mask == NULL || is_pooled || mask->rank != 2 || output->rank < 2 || output->shape[0] != mask->shape[0] ||
        output->shape[1] != mask->shape[1]) {
        return 0;
    }
    size_t elements = 1;
    for (size_t axis = 2; axis < output->rank; axis++) {
        elements *= output->shape[axis];
    }
    return elements;
}

void pml_selftest_judge(const pml_model *model, const pml_array *output, const pml_vector *recorded,
                        const pml_vector *truth, size_t count, const pml_vector *mask, pml_selftest_result *result) {
    const pml_vector *reference = truth != NULL ? truth : recorded;
    const bool is_i8 = pml_model_has_i8(model), is_grouped = pml_model_has_grouped_i8(model);
    const bool by_rms = pml_model_has_bf16(model) || is_i8 || is_grouped;
    size_t row_elements = masked_row_elements(model, output, mask);
    double worst = 0, framework_worst = 0, greatest = 0, square_error = 0, square = 0;
    bool is_finite = true;
    for (size_t i = 0; i < count; i++) {
        if (row_elements != 0 && pml_vector_element(mask, i / row_elements) == 0) {
            continue;
        }
        double expected = pml_vector_element(reference, i), error = fabs((double)output->data[i] - expected);
        is_finite = is_finite && isfinite(error);
        worst = error > worst ? error : worst;
        greatest = fabs(expected) > greatest ? fabs(expected) : greatest;
        square_error += error * error;
        square += expected * expected;
        if (truth != NULL && recorded != NULL) {
            double framework_error = fabs(pml_vector_element(recorded, i) - expected);
            if (isfinite(framework_error)) { /* where it overflowed, it allows nothing */
                framework_worst = framework_error > framework_worst ? framework_error : framework_worst;
            }
        }
    }
    result->max_error = is_finite ? worst : (double)NAN;
    result->relative_rms = square_error == 0 ? 0 : sqrt(square_error / square);
    result->by_rms = by_rms;
    if (by_rms) {
        result->allowed = is_i8 ? I8_RELATIVE_RMS : is_grouped ? GROUPED_I8_RELATIVE_RMS : BF16_RELATIVE_RMS;
    } else if (truth == NULL) {
        result->allowed = NO_TRUTH_RELATIVE * greatest;
    } else {
        result->allowed = fmax(F32_ERROR_FACTOR * framework_worst, LEAST_RELATIVE * greatest);
    }
    result->passed = is_finite && (by_rms ? result->relative_rms : worst) <= result->allowed;
}

/* Judges the port `name`, of which out.<name> or out64.<name> or both are recorded. */
static pml_status judge_port(const pml_model *model, const pml_vector *vectors, size_t n_vectors, const char *name,
                             pml_selftest_result *result, pml_error *error) {
    pml_status status = PML_OK;
    const pml_vector *recorded = pml_vector_find(vectors, n_vectors, "out.", name);
    const pml_vector *truth = pml_vector_find(vectors, n_vectors, "out64.", name);
    const pml_vector *mask = pml_vector_find(vectors, n_vectors, "in.attention_mask", "");
    const pml_array *output = pml_selftest_output(model, name);
    *result = (pml_selftest_result){.max_error = (double)NAN, .relative_rms = (double)NAN};
    snprintf(result->name, sizeof result->name, "%s", name);
    size_t count = 0;
    if (recorded != NULL) {
        PML_TRY(pml_vector_count(recorded, &count, error));
    }
    if (truth != NULL) {
        PML_TRY(pml_vector_count(truth, &count, error));
    }
    if (mask != NULL) {
        size_t ignored;
        PML_TRY(pml_vector_count(mask, &ignored, error));
    }
    if (output != NULL && output->data != NULL && (recorded == NULL || same_shape(output, recorded)) &&
        (truth == NULL || same_shape(output, truth))) {
        pml_selftest_judge(model, output, recorded, truth, count, mask, result);
    }

done:
    return status;
}

/* The port that a vector records, once per port: out64.<p> counts only where out.<p> is missing. NULL: none. */
static const char *judged_port(const pml_vector *vectors, size_t n_vectors, size_t i) {
    const char *name = NULL;
    if (strncmp(vectors[i].name, "out.", 4) == 0) {
        name = vectors[i].name + 4;
    } else if (strncmp(vectors[i].name, "out64.", 6) == 0 &&
               pml_vector_find(vectors, n_vectors, "out.", vectors[i].name + 6) == NULL) {
        name = vectors[i].name + 6;
    }
    return name == NULL || strcmp(name, "loss") == 0 ? NULL : name;
}

/* Whether a vector records an output of a run in that mode. */
static bool is_of_mode(const pml_model *model, const pml_vector *vectors, size_t n_vectors, size_t i,
                       pml_selftest_mode mode) {
    const char *name = judged_port(vectors, n_vectors, i);
    return name != NULL && !pml_selftest_is_text(model, vectors, n_vectors, name) &&
           pml_selftest_mode_of(model, name) == mode;
}

/* One run for all outputs that are recorded of that mode. */
static pml_status judge_mode(pml_model *model, const pml_vector *vectors, size_t n_vectors, pml_selftest_mode mode,
                             const pml_array *inputs, size_t n_inputs, pml_selftest_report *report, pml_error *error) {
    pml_status status = PML_OK;
    bool has_run = false;
    for (size_t i = 0; i < n_vectors; i++) {
        if (!is_of_mode(model, vectors, n_vectors, i, mode)) {
            continue;
        }
        if (!has_run) {
            PML_TRY(pml_selftest_run_mode(model, mode, inputs, n_inputs, error));
            has_run = true;
        }
        PML_TRY(judge_port(model, vectors, n_vectors, judged_port(vectors, n_vectors, i),
                           &report->results[report->count], error));
        report->count++;
    }
    if (!has_run && mode == PML_SELFTEST_PORT) { /* inputs alone prove that the model computes */
        PML_TRY(pml_selftest_run_mode(model, mode, inputs, n_inputs, error));
    }

done:
    return status;
}

pml_status pml_selftest_run(pml_model *model, const pml_vector *vectors, size_t n_vectors, pml_selftest_report *report,
                            pml_error *error) {
    pml_status status = PML_OK;
    pml_array *inputs = NULL;
    size_t n_inputs = 0;
    *report = (pml_selftest_report){0};
    PML_TRY(pml_alloc(pml_model_n_inputs(model), sizeof *inputs, &inputs, error));
    PML_TRY(gather_inputs(model, vectors, n_vectors, inputs, &n_inputs, error));
    PML_TRY(pml_alloc(n_vectors, sizeof *report->results, &report->results, error));
    /* Texts first: outputs are those of the last run. */
    for (size_t i = 0; i < n_vectors; i++) {
        bool is_judged = false;
        PML_TRY(pml_selftest_judge_text(model, vectors, n_vectors, judged_port(vectors, n_vectors, i),
                                        &report->results[report->count], &is_judged, error));
        report->count += is_judged ? 1 : 0;
    }
    for (unsigned mode = 0; mode < PML_SELFTEST_MODES; mode++) {
        PML_TRY(judge_mode(model, vectors, n_vectors, (pml_selftest_mode)mode, inputs, n_inputs, report, error));
    }
    for (size_t i = 0; i < report->count; i++) {
        report->n_failed += report->results[i].passed ? 0 : 1;
    }

done:
    for (size_t i = 0; i < n_inputs; i++) {
        pml_free((void *)(uintptr_t)inputs[i].data);
    }
    pml_free(inputs);
    if (status != PML_OK) {
        pml_selftest_report_deinit(report);
    }
    return status;
}

void pml_selftest_report_deinit(pml_selftest_report *report) {
    pml_free(report->results);
    *report = (pml_selftest_report){0};
}
