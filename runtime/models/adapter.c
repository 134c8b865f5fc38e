/* The adapters of one model: from a file that belongs to it, or to be trained. */
#include "runtime/models/adapter.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/base/shape_text.h"
#include "runtime/models/model_private.h"

#define SUFFIX_BYTES (sizeof PML_ADAPTER_A - 1)

void pml_model_adapters_destroy(pml_model_adapters *adapters) {
    if (adapters != NULL) {
        pml_free(adapters->items);
        pml_free(adapters->names);
        pml_free(adapters);
    }
}

static pml_status create(const pml_adapter_recipe *recipe, size_t most, pml_model_adapters **adapters,
                         pml_error *error) {
    pml_status status = PML_OK;
    pml_model_adapters *made = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->recipe = *recipe;
    PML_TRY(pml_alloc(most + 1, sizeof *made->items, &made->items, error));
    PML_TRY(pml_alloc(most + 1, 2 * (size_t)(PML_MAX_NAME_BYTES + 1), &made->names, error));
    *adapters = made;
    made = NULL;

done:
    pml_model_adapters_destroy(made);
    return status;
}

static pml_status add(pml_model_adapters *adapters, const pml_weight_instance *weight, const char *name,
                      pml_error *error) {
    pml_adapted *item = &adapters->items[adapters->count];
    const size_t length = strlen(name);
    if (length + SUFFIX_BYTES > PML_MAX_NAME_BYTES) {
        return PML_FAIL(error, PML_E_UNSUPPORTED, "the name '%s' is too long for an adapter's", name);
    }
    char *text = adapters->names + adapters->count * 2 * (size_t)(PML_MAX_NAME_BYTES + 1);
    *item = (pml_adapted){.weight = name,
                          .a_name = text,
                          .b_name = text + PML_MAX_NAME_BYTES + 1,
                          .n_in = (size_t)weight->shape[0],
                          .n_out = (size_t)weight->shape[1],
                          .low_rank = {.scale = adapters->recipe.alpha / (double)adapters->recipe.rank,
                                       .dropout = adapters->recipe.dropout}};
    memcpy(item->a_name, name, length);
    memcpy(item->a_name + length, PML_ADAPTER_A, SUFFIX_BYTES + 1);
    memcpy(item->b_name, name, length);
    memcpy(item->b_name + length, PML_ADAPTER_B, SUFFIX_BYTES + 1);
    adapters->count++;
    return PML_OK;
}

static bool is_matrix(const pml_weight_instance *weight) {
    return weight->spec->role == PML_ROLE_MATRIX && weight->rank == 2;
}

/* ---- to be trained ---- */
/* Every pattern of the targets must fit a matrix: one that does not is a slip of the pen. */
static pml_status check_patterns(const char *patterns, const pml_weight_list *weights, pml_error *error) {
    pml_status status = PML_OK;
    char pattern[PML_ADAPTER_PATTERNS_BYTES];
    pml_quoted quoted;
    if (*patterns == '\0') {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "adapters need targets"));
    }
    for (const char *at = patterns; *at != '\0';) {
        const size_t length = strcspn(at, "/");
        bool fits = false;
        memcpy(pattern, at, length);
        pattern[length] = '\0';
        for (size_t i = 0; !fits && i < weights->count; i++) {
            fits = is_matrix(&weights->items[i]) && pml_adapter_fits(pattern, weights->items[i].name);
        }
        if (!fits) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "no matrix of the model fits the adapters' target %s",
                             pml_quote(&quoted, pattern)));
        }
        at += length;
        at += *at == '/';
    }

done:
    return status;
}

pml_status pml_model_adapters_plan(const pml_file *file, const pml_weight_list *weights,
                                   const pml_adapter_recipe *recipe, pml_weight_filter_fn *filter, void *user,
                                   pml_model_adapters **adapters, pml_error *error) {
    pml_status status = PML_OK;
    pml_model_adapters *made = NULL;
    size_t n = 0;
    if (recipe->rank < 1 || recipe->rank > PML_ADAPTER_MAX_RANK) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "the rank of adapters lies between 1 and %u", PML_ADAPTER_MAX_RANK));
    }
    PML_TRY(check_patterns(recipe->targets, weights, error));
    for (size_t i = 0; i < weights->count; i++) {
        n += pml_adapter_fits(recipe->targets, weights->items[i].name);
    }
    PML_TRY(create(recipe, n, &made, error));
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const char *name = pml_file_tensor_at(file, i)->name;
        const pml_weight_instance *weight = pml_weight_list_find(weights, name);
        if (weight == NULL || !is_matrix(weight) || !pml_adapter_fits(recipe->targets, name) ||
            pml_adapter_fits(recipe->whole, name) || (filter != NULL && !filter(user, name))) {
            continue;
        }
        PML_TRY(add(made, weight, name, error));
    }
    if (made->count == 0) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "every target of the adapters is frozen or trained whole"));
    }
    *adapters = made;
    made = NULL;

done:
    pml_model_adapters_destroy(made);
    return status;
}

/* ---- from a file ---- */
static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), k = strlen(end);
    return n > k && strcmp(text + n - k, end) == 0;
}

static pml_status check_tensor(const pml_file *file, const pml_file_tensor *tensor, const uint64_t *shape,
                               unsigned rank, pml_error *error) {
    pml_status status = PML_OK;
    char has[PML_SHAPE_TEXT_BYTES], wants[PML_SHAPE_TEXT_BYTES];
    pml_quoted quoted;
    if (tensor->dtype != PML_DTYPE_F32 || tensor->layout != PML_LAYOUT_ROW) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, tensor->offset_bytes,
                            "tensor %s is %s in layout %s; an adapter's are F32 in layout row",
                            pml_quote(&quoted, tensor->name), pml_dtype_name(tensor->dtype),
                            pml_layout_name(tensor->layout)));
    }
    if (tensor->rank != rank || memcmp(tensor->shape, shape, rank * sizeof *shape) != 0) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, tensor->offset_bytes, "tensor %s has shape %s, not %s",
                            pml_quote(&quoted, tensor->name), pml_shape_text(tensor->shape, tensor->rank, has),
                            pml_shape_text(shape, rank, wants)));
    }
    const float *values = pml_file_tensor_data(file, tensor);
    const size_t count = (size_t)(tensor->size_bytes / sizeof *values);
    const size_t bad = pml_model_first_nonfinite(values, count);
    if (bad < count) {
        PML_TRY(PML_FAIL_AT(error, PML_E_NUMERIC, tensor->offset_bytes, "element %zu of tensor %s is not finite", bad,
                            pml_quote(&quoted, tensor->name)));
    }

done:
    return status;
}

/* The matrix that a tensor of that name, which ends in a suffix, is added to. */
static pml_status find_matrix(const pml_file_tensor *tensor, const pml_weight_list *weights,
                              const pml_weight_instance **weight, pml_error *error) {
    pml_status status = PML_OK;
    char name[PML_MAX_NAME_BYTES + 1];
    pml_quoted quoted;
    const size_t length = strlen(tensor->name) - SUFFIX_BYTES;
    memcpy(name, tensor->name, length);
    name[length] = '\0';
    *weight = pml_weight_list_find(weights, name);
    if (*weight == NULL || !is_matrix(*weight)) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, tensor->offset_bytes,
                            "tensor %s belongs to no matrix of the configured model",
                            pml_quote(&quoted, tensor->name)));
    }

done:
    return status;
}

static pml_status take_pair(const pml_file *base, const pml_file *file, const pml_file_tensor *a,
                            const pml_weight_list *weights, pml_model_adapters *made, pml_error *error) {
    pml_status status = PML_OK;
    const pml_weight_instance *weight = NULL;
    pml_quoted quoted;
    PML_TRY(find_matrix(a, weights, &weight, error));
    const pml_file_tensor *in_base = pml_file_tensor_find(base, weight->name);
    if (in_base == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tensor '%s' is missing in the model", weight->name));
    }
    pml_adapted *item = &made->items[made->count];
    PML_TRY(add(made, weight, in_base->name, error));
    const pml_file_tensor *b = pml_file_tensor_find(file, item->b_name);
    if (b == NULL) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, a->offset_bytes, "tensor %s is there without its " PML_ADAPTER_B,
                            pml_quote(&quoted, a->name)));
    }
    const uint64_t rank = made->recipe.rank;
    PML_TRY(check_tensor(file, a, (const uint64_t[]){weight->shape[0], rank}, 2, error));
    PML_TRY(check_tensor(file, b, (const uint64_t[]){rank, weight->shape[1]}, 2, error));
    PML_TRY(pml_tensor_view_file(file, a, &item->a_buffer, &item->low_rank.a, error));
    PML_TRY(pml_tensor_view_file(file, b, &item->b_buffer, &item->low_rank.b, error));

done:
    return status;
}

static pml_status take_tensor(const pml_file *base, const pml_file *file, const pml_file_tensor *tensor,
                              const pml_weight_list *weights, pml_model_adapters *made, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    const pml_weight_instance *weight = pml_weight_list_find(weights, tensor->name);
    if (ends_with(tensor->name, PML_ADAPTER_A)) {
        PML_TRY(take_pair(base, file, tensor, weights, made, error));
    } else if (ends_with(tensor->name, PML_ADAPTER_B)) {
        char name[PML_MAX_NAME_BYTES + 1]; /* its pair is taken with the other one */
        const size_t length = strlen(tensor->name) - SUFFIX_BYTES;
        memcpy(name, tensor->name, length);
        memcpy(name + length, PML_ADAPTER_A, SUFFIX_BYTES + 1);
        if (pml_file_tensor_find(file, name) == NULL) {
            PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, tensor->offset_bytes,
                                "tensor %s is there without its " PML_ADAPTER_A, pml_quote(&quoted, tensor->name)));
        }
    } else if (weight != NULL) {
        PML_TRY(check_tensor(file, tensor, weight->shape, weight->rank, error));
    } else {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, tensor->offset_bytes, "tensor %s has no place in the configured model",
                            pml_quote(&quoted, tensor->name)));
    }

done:
    return status;
}

static pml_status check_base(const pml_file *base, const pml_file *file, pml_error *error) {
    pml_status status = PML_OK;
    char wants[PML_DIGEST_TEXT_BYTES], has[PML_DIGEST_TEXT_BYTES];
    if (pml_file_get_kind(file) != PML_KIND_ADAPTER) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "the file is not of kind adapter"));
    }
    if (memcmp(pml_file_base_digest(file), pml_file_content_digest(base), 16) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "the adapter belongs to a model with digest %s; %.400s has %s",
                         pml_digest_text(pml_file_base_digest(file), wants), pml_file_path(base),
                         pml_digest_text(pml_file_content_digest(base), has)));
    }

done:
    return status;
}

static pml_status open_adapters(const pml_file *base, const pml_file *file, pml_model_adapters **adapters,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_weight_list weights = {0};
    pml_model_adapters *made = NULL;
    pml_adapter_recipe recipe;
    const char *family = NULL;
    const pml_metadata *metadata = pml_file_metadata(base);
    PML_TRY(check_base(base, file, error));
    PML_TRY(pml_adapter_recipe_read(pml_file_metadata(file), &recipe, error));
    PML_TRY(pml_metadata_get_string(metadata, "general.family", &family, error));
    const pml_schema *schema = pml_schema_find(family);
    if (schema == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "this build does not know the model family '%s'", family));
    }
    PML_TRY(pml_schema_check_config(schema, metadata, error));
    PML_TRY(pml_schema_weights(schema, metadata, pml_file_n_tensors(base) + 1, &weights, error));
    const size_t n = pml_file_n_tensors(file);
    PML_TRY(create(&recipe, n < weights.count ? n : weights.count, &made, error)); /* names differ */
    made->file = file;
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        PML_TRY(take_tensor(base, file, pml_file_tensor_at(file, i), &weights, made, error));
    }
    if (pml_file_n_tensors(file) == 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "the adapter has no tensors"));
    }
    *adapters = made;
    made = NULL;

done:
    pml_model_adapters_destroy(made);
    pml_weight_list_deinit(&weights);
    return status;
}

pml_status pml_model_create_with_adapter(pml_file *file, const pml_file *adapter, const char *backend,
                                         pml_model **model, pml_error *error) {
    pml_model_adapters *adapters = NULL;
    const pml_status status = open_adapters(file, adapter, &adapters, error);
    if (status != PML_OK) {
        pml_error_prefix(error, status, "%s", pml_file_path(adapter));
        return status;
    }
    return pml_model_create_with(file, backend, NULL, adapters, model, error);
}

/* ---- in a model ---- */
const pml_adapter_recipe *pml_model_adapter_recipe(const pml_model *model) {
    return model->adapters == NULL ? NULL : &model->adapters->recipe;
}

const pml_low_rank *pml_model_adapter(pml_model *model, const char *layer) {
    const size_t length = strlen(layer);
    for (size_t i = 0; model->adapters != NULL && i < model->adapters->count; i++) {
        pml_adapted *item = &model->adapters->items[i];
        if (strncmp(item->weight, layer, length) == 0 && strcmp(item->weight + length, ".weight") == 0) {
            item->is_used = true;
            return &item->low_rank;
        }
    }
    return NULL;
}

pml_status pml_model_adapters_check(const pml_model *model, pml_error *error) {
    pml_status status = PML_OK;
    if (model->adapters != NULL && !model->family->takes_adapters) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "models of family '%s' take no adapters", model->schema->name));
    }
    for (size_t i = 0; model->adapters != NULL && i < model->adapters->count; i++) {
        if (!model->adapters->items[i].is_used) {
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "'%s' is not a matrix that an adapter can be added to",
                             model->adapters->items[i].weight));
        }
    }

done:
    return status;
}
