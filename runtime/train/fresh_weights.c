#include "runtime/train/fresh_weights.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/ops/repack.h"
#include "runtime/train/initializer.h"

struct pml_fresh_weights {
    const pml_schema *schema;
    const pml_metadata *metadata;
    const pml_weight_list *list;
    uint64_t seed;
    pml_context context;
    float *values, *panels; /* of the present weight */
};

pml_status pml_fresh_weights_create(const pml_schema *schema, const pml_metadata *metadata,
                                    const pml_weight_list *weights, uint64_t seed, pml_fresh_weights **made,
                                    pml_error *error) {
    pml_status status = PML_OK;
    pml_fresh_weights *w = NULL;
    PML_TRY(pml_alloc(1, sizeof *w, &w, error));
    *w = (pml_fresh_weights){.schema = schema, .metadata = metadata, .list = weights, .seed = seed};
    PML_TRY(pml_context_init(&w->context, NULL, error));
    *made = w;
    w = NULL;

done:
    pml_free(w);
    return status;
}

void pml_fresh_weights_destroy(pml_fresh_weights *weights) {
    if (weights != NULL) {
        pml_context_deinit(&weights->context);
        pml_free(weights->values);
        pml_free(weights->panels);
        pml_free(weights);
    }
}

/* ---- which initialiser ---- */
static pml_status find_row(const pml_fresh_weights *w, const char *name, const pml_fresh_weight **found,
                           pml_error *error) {
    pml_status status = PML_OK;
    *found = NULL;
    for (const pml_fresh_weight *row = w->schema->fresh->weights; row->pattern != NULL && *found == NULL; row++) {
        int64_t fits = fnmatch(row->pattern, name, 0) == 0;
        if (fits && row->when != NULL) {
            PML_TRY(pml_schema_eval(w->schema, w->metadata, row->when, -1, &fits, error));
        }
        *found = fits != 0 ? row : NULL;
    }

done:
    return status;
}

/* "normal:std={init_std}" with that number in its place. */
static pml_status expand(const pml_fresh_weights *w, const char *spec, char text[256], pml_error *error) {
    pml_status status = PML_OK;
    char key[128];
    double number;
    const char *begin = strchr(spec, '{'), *end = strchr(spec, '}');
    if (begin == NULL || end == NULL) {
        (void)snprintf(text, 256, "%s", spec);
        goto done;
    }
    (void)snprintf(key, sizeof key, "config.%.*s", (int)(end - begin - 1), begin + 1);
    PML_TRY(pml_metadata_get_f64(w->metadata, key, &number, error));
    (void)snprintf(text, 256, "%.*s%.17g%s", (int)(begin - spec), spec, number, end + 1);

done:
    return status;
}

static bool ends_with(const char *text, const char *end) {
    const size_t length = strlen(text), n = strlen(end);
    return length >= n && strcmp(text + length - n, end) == 0;
}

/* "x.weight" and "x.bias" of each other; NULL: there is none. */
static const pml_weight_instance *sibling(const pml_fresh_weights *w, const char *name, const char *from,
                                          const char *to) {
    char other[PML_MAX_NAME_BYTES + 1];
    if (!ends_with(name, from)) {
        return NULL;
    }
    const int length = snprintf(other, sizeof other, "%.*s%s", (int)(strlen(name) - strlen(from)), name, to);
    return length < 0 || (size_t)length >= sizeof other ? NULL : pml_weight_list_find(w->list, other);
}

static const char *default_spec(const pml_fresh_weights *w, const pml_weight_instance *weight) {
    const char *name = weight->name;
    const pml_role role = weight->spec->role;
    if (role == PML_ROLE_MATRIX || role == PML_ROLE_CONVOLUTION) {
        return "fan_in_uniform";
    }
    if (role == PML_ROLE_EMBEDDING || role == PML_ROLE_TABLE) { /* a small linear map is stored as a table, too */
        return sibling(w, name, ".weight", ".bias") != NULL ? "fan_in_uniform" : "normal";
    }
    const pml_weight_instance *map = sibling(w, name, ".bias", ".weight");
    if (map != NULL && map->spec->role != PML_ROLE_VECTOR) {
        return "fan_in_uniform";
    }
    return ends_with(name, ".var") || ends_with(name, ".weight") ? "ones" : "zeros";
}

/* ---- fans ---- */
static pml_initializer_target target_of(const pml_fresh_weights *w, const pml_weight_instance *weight) {
    size_t shape[PML_MAX_RANK], count = 1;
    const unsigned rank = weight->rank;
    for (unsigned i = 0; i < rank; i++) {
        shape[i] = (size_t)weight->shape[i];
        count *= shape[i];
    }
    const size_t n_out = shape[rank - 1];
    switch (weight->spec->role) {
    case PML_ROLE_CONVOLUTION: { /* [taps * in][out], or [taps][taps * in][out] of images */
        const size_t n_taps = rank == 3 ? shape[0] * shape[0] : 1;
        return pml_initializer_target_convolution(n_taps, count / n_out / n_taps, n_out);
    }
    case PML_ROLE_VECTOR: {
        const pml_weight_instance *map = sibling(w, weight->name, ".bias", ".weight");
        size_t fan_in = 0;
        if (map != NULL && map->spec->role != PML_ROLE_VECTOR) {
            fan_in = target_of(w, map).fan_in;
        }
        return pml_initializer_target_vector(count, fan_in);
    }
    case PML_ROLE_TABLE:
    case PML_ROLE_EMBEDDING:
        if (sibling(w, weight->name, ".weight", ".bias") == NULL) {
            return pml_initializer_target_table(count / n_out, n_out);
        }
        return pml_initializer_target_matrix(shape, rank);
    case PML_ROLE_MATRIX:
    default:
        return pml_initializer_target_matrix(shape, rank);
    }
}

/* A stream for each name: a weight begins alike whatever others the model has. FNV-1a. */
static uint64_t stream_of(const char *name) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
    }
    return hash;
}

/* ---- values ---- */
static pml_status reserve(pml_fresh_weights *w, const pml_weight_instance *weight, size_t *count, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t n = 1;
    for (unsigned i = 0; i < weight->rank; i++) {
        PML_TRY(pml_ck_mul(n, weight->shape[i], &n)
                    ? PML_OK
                    : PML_FAIL(error, PML_E_CONFIG, "weight %s has too many values", weight->name));
    }
    pml_free(w->values);
    pml_free(w->panels);
    w->values = w->panels = NULL;
    PML_TRY(pml_ck_size(n, count) ? PML_OK
                                  : PML_FAIL(error, PML_E_CONFIG, "weight %s has too many values", weight->name));
    PML_TRY(pml_alloc(*count, sizeof *w->values, &w->values, error));

done:
    return status;
}

static pml_status make_values(pml_fresh_weights *w, const pml_weight_instance *weight, size_t count, pml_error *error) {
    pml_status status = PML_OK;
    const pml_fresh_weight *row;
    const pml_initializer *initializer;
    pml_settings settings;
    char spec[256];
    int64_t over = 1;
    PML_TRY(find_row(w, weight->name, &row, error));
    PML_TRY(
        expand(w, row != NULL && row->initializer != NULL ? row->initializer : default_spec(w, weight), spec, error));
    PML_TRY(pml_initializer_choose(spec, &initializer, &settings, error));
    const pml_initializer_target target = target_of(w, weight);
    PML_TRY(pml_initializer_run(initializer, &settings, &target, w->seed, stream_of(weight->name), w->values,
                                &w->context, error));
    if (row != NULL && row->over != NULL) {
        PML_TRY(pml_schema_eval(w->schema, w->metadata, row->over, weight->l, &over, error));
        for (size_t i = 0; i < count && over > 1; i++) {
            w->values[i] = (float)((double)w->values[i] / sqrt((double)over));
        }
    }

done:
    return status;
}

pml_status pml_fresh_weights_fill(pml_fresh_weights *weights, size_t i_weight, pml_layout layout, const void **bytes,
                                  size_t *size_bytes, pml_error *error) {
    pml_status status = PML_OK;
    const pml_weight_instance *weight = &weights->list->items[i_weight];
    size_t count;
    PML_TRY(reserve(weights, weight, &count, error));
    PML_TRY(make_values(weights, weight, count, error));
    *bytes = weights->values;
    *size_bytes = count * sizeof(float);
    if (layout == PML_LAYOUT_PANEL) {
        const size_t n_in = (size_t)weight->shape[weight->rank - 2], n_out = (size_t)weight->shape[weight->rank - 1];
        const size_t each = pml_repack_count(n_in, n_out), n_matrices = count / (n_in * n_out);
        uint64_t n_panels = 0;
        PML_TRY(pml_ck_mul(each, n_matrices, &n_panels) && n_panels <= SIZE_MAX / sizeof(float)
                    ? PML_OK
                    : PML_FAIL(error, PML_E_CONFIG, "weight %s has too many values", weight->name));
        PML_TRY(pml_alloc((size_t)n_panels, sizeof *weights->panels, &weights->panels, error));
        for (size_t i = 0; i < n_matrices; i++) {
            pml_repack_rows(weights->values + i * n_in * n_out, n_in, n_out, n_out, weights->panels + i * each);
        }
        *bytes = weights->panels;
        *size_bytes = (size_t)n_panels * sizeof(float);
    }

done:
    return status;
}
