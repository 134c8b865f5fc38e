/* Only what differs is listed; the last line of the text form is the verdict. */
#include "convert/diff_print.h"

#include <inttypes.h>

#include "convert/text_table.h"
#include "runtime/base/alloc.h"
#include "runtime/cli/describe.h"
#include "runtime/cli/printable.h"

static const char *verdict(const pml_diff_options *options, const pml_diff_report *report) {
    if (report->identical_content) {
        return "identical content";
    }
    if (report->differs) {
        return "different";
    }
    return options->by_value ? "equal within the tolerance" : "equal";
}

/* ---- text ---- */

static pml_status print_metadata(const pml_diff_report *report, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_table table;
    char *a = NULL, *b = NULL;
    pml_text_table_init(&table, 4, 0);
    static const char *const title[] = {"key", "A", "B", ""};
    PML_TRY(pml_text_table_row(&table, title, error));
    for (size_t i = 0; i < report->n_metadata; i++) {
        const pml_diff_metadata *m = &report->metadata[i];
        PML_TRY(pml_meta_value_text(m->a, &a, error));
        PML_TRY(pml_meta_value_text(m->b, &b, error));
        const char *cells[] = {m->key, a, b, m->is_content ? "" : "(provenance)"};
        PML_TRY(pml_text_table_row(&table, cells, error));
        pml_free(a);
        pml_free(b);
        a = b = NULL;
    }
    fprintf(stream, "\nmetadata that differs (%zu)\n", report->n_metadata);
    pml_text_table_print(&table, stream, 2);
done:
    pml_free(a);
    pml_free(b);
    pml_text_table_deinit(&table);
    return status;
}

/* "F32 panel [2,3]", or "-" for a tensor that is not there; `text` has room for a shape and 40 bytes. */
static const char *form_text(const pml_file_tensor *tensor, char *text, size_t capacity) {
    char shape[PML_SHAPE_TEXT_BYTES];
    if (tensor == NULL) {
        return "-";
    }
    snprintf(text, capacity, "%s %s %s", pml_dtype_name(tensor->dtype), pml_layout_name(tensor->layout),
             pml_shape_text(tensor->shape, tensor->rank, shape));
    return text;
}

static pml_status add_tensor_row(pml_text_table *table, const pml_diff_tensor *t, pml_error *error) {
    char a[PML_SHAPE_TEXT_BYTES + 40], b[PML_SHAPE_TEXT_BYTES + 40];
    char max_abs[32] = "", rms[32] = "", cosine[32] = "", beyond[64] = "";
    if (t->is_compared) {
        snprintf(max_abs, sizeof max_abs, "%.4g", t->max_abs);
        snprintf(rms, sizeof rms, "%.4g", t->relative_rms);
        snprintf(cosine, sizeof cosine, "%.9f", t->cosine);
        snprintf(beyond, sizeof beyond, "%" PRIu64 "/%" PRIu64, t->n_beyond, t->n_elements);
    }
    const char *what = t->a == NULL      ? "only in B"
                       : t->b == NULL    ? "only in A"
                       : !t->is_compared ? "shape"
                       : t->n_beyond > 0 ? "numbers"
                       : t->differs      ? "stored form"
                                         : "within";
    const char *cells[] = {t->a != NULL ? t->a->name : t->b->name,
                           what,
                           form_text(t->a, a, sizeof a),
                           form_text(t->b, b, sizeof b),
                           max_abs,
                           rms,
                           cosine,
                           beyond};
    return pml_text_table_row(table, cells, error);
}

static pml_status print_tensors(const pml_diff_report *report, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_table table;
    pml_text_table_init(&table, 8, 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7);
    static const char *const title[] = {"name", "difference", "A", "B", "max abs", "rel RMS", "cosine", "beyond"};
    PML_TRY(pml_text_table_row(&table, title, error));
    for (size_t i = 0; i < report->n_tensors; i++) {
        PML_TRY(add_tensor_row(&table, &report->tensors[i], error));
    }
    fprintf(stream, "\ntensors that differ (%zu), equal (%zu)\n", report->n_tensors, report->n_equal);
    pml_text_table_print(&table, stream, 2);
done:
    pml_text_table_deinit(&table);
    return status;
}

static pml_status print_text(const pml_file *a, const pml_file *b, const pml_diff_options *options,
                             const pml_diff_report *report, FILE *stream, pml_error *error) {
    pml_status status = PML_OK;
    char digest[PML_DIGEST_TEXT_BYTES];
    fputs("A  ", stream);
    pml_printable_write(stream, pml_file_path(a));
    fprintf(stream, "  %s\nB  ", pml_digest_text(pml_file_content_digest(a), digest));
    pml_printable_write(stream, pml_file_path(b));
    fprintf(stream, "  %s\n", pml_digest_text(pml_file_content_digest(b), digest));
    if (report->n_metadata > 0) {
        PML_TRY(print_metadata(report, stream, error));
    }
    if (report->n_blobs > 0) {
        fprintf(stream, "\nblobs that differ (%zu; not content)\n", report->n_blobs);
        for (size_t i = 0; i < report->n_blobs; i++) {
            const pml_diff_blob *blob = &report->blobs[i];
            fputs("  ", stream);
            pml_printable_write(stream, blob->name);
            fputs(blob->a == NULL ? "  only in B\n" : blob->b == NULL ? "  only in A\n" : "\n", stream);
        }
    }
    if (report->n_tensors > 0) {
        PML_TRY(print_tensors(report, stream, error));
    }
    fprintf(stream, "%s%s\n", report->n_metadata + report->n_blobs + report->n_tensors > 0 ? "\n" : "",
            verdict(options, report));
    if (fflush(stream) != 0 || ferror(stream)) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "the output cannot be written"));
    }
done:
    return status;
}

/* ---- JSON ---- */

static void write_form(pml_json_writer *w, const char *key, const pml_file_tensor *tensor) {
    if (tensor == NULL) {
        pml_json_null(w, key);
        return;
    }
    pml_json_begin_object(w, key);
    pml_json_string(w, "dtype", pml_dtype_name(tensor->dtype));
    pml_json_string(w, "layout", pml_layout_name(tensor->layout));
    pml_shape_json(w, "shape", tensor->shape, tensor->rank);
    pml_json_end_object(w);
}

static void write_tensor(pml_json_writer *w, const pml_diff_tensor *t) {
    pml_json_begin_object(w, NULL);
    pml_json_string(w, "name", t->a != NULL ? t->a->name : t->b->name);
    pml_json_bool(w, "differs", t->differs);
    write_form(w, "a", t->a);
    write_form(w, "b", t->b);
    if (t->is_compared) {
        pml_json_u64(w, "n_elements", t->n_elements);
        pml_json_u64(w, "n_beyond", t->n_beyond);
        pml_json_f64(w, "max_abs", t->max_abs);
        pml_json_u64(w, "i_max", t->i_max);
        pml_json_f64(w, "a_at_max", t->a_max);
        pml_json_f64(w, "b_at_max", t->b_max);
        pml_json_f64(w, "relative_rms", t->relative_rms);
        pml_json_f64(w, "cosine", t->cosine);
    }
    pml_json_end_object(w);
}

static pml_status print_json(const pml_file *a, const pml_file *b, const pml_diff_options *options,
                             const pml_diff_report *report, FILE *stream, pml_error *error) {
    char digest[PML_DIGEST_TEXT_BYTES];
    pml_json_writer w;
    pml_json_writer_init(&w, stream, true);
    pml_json_begin_object(&w, NULL);
    pml_json_string(&w, "a", pml_file_path(a));
    pml_json_string(&w, "b", pml_file_path(b));
    pml_json_string(&w, "content_digest_a", pml_digest_text(pml_file_content_digest(a), digest));
    pml_json_string(&w, "content_digest_b", pml_digest_text(pml_file_content_digest(b), digest));
    pml_json_bool(&w, "identical_content", report->identical_content);
    pml_json_bool(&w, "differs", report->differs);
    pml_json_bool(&w, "by_value", options->by_value);
    pml_json_f64(&w, "atol", options->atol);
    pml_json_f64(&w, "rtol", options->rtol);
    pml_json_u64(&w, "n_equal_tensors", report->n_equal);
    pml_json_begin_array(&w, "metadata");
    for (size_t i = 0; i < report->n_metadata; i++) {
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "key", report->metadata[i].key);
        pml_json_bool(&w, "is_content", report->metadata[i].is_content);
        pml_meta_value_json(&w, "a", report->metadata[i].a);
        pml_meta_value_json(&w, "b", report->metadata[i].b);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_begin_array(&w, "blobs");
    for (size_t i = 0; i < report->n_blobs; i++) {
        pml_json_begin_object(&w, NULL);
        pml_json_string(&w, "name", report->blobs[i].name);
        pml_json_bool(&w, "in_a", report->blobs[i].a != NULL);
        pml_json_bool(&w, "in_b", report->blobs[i].b != NULL);
        pml_json_end_object(&w);
    }
    pml_json_end_array(&w);
    pml_json_begin_array(&w, "tensors");
    for (size_t i = 0; i < report->n_tensors; i++) {
        write_tensor(&w, &report->tensors[i]);
    }
    pml_json_end_array(&w);
    pml_json_end_object(&w);
    return pml_json_finish(&w, error);
}

pml_status pml_diff_print(const pml_file *a, const pml_file *b, const pml_diff_options *options,
                          const pml_diff_report *report, bool json, FILE *stream, pml_error *error) {
    return json ? print_json(a, b, options, report, stream, error) : print_text(a, b, options, report, stream, error);
}
