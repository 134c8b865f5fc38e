#include "convert/batch/job_options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "convert/side_file.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/base/quote.h"

#define DTYPE_LETTERS                                                                                                  \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_" /* it becomes part of names                     \
                                                                        */

typedef enum option_kind { FLAG, VALUE, VALUES, FILE_NAME } option_kind;

/* In the order in which a file records them. */
static const struct {
    const char *name;
    option_kind kind;
    bool has_default;
    const char *otherwise; /* recorded when it is not given */
} known[] = {
    {"dtype", VALUE, true, "f32"},      {"layout", VALUE, true, "panel"},
    {"arch", VALUE, false, NULL},       {"allow-nonfinite", FLAG, false, NULL},
    {"set", VALUES, false, NULL},       {"embed-selftest", FILE_NAME, false, NULL},
    {"config", FILE_NAME, false, NULL}, {"map", FILE_NAME, false, NULL},
    {"max-error", VALUE, false, NULL},  {"tensor-type", VALUES, false, NULL},
};
enum { N_KNOWN = sizeof known / sizeof known[0], DTYPE = 0, KEY_BYTES = 65536 };

pml_status pml_arena_text(pml_arena *texts, const char *text, size_t length, const char **copy, pml_error *error) {
    char *made = NULL;
    pml_status status = pml_arena_alloc(texts, length + 1, 1, &made, error);
    if (status == PML_OK) {
        memcpy(made, text, length);
        made[length] = '\0';
        *copy = made;
    }
    return status;
}

pml_status pml_arena_format(pml_arena *texts, const char **copy, pml_error *error, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    char *made = NULL;
    pml_status status = length < 0 ? PML_FAIL(error, PML_E_MEMORY, "a text cannot be formatted")
                                   : pml_arena_alloc(texts, (size_t)length + 1, 1, &made, error);
    if (status == PML_OK) {
        (void)vsnprintf(made, (size_t)length + 1, format, again);
        *copy = made;
    }
    va_end(again);
    va_end(arguments);
    return status;
}

/* The row of "--name" or "--name=value"; *value is NULL without one. */
static pml_status find_option(const char *text, size_t *i_known, const char **value, pml_error *error) {
    pml_quoted quoted;
    const char *equals = strchr(text, '=');
    const size_t length = equals != NULL ? (size_t)(equals - text) : strlen(text);
    *value = equals != NULL ? equals + 1 : NULL;
    for (size_t i = 0; i < N_KNOWN; i++) {
        if (length == strlen(known[i].name) + 2 && strncmp(text, "--", 2) == 0 &&
            strncmp(text + 2, known[i].name, length - 2) == 0) {
            *i_known = i;
            if ((known[i].kind == FLAG) != (*value == NULL) || (*value != NULL && (*value)[0] == '\0')) {
                return PML_FAIL(error, PML_E_CONFIG, "option %s: %s", pml_quote(&quoted, text),
                                known[i].kind == FLAG ? "it takes no value" : "expected --NAME=VALUE");
            }
            if (i == DTYPE && strspn(*value, DTYPE_LETTERS) != strlen(*value)) {
                return PML_FAIL(error, PML_E_CONFIG, "option %s: no dtype has such a name", pml_quote(&quoted, text));
            }
            if (strpbrk(text, "\n\r") != NULL) {
                return PML_FAIL(error, PML_E_CONFIG, "option %s: a line break", pml_quote(&quoted, text));
            }
            return PML_OK;
        }
    }
    return PML_FAIL(error, PML_E_CONFIG,
                    "option %s: a job may set --dtype, --layout, --arch, --allow-nonfinite, --set, --embed-selftest, "
                    "--config, --map, --max-error and --tensor-type, each as --NAME=VALUE",
                    pml_quote(&quoted, text));
}

typedef struct key_text {
    char *text; /* KEY_BYTES */
    size_t used;
} key_text;

static pml_status append(key_text *key, const char *name, const char *value, const char *prefix, pml_error *error) {
    const int n = snprintf(key->text + key->used, KEY_BYTES - key->used, "%s%s%s%s%s", key->used > 0 ? "\n" : "", name,
                           value != NULL ? "=" : "", prefix, value != NULL ? value : "");
    if (n < 0 || (size_t)n >= KEY_BYTES - key->used) {
        return PML_FAIL(error, PML_E_CONFIG, "the options of one job are longer than %d bytes", KEY_BYTES);
    }
    key->used += (size_t)n;
    return PML_OK;
}

static pml_status append_file(key_text *key, const char *name, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_side_file file = {0};
    PML_TRY(pml_side_file_read(path, PML_MAX_CONFIG_BYTES, &file, error));
    PML_TRY(append(key, name, file.sha256, "sha256:", error));
done:
    pml_side_file_deinit(&file);
    return status;
}

/* Adds everything that was given of one kind of option. */
static pml_status add_kind(size_t i_kind, const char *const *given, const size_t *kinds, size_t n_given,
                           pml_arena *texts, pml_job_options *options, key_text *key, pml_error *error) {
    pml_status status = PML_OK;
    const char *last = known[i_kind].otherwise;
    const char *name = known[i_kind].name;
    bool is_given = false;
    for (size_t i = 0; i < n_given; i++) {
        if (kinds[i] != i_kind) {
            continue;
        }
        const char *equals = strchr(given[i], '=');
        last = equals != NULL ? equals + 1 : NULL;
        is_given = true;
        if (known[i_kind].kind == VALUES) {
            PML_TRY(append(key, name, last, "", error));
            PML_TRY(pml_arena_format(texts, &options->arguments[options->n_arguments], error, "--%s=%s", name, last));
            options->n_arguments++;
        }
    }
    if (known[i_kind].kind != VALUES && (is_given || known[i_kind].has_default)) {
        PML_TRY(known[i_kind].kind == FILE_NAME ? append_file(key, name, last, error)
                                                : append(key, name, last, "", error));
        options->names_files = options->names_files || known[i_kind].kind == FILE_NAME;
        PML_TRY(pml_arena_format(texts, &options->arguments[options->n_arguments], error, "--%s%s%s", name,
                                 last != NULL ? "=" : "", last != NULL ? last : ""));
        options->n_arguments++;
    }
    if (i_kind == DTYPE) {
        PML_TRY(pml_arena_text(texts, last, strlen(last), &options->dtype, error));
    }
done:
    return status;
}

pml_status pml_job_options_read(const char *const *given, size_t n_given, pml_arena *texts, pml_job_options *options,
                                pml_error *error) {
    pml_status status = PML_OK;
    size_t *kinds = NULL;
    key_text key = {0};
    *options = (pml_job_options){0};
    PML_TRY(pml_alloc(n_given + 1, sizeof *kinds, &kinds, error));
    PML_TRY(pml_alloc(KEY_BYTES, 1, &key.text, error));
    PML_TRY(pml_arena_alloc(texts, n_given + N_KNOWN, sizeof *options->arguments, &options->arguments, error));
    for (size_t i = 0; i < n_given; i++) {
        const char *value = NULL;
        PML_TRY(find_option(given[i], &kinds[i], &value, error));
    }
    for (size_t i_kind = 0; i_kind < N_KNOWN; i_kind++) {
        PML_TRY(add_kind(i_kind, given, kinds, n_given, texts, options, &key, error));
    }
    PML_TRY(pml_arena_text(texts, key.text, key.used, &options->key, error));
done:
    pml_free(kinds);
    pml_free(key.text);
    return status;
}
