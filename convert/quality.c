#include "convert/quality.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert/text_table.h"
#include "runtime/base/alloc.h"
#include "runtime/base/json_writer.h"
#include "runtime/base/quote.h"
#include "runtime/cli/printable.h"

#define MAX_ERRORS_KEY "provenance.max_errors"

/* ---- recording ---- */

typedef struct named_error {
    const char *name;
    double max_error;
} named_error;

static int compare_names(const void *a, const void *b) {
    return strcmp(((const named_error *)a)->name, ((const named_error *)b)->name);
}

pml_status pml_quality_record(pml_plan *plan, const double *max_errors, pml_error *error) {
    pml_status status = PML_OK;
    named_error *rows = NULL;
    double *values = NULL;
    bool rounds = false;
    PML_TRY(pml_alloc(plan->n_tensors + 1, sizeof *rows, &rows, error));
    PML_TRY(pml_alloc(plan->n_tensors + 1, sizeof *values, &values, error));
    for (size_t i = 0; i < plan->n_tensors; i++) {
        rounds = rounds || plan->tensors[i].dtype != PML_DTYPE_F32;
        rows[i].name = plan->tensors[i].mapped->weight->name;
        rows[i].max_error = max_errors != NULL ? max_errors[i] : 0;
    }
    if (!rounds) {
        goto done;
    }
    qsort(rows, plan->n_tensors, sizeof *rows, compare_names); /* the order of the tensor table */
    for (size_t i = 0; i < plan->n_tensors; i++) {
        values[i] = rows[i].max_error;
    }
    PML_TRY(pml_metadata_set_f64s(plan->metadata, MAX_ERRORS_KEY, values, plan->n_tensors, error));
done:
    pml_free(values);
    pml_free(rows);
    return status;
}

/* ---- reading ---- */

double pml_quality_snr(double relative_error) {
    return -20 * log10(relative_error);
}

pml_status pml_quality_max_errors(const pml_file *file, const double **max_errors, pml_error *error) {
    pml_status status = PML_OK;
    const pml_meta_entry *entry = pml_metadata_find(pml_file_metadata(file), MAX_ERRORS_KEY);
    const size_t n = pml_file_n_tensors(file);
    *max_errors = NULL;
    if (entry == NULL) {
        goto done;
    }
    if (entry->type != PML_META_F64_ARRAY || entry->count != n) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "%s: " MAX_ERRORS_KEY " is not one number for each of %zu tensors",
                         pml_file_path(file), n));
    }
    for (size_t i = 0; i < n; i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(file, i);
        const double greatest = entry->value.f64s[i], relative = tensor->quantization_error;
        const bool is_exact = tensor->dtype == PML_DTYPE_F32 || tensor->dtype == PML_DTYPE_C64;
        if (!(greatest >= 0 && isfinite(greatest)) || (greatest > 0) != (relative > 0) || (is_exact && greatest > 0)) {
            PML_TRY(PML_FAIL(error, PML_E_MISMATCH,
                             "%s: tensor '%s', %s: a relative error of %.3g does not go with a greatest one of %.3g",
                             pml_file_path(file), pml_quote(&(pml_quoted){{0}}, tensor->name),
                             pml_dtype_name(tensor->dtype), relative, greatest));
        }
    }
    *max_errors = entry->value.f64s;
done:
    return status;
}

/* ---- the list ---- */

typedef struct row {
    const pml_file_tensor *tensor;
    const double *max_error; /* NULL: not recorded */
} row;

static int compare_rows(const void *a, const void *b) {
    const pml_file_tensor *x = ((const row *)a)->tensor, *y = ((const row *)b)->tensor;
    if (x->quantization_error != y->quantization_error) {
        return x->quantization_error > y->quantization_error ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

/* All tensors that lost something, the worst first. *rows is the caller's (pml_free). */
static pml_status list_rows(const pml_file *file, row **rows, size_t *n_rows, pml_error *error) {
    pml_status status = PML_OK;
    const double *max_errors = NULL;
    *rows = NULL;
    *n_rows = 0;
    PML_TRY(pml_quality_max_errors(file, &max_errors, error));
    PML_TRY(pml_alloc(pml_file_n_tensors(file) + 1, sizeof **rows, rows, error));
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(file, i);
        if (tensor->quantization_error > 0) {
            (*rows)[(*n_rows)++] = (row){tensor, max_errors != NULL ? &max_errors[i] : NULL};
        }
    }
    qsort(*rows, *n_rows, sizeof **rows, compare_rows);
done:
    return status;
}

static uint64_t stored_bytes(const pml_file_tensor *tensor) {
    return tensor->size_bytes + tensor->scales.size_bytes + tensor->sums.size_bytes;
}

static pml_status print_json(const pml_file *file, const row *rows, size_t n_rows, FILE *stream, pml_error *error) {
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "path", pml_file_path(file));
    pml_json_u64(&w, "n_tensors", pml_file_n_tensors(file));
    pml_json_u64(&w, "n_rounded", n_rows);
    pml_json_begin_array(&w, "tensors");
    for (size_t i = 0; i < n_rows; i++) {
        const pml_file_tensor *tensor = rows[i].tensor;
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "name", tensor->name);
        pml_json_string(&w, "dtype", pml_dtype_name(tensor->dtype));
        pml_json_string(&w, "layout", pml_layout_name(tensor->layout));
        pml_json_u64(&w, "group_rows", tensor->group_rows);
        pml_json_u64(&w, "size_bytes", stored_bytes(tensor));
        pml_json_f64(&w, "relative_error", tensor->quantization_error);
        pml_json_f64(&w, "max_error", rows[i].max_error != NULL ? *rows[i].max_error : NAN);
        pml_json_f64(&w, "snr_db", pml_quality_snr(tensor->quantization_error));
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

static pml_status print_table(const row *rows, size_t n_rows, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_table table;
    pml_text_table_init(&table, 7, 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6);
    static const char *const title[] = {"name", "dtype", "layout", "bytes", "relative", "greatest", "SNR dB"};
    PML_TRY(pml_text_table_row(&table, title, error));
    for (size_t i = 0; i < n_rows; i++) {
        const pml_file_tensor *tensor = rows[i].tensor;
        char layout[32], size[24], relative[32], greatest[32] = "-", snr[32];
        snprintf(layout, sizeof layout, tensor->group_rows == 0 ? "%s" : "%s g%u", pml_layout_name(tensor->layout),
                 tensor->group_rows);
        snprintf(size, sizeof size, "%" PRIu64, stored_bytes(tensor));
        snprintf(relative, sizeof relative, "%.3e", tensor->quantization_error);
        if (rows[i].max_error != NULL) {
            snprintf(greatest, sizeof greatest, "%.3e", *rows[i].max_error);
        }
        snprintf(snr, sizeof snr, "%.1f", pml_quality_snr(tensor->quantization_error));
        const char *cells[] = {tensor->name, pml_dtype_name(tensor->dtype), layout, size, relative, greatest, snr};
        PML_TRY(pml_text_table_row(&table, cells, error));
    }
    pml_text_table_print(&table, stream, 0);
done:
    pml_text_table_deinit(&table);
    return status;
}

pml_status pml_quality_print(const pml_file *file, bool json, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    row *rows = NULL;
    size_t n_rows = 0;
    PML_TRY(list_rows(file, &rows, &n_rows, error));
    if (json) {
        PML_TRY(print_json(file, rows, n_rows, stream, error));
    } else if (n_rows == 0) {
        pml_printable_write(stream, pml_file_path(file));
        fprintf(stream, ": nothing was rounded, all %zu tensors are exact\n", pml_file_n_tensors(file));
    } else {
        PML_TRY(print_table(rows, n_rows, stream, error));
    }
done:
    pml_free(rows);
    return status;
}
