/* Both lists are sorted by name, so files are compared in one merge; numbers through small buffers. */
#include "convert/diff.h"

#include <math.h>
#include <string.h>

#include "convert/elements.h"
#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"

#define CHUNK_ELEMENTS 4096u

bool pml_diff_meta_equal(const pml_meta_entry *a, const pml_meta_entry *b) {
    if (a == NULL || b == NULL || a->type != b->type || a->count != b->count) {
        return false;
    }
    size_t count = (size_t)a->count;
    switch (a->type) {
    case PML_META_BOOL:
        return a->value.boolean == b->value.boolean;
    case PML_META_I64:
        return a->value.i64 == b->value.i64;
    case PML_META_F64:
        return memcmp(&a->value.f64, &b->value.f64, sizeof(double)) == 0;
    case PML_META_STRING:
        return strcmp(a->value.string, b->value.string) == 0;
    case PML_META_I64_ARRAY:
        return count == 0 || memcmp(a->value.i64s, b->value.i64s, count * sizeof(int64_t)) == 0;
    case PML_META_F64_ARRAY:
        return count == 0 || memcmp(a->value.f64s, b->value.f64s, count * sizeof(double)) == 0;
    case PML_META_STRING_ARRAY:
        for (size_t i = 0; i < count; i++) {
            if (strcmp(a->value.strings[i], b->value.strings[i]) != 0) {
                return false;
            }
        }
        return true;
    }
    return false;
}

static pml_status compare_metadata(const pml_metadata *a, const pml_metadata *b, pml_diff_report *report,
                                   pml_error *error) {
    pml_status status = PML_OK;
    size_t capacity = 0, i = 0, j = 0;
    while (i < pml_metadata_count(a) || j < pml_metadata_count(b)) {
        const pml_meta_entry *left = i < pml_metadata_count(a) ? pml_metadata_at(a, i) : NULL;
        const pml_meta_entry *right = j < pml_metadata_count(b) ? pml_metadata_at(b, j) : NULL;
        int order = left == NULL ? 1 : right == NULL ? -1 : strcmp(left->key, right->key);
        left = order <= 0 ? left : NULL;
        right = order >= 0 ? right : NULL;
        i += left != NULL;
        j += right != NULL;
        if (pml_diff_meta_equal(left, right)) {
            continue;
        }
        PML_TRY(pml_grow(&report->metadata, &capacity, report->n_metadata + 1, sizeof *report->metadata,
                         2 * PML_MAX_METADATA_KEYS, "metadata differences", error));
        const char *key = left != NULL ? left->key : right->key;
        bool is_content = strncmp(key, "provenance.", strlen("provenance.")) != 0;
        report->metadata[report->n_metadata++] = (pml_diff_metadata){key, left, right, is_content};
        report->differs = report->differs || is_content;
    }
done:
    return status;
}

static pml_status add_blob(const pml_file_blob *a, const pml_file_blob *b, pml_diff_report *report, size_t *capacity,
                           pml_error *error) {
    pml_status status = pml_grow(&report->blobs, capacity, report->n_blobs + 1, sizeof *report->blobs,
                                 2 * PML_MAX_BLOBS, "blob differences", error);
    if (status == PML_OK) {
        report->blobs[report->n_blobs++] = (pml_diff_blob){a != NULL ? a->name : b->name, a, b};
    }
    return status;
}

static pml_status compare_blobs(const pml_file *a, const pml_file *b, pml_diff_report *report, pml_error *error) {
    pml_status status = PML_OK;
    size_t capacity = 0;
    for (size_t i = 0; i < pml_file_n_blobs(a); i++) {
        const pml_file_blob *left = pml_file_blob_at(a, i);
        const pml_file_blob *right = pml_file_blob_find(b, left->name);
        bool equal = right != NULL && left->size_bytes == right->size_bytes &&
                     (left->size_bytes == 0 || memcmp(left->data, right->data, (size_t)left->size_bytes) == 0);
        if (!equal) {
            PML_TRY(add_blob(left, right, report, &capacity, error));
        }
    }
    for (size_t i = 0; i < pml_file_n_blobs(b); i++) {
        const pml_file_blob *right = pml_file_blob_at(b, i);
        if (pml_file_blob_find(a, right->name) == NULL) {
            PML_TRY(add_blob(NULL, right, report, &capacity, error));
        }
    }
done:
    return status;
}

typedef struct sums {
    double aa, bb, ab, dd;
} sums;

/* Adds one pair of numbers to the tensor's figures. Equal infinities and two NaN count as equal. */
static void compare_number(double a, double b, uint64_t i, const pml_diff_options *options, pml_diff_tensor *t,
                           sums *s) {
    bool both_nan = isnan(a) && isnan(b);
    double distance = a == b || both_nan ? 0 : fabs(a - b);
    if (isnan(distance)) {
        distance = INFINITY;
    }
    if (distance > t->max_abs) {
        t->max_abs = distance;
        t->i_max = i;
        t->a_max = a;
        t->b_max = b;
    }
    double allowed = options->by_value ? options->atol + options->rtol * fabs(b) : 0;
    /* A distance that is not finite is never within a tolerance, whatever rtol * |b| comes to. */
    t->n_beyond += distance > 0 && (isinf(distance) || !(distance <= allowed));
    if (!both_nan) {
        s->aa += a * a;
        s->bb += b * b;
        s->ab += a * b;
        s->dd += distance * distance;
    }
}

/* Of two tensors in the same form. Sums follow from the values. */
static bool same_scales(const pml_file *a, const pml_file *b, const pml_diff_tensor *t) {
    const uint64_t size_bytes = t->a->scales.size_bytes;
    return size_bytes == 0 || memcmp(pml_file_extent_data(a, &t->a->scales), pml_file_extent_data(b, &t->b->scales),
                                     (size_t)size_bytes) == 0;
}

static pml_status compare_numbers(const pml_file *a, const pml_file *b, const pml_diff_options *options,
                                  pml_diff_tensor *t, pml_error *error) {
    pml_status status = PML_OK;
    const void *a_data = pml_file_tensor_data(a, t->a), *b_data = pml_file_tensor_data(b, t->b);
    sums s = {0};
    t->is_compared = true;
    t->n_elements = pml_elements_count(t->a);
    t->cosine = 1;
    bool same_form = t->a->dtype == t->b->dtype && t->a->layout == t->b->layout &&
                     t->a->group_rows == t->b->group_rows && t->a->scale_factor == t->b->scale_factor;
    t->same_bytes = same_form && (t->a->size_bytes == 0 || memcmp(a_data, b_data, (size_t)t->a->size_bytes) == 0) &&
                    same_scales(a, b, t);
    for (uint64_t first = 0; first < t->n_elements && !t->same_bytes; first += CHUNK_ELEMENTS) {
        double left[CHUNK_ELEMENTS], right[CHUNK_ELEMENTS];
        uint64_t rest = t->n_elements - first;
        size_t count = rest < CHUNK_ELEMENTS ? (size_t)rest : CHUNK_ELEMENTS;
        PML_TRY(pml_elements_values(a, t->a, first, count, left, error));
        PML_TRY(pml_elements_values(b, t->b, first, count, right, error));
        for (size_t i = 0; i < count; i++) {
            compare_number(left[i], right[i], first + i, options, t, &s);
        }
        PML_TRY(pml_cancel_check(error));
    }
    t->relative_rms = s.dd == 0 ? 0 : s.aa == 0 ? INFINITY : sqrt(s.dd / s.aa);
    t->cosine = s.dd == 0 || (s.aa == 0 && s.bb == 0) ? 1 : s.aa == 0 || s.bb == 0 ? 0 : s.ab / sqrt(s.aa) / sqrt(s.bb);
done:
    return status;
}

static bool same_shape(const pml_file_tensor *a, const pml_file_tensor *b) {
    return a->rank == b->rank && memcmp(a->shape, b->shape, a->rank * sizeof a->shape[0]) == 0;
}

static pml_status compare_tensors(const pml_file *a, const pml_file *b, const pml_diff_options *options,
                                  pml_diff_report *report, pml_error *error) {
    pml_status status = PML_OK;
    size_t capacity = 0, i = 0, j = 0;
    while (i < pml_file_n_tensors(a) || j < pml_file_n_tensors(b)) {
        const pml_file_tensor *left = i < pml_file_n_tensors(a) ? pml_file_tensor_at(a, i) : NULL;
        const pml_file_tensor *right = j < pml_file_n_tensors(b) ? pml_file_tensor_at(b, j) : NULL;
        int order = left == NULL ? 1 : right == NULL ? -1 : strcmp(left->name, right->name);
        pml_diff_tensor t = {.a = order <= 0 ? left : NULL, .b = order >= 0 ? right : NULL};
        i += t.a != NULL;
        j += t.b != NULL;
        if (t.a != NULL && t.b != NULL && same_shape(t.a, t.b)) {
            PML_TRY(compare_numbers(a, b, options, &t, error));
            t.differs = options->by_value ? t.n_beyond > 0 : !t.same_bytes;
        } else {
            t.differs = true;
        }
        if (t.same_bytes) {
            report->n_equal++;
            continue;
        }
        PML_TRY(pml_grow(&report->tensors, &capacity, report->n_tensors + 1, sizeof *report->tensors,
                         2 * PML_MAX_TENSORS, "tensor differences", error));
        report->tensors[report->n_tensors++] = t;
        report->differs = report->differs || t.differs;
    }
done:
    return status;
}

pml_status pml_diff_files(const pml_file *a, const pml_file *b, const pml_diff_options *options,
                          pml_diff_report *report, pml_error *error) {
    pml_status status = PML_OK;
    *report = (pml_diff_report){0};
    PML_TRY(compare_metadata(pml_file_metadata(a), pml_file_metadata(b), report, error));
    PML_TRY(compare_blobs(a, b, report, error));
    report->identical_content = memcmp(pml_file_content_digest(a), pml_file_content_digest(b), 16) == 0;
    if (report->identical_content) {
        report->differs = false;
        report->n_equal = pml_file_n_tensors(a);
    } else {
        PML_TRY(compare_tensors(a, b, options, report, error));
    }
done:
    if (status != PML_OK) {
        pml_diff_report_deinit(report);
    }
    return status;
}

void pml_diff_report_deinit(pml_diff_report *report) {
    pml_free(report->metadata);
    pml_free(report->blobs);
    pml_free(report->tensors);
    *report = (pml_diff_report){0};
}
