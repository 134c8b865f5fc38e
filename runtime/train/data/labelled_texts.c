#include "runtime/train/data/labelled_texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/names.h"
#include "runtime/base/quote.h"
#include "runtime/train/data/text_file.h"
#include "runtime/train/data/token_rows.h"

enum { FIELD_LABELS = 3 };

typedef struct labelled_texts {
    pml_dataset dataset;
    pml_token_rows rows;
    uint32_t *labels; /* of all texts, one text's after the other's */
    size_t *ends;     /* [n_rows] of them */
    size_t n_all, labels_capacity, ends_capacity;
    pml_names names; /* of the classes, by number once they are sorted; empty: numbers only */
    size_t n_labels;
    bool is_multi_label;
} labelled_texts;

/* ---- fetching ---- */
static pml_status fetch(const pml_dataset *dataset, size_t i_sample, const pml_data_key *key, void *const *values,
                        size_t *length, pml_error *error) {
    const labelled_texts *l = (const labelled_texts *)dataset;
    const size_t begin = i_sample > 0 ? l->ends[i_sample - 1] : 0;
    (void)key, (void)error;
    pml_token_rows_fetch(&l->rows, i_sample, values, length);
    if (!l->is_multi_label) {
        *(int64_t *)values[FIELD_LABELS] = l->labels[begin];
        return PML_OK;
    }
    float *flags = values[FIELD_LABELS];
    memset(flags, 0, l->n_labels * sizeof *flags);
    for (size_t i = begin; i < l->ends[i_sample]; i++) {
        flags[l->labels[i]] = 1;
    }
    return PML_OK;
}

static void destroy(pml_dataset *dataset) {
    labelled_texts *l = (labelled_texts *)dataset;
    pml_token_rows_deinit(&l->rows);
    pml_names_deinit(&l->names);
    pml_free(l->labels);
    pml_free(l->ends);
    pml_free(l);
}

/* ---- reading ---- */
typedef struct line_reader {
    labelled_texts *made;
    const pml_tokenizer *tokenizer;
    const pml_labelled_options *options;
    pml_json_reader json;
    pml_encoding encoding;
    char *text, *pair; /* of the line; NULL: not seen */
    size_t text_bytes, pair_bytes;
    bool has_label;
    bool has_names, has_numbers; /* among all labels so far */
} line_reader;

static pml_status take_text(line_reader *r, char **text, size_t *text_bytes, pml_error *error) {
    if (*text != NULL) {
        return pml_json_fail(&r->json, error, "a member that the line has twice");
    }
    pml_status status = pml_json_expect(&r->json, PML_JSON_STRING, "a text", error);
    if (status == PML_OK) {
        *text_bytes = r->json.text_bytes;
        status = pml_string_copy(r->json.text, r->json.text_bytes, text, error);
    }
    return status;
}

static pml_status put_label(line_reader *r, size_t label, pml_error *error) {
    labelled_texts *l = r->made;
    pml_status status =
        pml_grow(&l->labels, &l->labels_capacity, l->n_all + 1, sizeof *l->labels, SIZE_MAX / 8, "labels", error);
    if (status == PML_OK) {
        l->labels[l->n_all++] = (uint32_t)label;
        l->n_labels = label >= l->n_labels ? label + 1 : l->n_labels;
    }
    return status;
}

static pml_status take_name(line_reader *r, pml_error *error) {
    size_t label = 0;
    bool is_new = false;
    pml_status status;
    if (r->options->labels != NULL) {
        if (!pml_names_find(&r->made->names, r->json.text, r->json.text_bytes, &label)) {
            pml_quoted quoted;
            char cause[320];
            (void)snprintf(cause, sizeof cause, "there is no class %s", pml_quote(&quoted, r->json.text));
            return pml_json_fail(&r->json, error, cause);
        }
        return put_label(r, label, error);
    }
    r->has_names = true;
    if (r->has_numbers || r->options->n_labels > 0) {
        return pml_json_fail(&r->json, error, "the name of a class, where others are numbers");
    }
    status = pml_names_add(&r->made->names, r->json.text, r->json.text_bytes, PML_MAX_LABELS, "labels", &label, &is_new,
                           error);
    status = pml_json_locate(&r->json, status, error);
    return status == PML_OK ? put_label(r, label, error) : status;
}

static pml_status take_number(line_reader *r, pml_error *error) {
    const size_t n_labels = r->options->n_labels;
    if (!r->json.is_u64 || r->json.u64 >= (n_labels > 0 ? n_labels : PML_MAX_LABELS)) {
        char cause[96];
        (void)snprintf(cause, sizeof cause, "a class is a whole number from 0 to %zu",
                       (n_labels > 0 ? n_labels : PML_MAX_LABELS) - 1);
        return pml_json_fail(&r->json, error, cause);
    }
    r->has_numbers = true;
    if (r->has_names) {
        return pml_json_fail(&r->json, error, "the number of a class, where others are names");
    }
    return put_label(r, (size_t)r->json.u64, error);
}

/* The current token as a label. */
static pml_status take_label(line_reader *r, pml_error *error) {
    return r->json.token == PML_JSON_STRING   ? take_name(r, error)
           : r->json.token == PML_JSON_NUMBER ? take_number(r, error)
                                              : pml_json_fail(&r->json, error, "a label is a name or a number");
}

static pml_status take_labels(line_reader *r, pml_error *error) {
    pml_status status = PML_OK;
    if (r->has_label) {
        PML_TRY(pml_json_fail(&r->json, error, "a member that the line has twice"));
    }
    r->has_label = true;
    PML_TRY(pml_json_next(&r->json, error));
    if (!r->made->is_multi_label) {
        PML_TRY(take_label(r, error));
        goto done;
    }
    if (r->json.token != PML_JSON_ARRAY_BEGIN) {
        PML_TRY(pml_json_fail(&r->json, error, "a list of labels belongs here"));
    }
    for (;;) {
        PML_TRY(pml_json_next(&r->json, error));
        if (r->json.token == PML_JSON_ARRAY_END) {
            break;
        }
        PML_TRY(take_label(r, error));
    }
done:
    return status;
}

static pml_status read_members(line_reader *r, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_json_expect(&r->json, PML_JSON_OBJECT_BEGIN, "an object", error));
    for (;;) {
        PML_TRY(pml_json_next(&r->json, error));
        if (r->json.token == PML_JSON_OBJECT_END) {
            break;
        }
        if (strcmp(r->json.text, "text") == 0) {
            PML_TRY(take_text(r, &r->text, &r->text_bytes, error));
        } else if (strcmp(r->json.text, "text_pair") == 0) {
            PML_TRY(take_text(r, &r->pair, &r->pair_bytes, error));
        } else if (strcmp(r->json.text, "label") == 0) {
            PML_TRY(take_labels(r, error));
        } else {
            PML_TRY(pml_json_skip(&r->json, error));
        }
    }
    if (r->text == NULL || !r->has_label) {
        PML_TRY(
            pml_json_fail(&r->json, error, r->text == NULL ? "the line has no \"text\"" : "the line has no \"label\""));
    }
    PML_TRY(pml_json_expect(&r->json, PML_JSON_END, "the end of the line", error));
done:
    return status;
}

static pml_status read_line(line_reader *r, const pml_text_line *line, pml_error *error) {
    pml_status status = PML_OK;
    labelled_texts *l = r->made;
    const pml_encode_options options = {.max_tokens = r->options->max_tokens, .truncation = r->options->truncation};
    PML_TRY(pml_cancel_check(error));
    pml_json_reader_begin(&r->json, line->begin, line->end);
    r->has_label = false;
    PML_TRY(read_members(r, error));
    status =
        pml_tokenizer_run(r->tokenizer, r->text, r->text_bytes, r->pair, r->pair_bytes, &options, &r->encoding, error);
    if (status == PML_OK && r->encoding.count == 0) {
        status = PML_FAIL(error, PML_E_FORMAT, "the text has no tokens");
    }
    if (status != PML_OK) {
        PML_TRY(pml_error_prefix(error, status, "%s, line %zu", r->json.file_name, line->number));
    }
    PML_TRY(pml_token_rows_add(&l->rows, &r->encoding, error));
    PML_TRY(pml_grow(&l->ends, &l->ends_capacity, l->rows.n_rows, sizeof *l->ends, SIZE_MAX / 8, "texts", error));
    l->ends[l->rows.n_rows - 1] = l->n_all;
done:
    pml_free(r->text);
    pml_free(r->pair);
    r->text = r->pair = NULL;
    return status;
}

static pml_status read_file(line_reader *r, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_text_file file = {0};
    pml_text_line line = {0};
    PML_TRY(pml_text_file_open(path, &file, error));
    pml_json_reader_init(&r->json, file.text, file.size_bytes, 0, path, PML_MAX_LABELLED_TEXT_BYTES);
    while (pml_text_file_next(&file, &line)) {
        PML_TRY(read_line(r, &line, error));
    }
    if (r->made->rows.n_rows == 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: no line with a text and its label", path));
    }
done:
    pml_json_reader_deinit(&r->json);
    pml_text_file_close(&file);
    return status;
}

/* ---- classes ---- */
static pml_status take_given_names(labelled_texts *l, const pml_labelled_options *options, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; options->labels != NULL && i < options->n_labels; i++) {
        size_t label;
        bool is_new;
        PML_TRY(pml_names_add(&l->names, options->labels[i], strlen(options->labels[i]), PML_MAX_LABELS, "labels",
                              &label, &is_new, error));
        if (!is_new) {
            pml_quoted quoted;
            PML_TRY(
                PML_FAIL(error, PML_E_ARGUMENT, "two classes are called %s", pml_quote(&quoted, options->labels[i])));
        }
    }
    if (options->n_labels > PML_MAX_LABELS) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "more than %u classes", PML_MAX_LABELS));
    }
    l->n_labels = options->n_labels;
done:
    return status;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Numbers classes in the order of their names, whatever the order in which the file has them. */
static pml_status sort_names(labelled_texts *l, pml_error *error) {
    pml_status status = PML_OK;
    const size_t n = pml_names_count(&l->names);
    const char **sorted = NULL;
    uint32_t *numbers = NULL;
    pml_names names = {0};
    PML_TRY(pml_alloc(n, sizeof *sorted, &sorted, error));
    PML_TRY(pml_alloc(n, sizeof *numbers, &numbers, error));
    for (size_t i = 0; i < n; i++) {
        sorted[i] = pml_names_at(&l->names, i);
    }
    qsort(sorted, n, sizeof *sorted, compare_names);
    for (size_t i = 0; i < n; i++) {
        size_t i_new = 0, i_old = 0;
        bool is_new;
        PML_TRY(pml_names_add(&names, sorted[i], strlen(sorted[i]), PML_MAX_LABELS, "labels", &i_new, &is_new, error));
        (void)pml_names_find(&l->names, sorted[i], strlen(sorted[i]), &i_old);
        numbers[i_old] = (uint32_t)i;
    }
    for (size_t i = 0; n > 0 && i < l->n_all; i++) {
        l->labels[i] = numbers[l->labels[i]];
    }
    const pml_names before = l->names;
    l->names = names;
    names = before;
done:
    pml_names_deinit(&names);
    pml_free(sorted);
    pml_free(numbers);
    return status;
}

static void describe(labelled_texts *l, const pml_tokenizer *tokenizer) {
    pml_dataset *d = &l->dataset;
    pml_token_rows_describe(&l->rows, pml_tokenizer_get_spec(tokenizer)->pad_id, d);
    pml_data_field *field = &d->fields[d->n_fields++];
    *field = (pml_data_field){.name = PML_FIELD_LABELS, .dtype = PML_DTYPE_I64};
    if (l->is_multi_label) {
        *field = (pml_data_field){.name = PML_FIELD_LABELS, .dtype = PML_DTYPE_F32, .rank = 1, .shape = {l->n_labels}};
    } else {
        d->classes = l->labels;
        d->n_classes = l->n_labels;
    }
    d->digest = XXH3_64bits_withSeed(l->labels, l->n_all * sizeof *l->labels, pml_token_rows_digest(&l->rows));
    d->digest = XXH3_64bits_withSeed(l->ends, l->rows.n_rows * sizeof *l->ends, d->digest);
}

pml_status pml_labelled_texts_create(const pml_tokenizer *tokenizer, const char *path,
                                     const pml_labelled_options *options, pml_dataset **dataset, pml_error *error) {
    static const pml_dataset_type type = {fetch, destroy};
    pml_status status = PML_OK;
    line_reader r = {.tokenizer = tokenizer, .options = options};
    labelled_texts *made = NULL;
    *dataset = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->dataset.type = &type;
    made->is_multi_label = options->is_multi_label;
    r.made = made;
    PML_TRY(take_given_names(made, options, error));
    PML_TRY(read_file(&r, path, error));
    if (made->n_labels == 0) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: no text has a label", path));
    }
    if (options->labels == NULL && r.has_names) {
        PML_TRY(sort_names(made, error));
    }
    describe(made, tokenizer);
    *dataset = &made->dataset;
    made = NULL;
done:
    pml_encoding_deinit(&r.encoding);
    pml_dataset_destroy(made != NULL ? &made->dataset : NULL);
    return status;
}

size_t pml_labelled_texts_n_labels(const pml_dataset *dataset) {
    return ((const labelled_texts *)dataset)->n_labels;
}

const char *pml_labelled_texts_label(const pml_dataset *dataset, size_t i_label) {
    const labelled_texts *l = (const labelled_texts *)dataset;
    return i_label < pml_names_count(&l->names) ? pml_names_at(&l->names, i_label) : NULL;
}
