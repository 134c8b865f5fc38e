#include "runtime/cli/text_input.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/input.h"

#define MOST_BYTES 1073741824u
#define MOST_TEXTS 16777216u /* lines cost more than their bytes when they are short */

static pml_status read_all(FILE *stream, const char *name, pml_texts *texts, pml_error *error) {
    pml_status status = PML_OK;
    size_t capacity = 0, n;
    do {
        status =
            pml_grow(&texts->storage, &capacity, texts->storage_bytes + 65536, 1, MOST_BYTES, "bytes of text", error);
        if (status != PML_OK) {
            PML_TRY(pml_error_prefix(error, status, "%s", name));
        }
        n = fread(texts->storage + texts->storage_bytes, 1, 65536, stream);
        texts->storage_bytes += n;
        PML_TRY(pml_cancel_check(error));
    } while (n > 0);
    if (ferror(stream)) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", name, strerror(errno)));
    }
done:
    return status;
}

static pml_status split_lines(pml_texts *texts, pml_error *error) {
    pml_status status = PML_OK;
    size_t capacity = 0;
    for (size_t at = 0; at < texts->storage_bytes;) {
        const char *begin = texts->storage + at;
        const char *end = memchr(begin, '\n', texts->storage_bytes - at);
        const size_t length = end != NULL ? (size_t)(end - begin) : texts->storage_bytes - at;
        PML_TRY(pml_grow(&texts->items, &capacity, texts->count + 1, sizeof *texts->items, MOST_TEXTS, "texts", error));
        texts->items[texts->count++] = (pml_text_item){.text = begin, .text_bytes = length};
        at += length + 1;
    }
done:
    return status;
}

static pml_status take_whole(pml_texts *texts, pml_error *error) {
    const pml_status status = pml_alloc(1, sizeof *texts->items, &texts->items, error);
    if (status == PML_OK) {
        texts->items[texts->count++] = (pml_text_item){.text = texts->storage, .text_bytes = texts->storage_bytes};
    }
    return status;
}

static pml_status read_file(const char *file, bool whole, pml_texts *texts, pml_error *error) {
    pml_status status = PML_OK;
    const bool is_stdin = file == NULL || strcmp(file, "-") == 0;
    const char *name = is_stdin ? "standard input" : file;
    FILE *stream = is_stdin ? stdin : fopen(file, "rb");
    if (stream == NULL) {
        PML_TRY(pml_input_failure(file, errno, error));
    }
    PML_TRY(read_all(stream, name, texts, error));
    status = whole ? take_whole(texts, error) : split_lines(texts, error);
    if (status != PML_OK) {
        PML_TRY(pml_error_prefix(error, status, "%s", name));
    }
done:
    if (stream != NULL && !is_stdin) {
        (void)fclose(stream);
    }
    return status;
}

pml_status pml_texts_read(const pml_text_options *options, char **operands, unsigned n_operands, pml_texts *texts,
                          pml_error *error) {
    pml_status status = PML_OK;
    if (n_operands > 1 && options->file != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "texts are given as arguments or with --file, not both"));
    }
    if (n_operands > 1) {
        PML_TRY(pml_alloc(n_operands - 1, sizeof *texts->items, &texts->items, error));
        for (unsigned i = 1; i < n_operands; i++) {
            texts->items[texts->count++] = (pml_text_item){.text = operands[i], .text_bytes = strlen(operands[i])};
        }
    } else {
        PML_TRY(read_file(options->file, options->whole, texts, error));
    }
    for (size_t i = 0; options->pair != NULL && i < texts->count; i++) {
        texts->items[i].pair = options->pair;
        texts->items[i].pair_bytes = strlen(options->pair);
    }
done:
    return status;
}

void pml_texts_free(pml_texts *texts) {
    pml_free(texts->storage);
    pml_free(texts->items);
    *texts = (pml_texts){0};
}

pml_status pml_text_session_open(const pml_model_options *model, const pml_text_options *options, char **operands,
                                 unsigned n_operands, pml_text_session *session, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(pml_loaded_open(operands[0], model, &session->loaded, error));
    PML_TRY(pml_text_model_open(session->loaded.file, session->loaded.model, &session->text, error));
    PML_TRY(pml_texts_read(options, operands, n_operands, &session->texts, error));
done:
    return status;
}

void pml_text_session_close(pml_text_session *session) {
    pml_texts_free(&session->texts);
    pml_text_model_close(&session->text);
    pml_loaded_close(&session->loaded);
}

pml_status pml_text_session_run(const pml_text_session *session, const pml_text_run *request, pml_text_result_fn *keep,
                                pml_text_window_fn *show, void *user, pml_error *error) {
    pml_status status = PML_OK;
    const pml_texts *texts = &session->texts;
    for (size_t first = 0; first < texts->count; first += PML_TEXT_WINDOW) {
        const size_t rest = texts->count - first, n = rest < PML_TEXT_WINDOW ? rest : PML_TEXT_WINDOW;
        PML_TRY(pml_text_model_run(&session->text, texts->items + first, n, request, keep, user, error));
        PML_TRY(show(user, texts->items + first, n, error));
    }
done:
    return status;
}

pml_status pml_text_need_head(const pml_text_session *session, const char *command, const char *head,
                              pml_error *error) {
    if (strcmp(session->text.head, head) == 0) {
        return PML_OK;
    }
    return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: '%s' needs a model with the head %s; this one has %s%s",
                    pml_file_path(session->loaded.file), command, head,
                    session->text.head[0] != '\0' ? "the head " : "none",
                    session->text.head[0] != '\0' ? session->text.head : "");
}

void pml_text_softmax(float *values, size_t count) {
    double sum = 0, greatest = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        greatest = values[i] > greatest ? values[i] : greatest;
    }
    for (size_t i = 0; i < count; i++) {
        sum += exp(values[i] - greatest);
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)(exp(values[i] - greatest) / sum);
    }
}

void pml_text_top(const float *values, size_t count, size_t most, size_t *top, size_t *n_top) {
    *n_top = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = *n_top;
        if (at == most && (most == 0 || values[i] <= values[top[most - 1]])) {
            continue;
        }
        at = at == most ? most - 1 : (*n_top)++;
        while (at > 0 && values[i] > values[top[at - 1]]) {
            top[at] = top[at - 1];
            at--;
        }
        top[at] = i;
    }
}
