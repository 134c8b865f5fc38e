#include "runtime/text/text_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/checked.h"
#include "runtime/base/log.h"
#include "runtime/file/reader.h"

enum { BATCH_TOKENS = 4096, BATCH_TEXTS = 64 };
#define BATCH_VALUES 16777216u /* of the output */

static void lower_limit(size_t *limit, uint64_t value) {
    if (value > 0 && (*limit == 0 || value < *limit)) {
        *limit = (size_t)value;
    }
}

static void read_limit(const pml_metadata *metadata, const char *key, size_t *limit) {
    int64_t value;
    if (pml_metadata_get_i64(metadata, key, &value, NULL) == PML_OK && value > 0) {
        lower_limit(limit, (uint64_t)value);
    }
}

pml_status pml_text_model_open(const pml_file *file, pml_model *model, pml_text_model *opened, pml_error *error) {
    pml_status status = PML_OK;
    const pml_metadata *metadata = pml_file_metadata(file);
    const pml_file_blob *blob = pml_file_blob_find(file, PML_TOKENIZER_BLOB);
    const pml_meta_entry *labels = pml_metadata_find(metadata, "text.labels");
    *opened = (pml_text_model){.model = model, .head = ""};
    if (blob == NULL) {
        const char *family = "";
        PML_TRY(pml_metadata_get_string(metadata, "general.family", &family, error));
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                         "%s: there is no tokenizer in it: either models of the family %s do not read text, or its "
                         "source had no tokenizer when it was converted",
                         pml_file_path(file), family));
    }
    status = pml_tokenizer_create(blob->data, (size_t)blob->size_bytes, &opened->tokenizer, error);
    if (status != PML_OK) {
        PML_TRY(pml_error_prefix(error, status, "%s", pml_file_path(file)));
    }
    lower_limit(&opened->max_tokens, pml_tokenizer_get_spec(opened->tokenizer)->max_tokens);
    read_limit(metadata, "config.max_positions", &opened->max_tokens);
    read_limit(metadata, "text.max_tokens", &opened->max_tokens);
    if (pml_metadata_find(metadata, "config.head") != NULL) {
        PML_TRY(pml_metadata_get_string(metadata, "config.head", &opened->head, error));
    }
    if (pml_metadata_find(metadata, "text.multi_label") != NULL) {
        PML_TRY(pml_metadata_get_bool(metadata, "text.multi_label", &opened->is_multi_label, error));
    }
    if (labels != NULL && labels->type == PML_META_STRING_ARRAY) {
        opened->labels = labels->value.strings;
        opened->n_labels = (size_t)labels->count;
    }
done:
    return status;
}

void pml_text_model_close(pml_text_model *model) {
    pml_tokenizer_destroy(model->tokenizer);
    *model = (pml_text_model){0};
}

const char *pml_text_model_label(const pml_text_model *model, size_t i_label, char text[32]) {
    if (i_label < model->n_labels) {
        return model->labels[i_label];
    }
    (void)snprintf(text, 32, "%zu", i_label);
    return text;
}

/* ---- running ------------------------------------------------------------------------------------------------------
 */

typedef struct batch_run {
    const pml_text_model *model;
    const pml_text_run *run;
    const pml_text_item *items;
    pml_encoding *made; /* [n_items] of those that came as text */
    size_t *order;      /* items, shortest first */
    float *ids, *mask, *types;
    size_t capacity; /* of each of these three */
    pml_text_result_fn *result;
    void *user;
} batch_run;

static const pml_encoding *encoding_of(const batch_run *b, size_t i_item) {
    return b->items[i_item].encoding != NULL ? b->items[i_item].encoding : &b->made[i_item];
}

static int compare_lengths(const void *a, const void *b, void *user) {
    const size_t i = *(const size_t *)a, k = *(const size_t *)b;
    const size_t n_i = encoding_of(user, i)->count, n_k = encoding_of(user, k)->count;
    if (n_i != n_k) {
        return n_i < n_k ? -1 : 1;
    }
    return i < k ? -1 : i > k;
}

/* Cutting that nobody asked for is said. */
static void warn_of_cuts(const batch_run *b, size_t n_items) {
    size_t n_cut = 0;
    for (size_t i = 0; i < n_items; i++) {
        n_cut += b->items[i].encoding == NULL && b->made[i].is_truncated;
    }
    if (n_cut > 0 && b->run->max_tokens == 0) {
        pml_log(PML_LOG_WARNING,
                "%zu of %zu texts have more than the %zu tokens that this model takes: their ends are not read", n_cut,
                n_items, b->model->max_tokens);
    }
}

static pml_status encode_all(batch_run *b, size_t n_items, pml_error *error) {
    pml_status status = PML_OK;
    const pml_text_item *items = b->items;
    const size_t limit = b->model->max_tokens, wanted = b->run->max_tokens;
    const pml_encode_options options = {.max_tokens = wanted > 0 ? wanted : limit, .truncation = b->run->truncation};
    if (limit > 0 && wanted > limit) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%zu tokens; this model takes at most %zu", wanted, limit));
    }
    for (size_t i = 0; i < n_items; i++) {
        if (items[i].encoding == NULL) {
            PML_TRY(pml_tokenizer_run(b->model->tokenizer, items[i].text, items[i].text_bytes, items[i].pair,
                                      items[i].pair_bytes, &options, &b->made[i], error));
        }
        b->order[i] = i;
        const size_t count = encoding_of(b, i)->count;
        if (count == 0) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "text %zu has no tokens", i + 1));
        }
        if (options.max_tokens > 0 && count > options.max_tokens) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "text %zu has %zu tokens, %zu are the most", i + 1, count,
                             options.max_tokens));
        }
    }
    warn_of_cuts(b, n_items);
    qsort_r(b->order, n_items, sizeof *b->order, compare_lengths, b);
done:
    return status;
}

/* How many of the items from `first` on run together. The last of them is the longest. */
static size_t batch_size(const batch_run *b, size_t first, size_t n_items, size_t token_values) {
    size_t most = BATCH_VALUES / (token_values > 0 ? token_values : 1), n = 0;
    most = most < BATCH_TOKENS ? most : BATCH_TOKENS;
    while (first + n < n_items && n < BATCH_TEXTS) {
        if (n > 0 && (n + 1) * encoding_of(b, b->order[first + n])->count > most) {
            break;
        }
        n++;
    }
    return n;
}

static pml_status fill_inputs(batch_run *b, size_t first, size_t n, size_t n_tokens, pml_error *error) {
    pml_status status = PML_OK;
    const uint32_t pad = pml_tokenizer_get_spec(b->model->tokenizer)->pad_id;
    if (n * n_tokens > b->capacity) {
        pml_free(b->ids);
        b->ids = NULL;
        b->capacity = 0;
        PML_TRY(pml_alloc(n * n_tokens, 3 * sizeof *b->ids, &b->ids, error));
        b->capacity = n * n_tokens;
    }
    b->mask = b->ids + n * n_tokens;
    b->types = b->mask + n * n_tokens;
    for (size_t i = 0; i < n; i++) {
        const pml_encoding *encoding = encoding_of(b, b->order[first + i]);
        for (size_t t = 0; t < n_tokens; t++) {
            const size_t at = i * n_tokens + t;
            const bool is_token = t < encoding->count;
            b->ids[at] = is_token ? (float)encoding->tokens[t].id : pad != PML_NO_TOKEN ? (float)pad : 0.0f;
            b->mask[at] = is_token ? 1.0f : 0.0f;
            b->types[at] = is_token ? (float)encoding->tokens[t].type_id : 0.0f;
        }
    }
done:
    return status;
}

/* Inputs that the model does not have are left out: without a mask, lengths must agree, which a batch of one does. */
static size_t list_inputs(const batch_run *b, size_t n, size_t n_tokens, pml_array inputs[3]) {
    const pml_array all[3] = {{"input_ids", b->ids, 2, {n, n_tokens}},
                              {"attention_mask", b->mask, 2, {n, n_tokens}},
                              {"token_type_ids", b->types, 2, {n, n_tokens}}};
    size_t n_inputs = 0;
    for (size_t i = 0; i < 3; i++) {
        if (pml_model_find_input(b->model->model, all[i].name) != NULL) {
            inputs[n_inputs++] = all[i];
        }
    }
    return n_inputs;
}

static pml_status run_batch(batch_run *b, size_t first, size_t n, pml_error *error) {
    pml_status status = PML_OK;
    pml_array inputs[3];
    const size_t n_tokens = encoding_of(b, b->order[first + n - 1])->count;
    PML_TRY(pml_cancel_check(error));
    PML_TRY(fill_inputs(b, first, n, n_tokens, error));
    PML_TRY(pml_model_run(b->model->model, inputs, list_inputs(b, n, n_tokens, inputs), error));
    const pml_array *output = pml_model_output(b->model->model, b->run->output);
    const pml_array *second = b->run->second != NULL ? pml_model_output(b->model->model, b->run->second) : NULL;
    if (output == NULL || (b->run->second != NULL && second == NULL)) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "the model gave no '%s'",
                         output == NULL ? b->run->output : b->run->second));
    }
    size_t stride = 1;
    for (size_t axis = 1; axis < output->rank; axis++) {
        stride *= output->shape[axis];
    }
    const size_t row_values = b->run->per_token ? stride / n_tokens : stride;
    for (size_t i = 0; i < n; i++) {
        const size_t i_item = b->order[first + i];
        const pml_text_result result = {i_item, encoding_of(b, i_item), output->data + i * stride,
                                        second != NULL ? second->data + i * stride : NULL, row_values};
        PML_TRY(b->result(b->user, &result, error));
    }
done:
    return status;
}

pml_status pml_text_model_run(const pml_text_model *model, const pml_text_item *items, size_t n_items,
                              const pml_text_run *run, pml_text_result_fn *result, void *user, pml_error *error) {
    pml_status status = PML_OK;
    batch_run b = {.model = model, .run = run, .items = items, .result = result, .user = user};
    const pml_model_port *port = pml_model_find_output(model->model, run->output);
    size_t token_values = 1;
    if (port == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "the model has no output '%s'", run->output));
    }
    for (unsigned axis = 2; axis < port->rank; axis++) {
        token_values *= port->shape[axis];
    }
    PML_TRY(pml_alloc(n_items, sizeof *b.made, &b.made, error));
    PML_TRY(pml_alloc(n_items, sizeof *b.order, &b.order, error));
    PML_TRY(encode_all(&b, n_items, error));
    for (size_t first = 0; first < n_items;) {
        const size_t n = pml_model_find_input(model->model, "attention_mask") != NULL
                             ? batch_size(&b, first, n_items, token_values)
                             : 1;
        PML_TRY(run_batch(&b, first, n, error));
        first += n;
    }
done:
    for (size_t i = 0; b.made != NULL && i < n_items; i++) {
        pml_encoding_deinit(&b.made[i]);
    }
    pml_free(b.made);
    pml_free(b.order);
    pml_free(b.ids);
    return status;
}
