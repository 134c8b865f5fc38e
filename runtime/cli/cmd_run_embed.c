/* pml-run embed: a vector for each text, or how similar the texts are. */
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/publish.h"
#include "runtime/cli/text_input.h"
#include "runtime/text/text_pool.h"

typedef struct embed_options {
    pml_common_options common;
    pml_model_options model;
    pml_text_options text;
    const char *out;
    const char *pooling;
    bool normalize;
    bool similarity;
} embed_options;

static const pml_option option_table[] = {
    PML_TEXT_FILE_ROW(embed_options),
    PML_TEXT_PAIR_ROW(embed_options),
    PML_TEXT_LIMIT_ROW(embed_options),
    {"out", 'o', PML_OPTION_TEXT, "X.npy", NULL, "write the vectors here, as numpy's float32 [texts][width]",
     offsetof(embed_options, out)},
    {"pooling", 0, PML_OPTION_TEXT, "HOW", "cls|mean|max",
     "how tokens become one vector (default: what FILE says, or mean)", offsetof(embed_options, pooling)},
    {"normalize", 0, PML_OPTION_FLAG, NULL, NULL, "give vectors unit length", offsetof(embed_options, normalize)},
    {"similarity", 0, PML_OPTION_FLAG, NULL, NULL, "print the cosine of each text with each",
     offsetof(embed_options, similarity)},
    PML_MODEL_OPTION_ROWS(embed_options),
    PML_OPTION_ROWS_END};

typedef struct vectors {
    float *values; /* [count][width] */
    size_t count, width;
    size_t first; /* of the window that is run */
    pml_text_pool pool;
    bool *is_truncated;
} vectors;

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static pml_status keep(void *user, const pml_text_result *result, pml_error *error) {
    vectors *v = user;
    float *vector = v->values + (v->first + result->i_item) * v->width;
    (void)error;
    pml_text_pool_take(&v->pool, result, vector);
    v->is_truncated[v->first + result->i_item] = result->encoding->is_truncated;
    return PML_OK;
}

static pml_status next_window(void *user, const pml_text_item *items, size_t n_items, pml_error *error) {
    vectors *v = user;
    (void)items;
    (void)error;
    v->first += n_items;
    return PML_OK;
}

/* The .npy format, version 1.0: magic, header padded to 64 bytes, numbers. */
static pml_status write_npy(const char *path, const vectors *v, pml_error *error) {
    pml_status status = PML_OK;
    pml_publish *publish = NULL;
    char header[256], description[128];
    const int n = snprintf(description, sizeof description,
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", v->count, v->width);
    const size_t used = 10 + (size_t)n + 1, total = (used + 63) / 64 * 64;
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)((total - 10) & 0xff);
    header[9] = (char)((total - 10) >> 8);
    memcpy(header + 10, description, (size_t)n);
    header[total - 1] = '\n';
    const size_t size_bytes = v->count * v->width * sizeof *v->values;
    PML_TRY(pml_publish_begin(path, total + size_bytes, true, &publish, error));
    PML_TRY(pml_publish_write(publish, 0, header, total, error));
    PML_TRY(pml_publish_write(publish, total, v->values, size_bytes, error));
    status = pml_publish_commit(publish, error);
    publish = NULL;
done:
    pml_publish_abort(publish);
    return status;
}

static pml_status print_vectors(const embed_options *o, const vectors *v, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < v->count; i++) {
        const float *vector = v->values + i * v->width;
        if (o->common.json) {
            pml_json_writer w;
            pml_json_writer_init(&w, stdout, false);
            pml_json_begin_object(&w, NULL);
            pml_json_begin_array(&w, "embedding");
            for (size_t d = 0; d < v->width; d++) {
                pml_json_f64(&w, NULL, (double)vector[d]);
            }
            pml_json_end_array(&w);
            pml_json_bool(&w, "truncated", v->is_truncated[i]);
            pml_json_end_object(&w);
            PML_TRY(pml_json_finish(&w, error));
            continue;
        }
        for (size_t d = 0; d < v->width; d++) {
            (void)printf("%s%.9g", d > 0 ? " " : "", (double)vector[d]);
        }
        (void)putchar('\n');
    }
done:
    return status;
}

static double cosine(const vectors *v, size_t i, size_t k) {
    const float *a = v->values + i * v->width, *b = v->values + k * v->width;
    const double lengths = sqrt(dot(a, a, v->width)) * sqrt(dot(b, b, v->width));
    return lengths > 0 ? dot(a, b, v->width) / lengths : 0;
}

static pml_status print_similarity(const embed_options *o, const vectors *v, pml_error *error) {
    pml_status status = PML_OK;
    pml_json_writer w;
    pml_json_writer_init(&w, stdout, false);
    for (size_t i = 0; i < v->count; i++) {
        if (o->common.json) {
            pml_json_begin_object(&w, NULL);
            pml_json_begin_array(&w, "similarity");
        }
        for (size_t k = 0; k < v->count; k++) {
            if (o->common.json) {
                pml_json_f64(&w, NULL, cosine(v, i, k));
            } else {
                (void)printf("%s%.6f", k > 0 ? "\t" : "", cosine(v, i, k));
            }
        }
        if (o->common.json) {
            pml_json_end_array(&w);
            pml_json_bool(&w, "truncated", v->is_truncated[i]);
            pml_json_end_object(&w);
            PML_TRY(pml_json_finish(&w, error));
            pml_json_writer_init(&w, stdout, false);
        } else {
            (void)putchar('\n');
        }
    }
done:
    return status;
}

static pml_status run(const void *options, char **operands, unsigned n_operands, pml_error *error) {
    const embed_options *o = options;
    pml_status status = PML_OK;
    pml_text_session s = {0};
    vectors v = {0};
    const char *const inputs[] = {operands[0], o->text.file};
    if (o->out != NULL) {
        PML_TRY(pml_cli_check_output("out", o->out, inputs, 2, error));
    }
    PML_TRY(pml_text_session_open(&o->model, &o->text, operands, n_operands, &s, error));
    status = pml_text_pool_choose(s.loaded.model, o->pooling, &v.pool, error);
    if (status != PML_OK) {
        PML_TRY(pml_error_prefix(error, status, "%s", pml_file_path(s.loaded.file)));
    }
    v.pool.normalizes = o->normalize;
    v.pool.run.max_tokens = (size_t)o->text.max_tokens.value;
    v.width = v.pool.width;
    v.count = s.texts.count;
    PML_TRY(pml_alloc(v.count, v.width * sizeof *v.values, &v.values, error));
    PML_TRY(pml_alloc(v.count, sizeof *v.is_truncated, &v.is_truncated, error));
    PML_TRY(pml_text_session_run(&s, &v.pool.run, keep, next_window, &v, error));
    if (o->out != NULL) {
        PML_TRY(write_npy(o->out, &v, error));
    }
    if (o->similarity) {
        PML_TRY(print_similarity(o, &v, error));
    } else if (o->out == NULL) {
        PML_TRY(print_vectors(o, &v, error));
    } else {
        (void)printf("%s\n", o->out);
    }
done:
    pml_free(v.values);
    pml_free(v.is_truncated);
    pml_text_session_close(&s);
    return status;
}

const pml_command pml_cmd_run_embed = {
    .name = "embed",
    .operands = "FILE [TEXT...]",
    .summary = "Turn texts into vectors.",
    .examples = "pml-run embed model.pml --file lines.txt -o vectors.npy\n"
                "pml-run embed model.pml --similarity 'a cat' 'a kitten' 'the stock market'",
    .options = option_table,
    .options_bytes = sizeof(embed_options),
    .least_operands = 1,
    .most_operands = UINT_MAX,
    .run = run,
};
