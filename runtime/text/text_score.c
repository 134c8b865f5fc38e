#include "runtime/text/text_score.h"

#include <math.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"

/* The logarithm of the probability that scores [n] give to `target`. */
static double log_probability(const float *scores, size_t n, uint32_t target) {
    double greatest = (double)scores[0], sum = 0;
    for (size_t i = 1; i < n; i++) {
        greatest = (double)scores[i] > greatest ? (double)scores[i] : greatest;
    }
    for (size_t i = 0; i < n; i++) {
        sum += exp((double)scores[i] - greatest);
    }
    return (double)scores[target] - greatest - log(sum);
}

static pml_status check_model(const pml_model *model, size_t window, size_t *n_positions, size_t *vocab_size,
                              pml_error *error) {
    pml_status status = PML_OK;
    const pml_model_port *ids = pml_model_find_input(model, "input_ids");
    const pml_model_port *scores = pml_model_find_output(model, "logits");
    if (ids == NULL || scores == NULL || pml_model_schema(model)->state == NULL || scores->rank != 3 ||
        scores->shape[2] != ids->index_below) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "this %s model does not say how likely a text is: it is no language "
                         "model",
                         pml_model_schema(model)->name));
    }
    *vocab_size = scores->shape[2];
    PML_TRY(pml_model_config_size(model, "max_positions", n_positions, error));
    if (window > *n_positions) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "windows of %zu tokens; this model takes at most %zu", window,
                         *n_positions));
    }
    *n_positions = window > 0 ? window : *n_positions;
done:
    return status;
}

pml_status pml_text_score_run(pml_model *model, const uint32_t *ids, size_t n_ids, size_t window, pml_text_score *score,
                              pml_error *error) {
    pml_status status = PML_OK;
    float *values = NULL;
    size_t most = 0, vocab_size = 0;
    *score = (pml_text_score){0};
    PML_TRY(check_model(model, window, &most, &vocab_size, error));
    if (n_ids < 2) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "a text of %zu tokens: the first one is not scored", n_ids));
    }
    PML_TRY(pml_alloc(most, sizeof *values, &values, error));
    for (size_t first = 0; first < n_ids; first += most) {
        const size_t n = n_ids - first < most ? n_ids - first : most;
        for (size_t k = 0; k < n; k++) {
            values[k] = (float)ids[first + k];
        }
        PML_TRY(pml_cancel_check(error));
        PML_TRY(pml_model_run(model, &(pml_array){.name = "input_ids", .data = values, .rank = 2, .shape = {1, n}}, 1,
                              error));
        const float *scores = pml_model_output(model, "logits")->data;
        for (size_t k = 0; k < n && first + k + 1 < n_ids; k++) {
            score->log_likelihood += log_probability(scores + k * vocab_size, vocab_size, ids[first + k + 1]);
            score->n_scored++;
        }
    }
done:
    pml_free(values);
    return status;
}
