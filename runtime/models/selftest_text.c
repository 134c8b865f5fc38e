#include "runtime/models/selftest_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"

static const char generated[] = "generated", heldout[] = "heldout_nll", heldout_ids[] = "heldout_ids";

/* What it was computed from; NULL: it is no text. */
static const pml_vector *source_of(const pml_model *model, const pml_vector *vectors, size_t n_vectors,
                                   const char *name) {
    const size_t length = sizeof generated - 1;
    if (pml_model_find_output(model, name) != NULL || pml_model_schema(model)->state == NULL) {
        return NULL;
    }
    return strncmp(name, generated, length) == 0 ? pml_vector_find(vectors, n_vectors, "in.prompt", name + length)
           : strcmp(name, heldout) == 0          ? pml_vector_find(vectors, n_vectors, "in.", heldout_ids)
                                                 : NULL;
}

bool pml_selftest_is_text(const pml_model *model, const pml_vector *vectors, size_t n_vectors, const char *name) {
    return source_of(model, vectors, n_vectors, name) != NULL;
}

static size_t greatest(const float *scores, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = scores[i] > scores[best] ? i : best;
    }
    return best;
}

/* The token numbers of a vector; 0, which is always one, for what is none. The caller's (pml_free). */
static pml_status copy_ids(const pml_vector *vector, size_t vocab_size, uint32_t **ids, size_t *count,
                           pml_error *error) {
    pml_status status = PML_OK;
    *ids = NULL;
    PML_TRY(pml_vector_count(vector, count, error));
    PML_TRY(pml_alloc(*count, sizeof **ids, ids, error));
    for (size_t i = 0; i < *count; i++) {
        const double id = pml_vector_element(vector, i);
        if (!(id >= 0 && id < (double)vocab_size)) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "element %zu of '%s' is no token: %.9g", i, vector->name, id));
        }
        (*ids)[i] = (uint32_t)id;
    }

done:
    return status;
}

/* How many tokens of `recorded` are not what the model generates; the prompt counts too. */
static pml_status count_different(pml_model *model, const pml_vector *prompt, const pml_vector *recorded,
                                  size_t *n_different, pml_error *error) {
    pml_status status = PML_OK;
    pml_session *session = NULL;
    uint32_t *ids = NULL, *wanted = NULL, next;
    size_t n_prompt, n_wanted;
    PML_TRY(pml_session_create(model, 1, 0, &session, error));
    PML_TRY(copy_ids(prompt, pml_session_vocabulary(session), &ids, &n_prompt, error));
    PML_TRY(copy_ids(recorded, pml_session_vocabulary(session), &wanted, &n_wanted, error));
    if (n_prompt == 0 || n_prompt > n_wanted) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "'%s' is no continuation of '%s'", recorded->name, prompt->name));
    }
    PML_TRY(pml_session_feed(session, &(pml_session_tokens){0, ids, n_prompt}, 1, error));
    *n_different = 0;
    for (size_t i = 0; i < n_wanted; i++) {
        const float *scores;
        next = i < n_prompt ? ids[i] : 0;
        if (i >= n_prompt) {
            PML_TRY(pml_session_next(session, 0, &scores, error));
            next = (uint32_t)greatest(scores, pml_session_vocabulary(session));
            if (i + 1 < n_wanted) {
                PML_TRY(pml_session_feed(session, &(pml_session_tokens){0, &next, 1}, 1, error));
            }
        }
        *n_different += next != wanted[i];
    }

done:
    pml_session_destroy(session);
    pml_free(ids);
    pml_free(wanted);
    return status;
}

/* -log of the probability that scores [n] give to `target`. */
static double surprise(const float *scores, size_t n, size_t target) {
    const double most = (double)scores[greatest(scores, n)];
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += exp((double)scores[i] - most);
    }
    return most + log(sum) - (double)scores[target];
}

/* The sums of windows; *sums [*n_windows] is the caller's (pml_free). */
static pml_status sum_windows(pml_model *model, const pml_vector *text, float **sums, size_t *n_windows,
                              pml_error *error) {
    pml_status status = PML_OK;
    size_t n_positions, n_ids;
    uint32_t *ids = NULL;
    float *values = NULL;
    const size_t vocab_size = (size_t)pml_model_find_input(model, "input_ids")->index_below;
    *sums = NULL;
    PML_TRY(pml_model_config_size(model, "max_positions", &n_positions, error));
    PML_TRY(copy_ids(text, vocab_size, &ids, &n_ids, error));
    *n_windows = (n_ids + n_positions - 1) / n_positions;
    PML_TRY(pml_alloc(*n_windows, sizeof **sums, sums, error));
    PML_TRY(pml_alloc(n_positions, sizeof *values, &values, error));
    for (size_t w = 0; w < *n_windows; w++) {
        const size_t first = w * n_positions, n = n_ids - first < n_positions ? n_ids - first : n_positions;
        for (size_t k = 0; k < n; k++) {
            values[k] = (float)ids[first + k];
        }
        PML_TRY(pml_model_run(model, &(pml_array){.name = "input_ids", .data = values, .rank = 2, .shape = {1, n}}, 1,
                              error));
        const float *scores = pml_model_output(model, "logits")->data;
        double sum = 0;
        for (size_t k = 0; k < n && first + k + 1 < n_ids; k++) {
            sum += surprise(scores + k * vocab_size, vocab_size, ids[first + k + 1]);
        }
        (*sums)[w] = (float)sum;
    }

done:
    pml_free(ids);
    pml_free(values);
    return status;
}

pml_status pml_selftest_judge_text(pml_model *model, const pml_vector *vectors, size_t n_vectors, const char *name,
                                   pml_selftest_result *result, bool *is_judged, pml_error *error) {
    pml_status status = PML_OK;
    float *sums = NULL;
    size_t n = 0, n_recorded = 0;
    *is_judged = false;
    const pml_vector *source = name != NULL ? source_of(model, vectors, n_vectors, name) : NULL;
    if (source == NULL) {
        goto done;
    }
    const pml_vector *recorded = pml_vector_find(vectors, n_vectors, "out.", name);
    const pml_vector *truth = pml_vector_find(vectors, n_vectors, "out64.", name);
    const pml_vector *first = recorded != NULL ? recorded : truth;
    *result = (pml_selftest_result){.max_error = (double)NAN, .relative_rms = (double)NAN};
    if (strcmp(name, heldout) != 0) {
        if (pml_model_has_bf16(model) || pml_model_has_i8(model) || pml_model_has_grouped_i8(model)) {
            goto done;
        }
        PML_TRY(count_different(model, source, first, &n, error));
        *result = (pml_selftest_result){.max_error = (double)n, .passed = n == 0};
    } else {
        PML_TRY(sum_windows(model, source, &sums, &n, error));
        const pml_array output = {.name = name, .data = sums, .rank = 1, .shape = {n}};
        PML_TRY(pml_vector_count(first, &n_recorded, error));
        if (n_recorded == n && (truth == NULL || (truth->rank == 1 && truth->shape[0] == n))) {
            pml_selftest_judge(model, &output, recorded, truth, n, NULL, result);
        }
    }
    (void)snprintf(result->name, sizeof result->name, "%s", name);
    *is_judged = true;

done:
    pml_free(sums);
    return status;
}
