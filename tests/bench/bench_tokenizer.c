/* How fast the tokenizer of a .pml file is on the lines of a text file: the least time of several rounds, as
 * `pml-run bench --json` says it, and MB/s. Run by scripts/bench. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/file/reader.h"
#include "runtime/text/text_model.h"

enum { N_ROUNDS = 5 };

static double now_s(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static char *read_file(const char *path, size_t *size_bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        return NULL;
    }
    const long size = ftell(file);
    char *text = malloc((size_t)size + 1);
    rewind(file);
    *size_bytes = text != NULL ? fread(text, 1, (size_t)size, file) : 0;
    (void)fclose(file);
    return text;
}

/* Tokens of all lines; 0 on failure. */
static size_t tokenize_lines(const pml_tokenizer *tokenizer, const char *text, size_t size_bytes, pml_encoding *e) {
    size_t n = 0;
    for (size_t at = 0; at < size_bytes;) {
        const char *end = memchr(text + at, '\n', size_bytes - at);
        const size_t length = end != NULL ? (size_t)(end - (text + at)) : size_bytes - at;
        if (pml_tokenizer_run(tokenizer, text + at, length, NULL, 0, NULL, e, NULL) != PML_OK) {
            return 0;
        }
        n += e->count;
        at += length + 1;
    }
    return n;
}

int main(int argc, char **argv) {
    pml_file *file = NULL;
    pml_text_model model = {0};
    pml_encoding encoding = {0};
    pml_error error;
    size_t size_bytes = 0, n_tokens = 0;
    double least_s = 0;
    if (argc < 3) {
        (void)fprintf(stderr, "usage: bench_tokenizer FILE TEXT\n");
        return 2;
    }
    char *text = read_file(argv[2], &size_bytes);
    if (text == NULL || pml_file_open(argv[1], &file, &error) != PML_OK ||
        pml_text_model_open(file, NULL, &model, &error) != PML_OK) {
        (void)fprintf(stderr, "bench_tokenizer: %s\n", text == NULL ? "the text cannot be read" : error.message);
        free(text);
        return 1;
    }
    for (int i = 0; i < N_ROUNDS; i++) {
        const double start = now_s();
        n_tokens = tokenize_lines(model.tokenizer, text, size_bytes, &encoding);
        const double elapsed_s = now_s() - start;
        least_s = i == 0 || elapsed_s < least_s ? elapsed_s : least_s;
    }
    (void)printf("{\"results\": [{\"min_ms\": %.6f, \"mb_per_s\": %.3f, \"tokens\": %zu}]}\n", least_s * 1e3,
                 (double)size_bytes / 1e6 / least_s, n_tokens);
    pml_encoding_deinit(&encoding);
    pml_text_model_close(&model);
    pml_file_close(file);
    free(text);
    return n_tokens > 0 ? 0 : 1;
}
