/* Times a language model beside the fastest read loop over its own bytes: prefill, and decoding behind it token by
 * token. Each figure is the best of several rounds, which alternate. Used by scripts and by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/file/reader.h"
#include "runtime/models/model.h"
#include "tests/bench/peak.h"

enum { ROUNDS = 5 };

static double least(double a, double b) {
    return a < b ? a : b;
}

/* Seconds of one loop that reads every tensor of rank 2 but the positions, which is what a step reads; adds their bytes
 * up. */
static double read_weights_s(size_t i_loop, const pml_file *file, size_t *n_bytes) {
    double sum_s = 0;
    *n_bytes = 0;
    for (size_t i = 0; i < pml_file_n_tensors(file); i++) {
        const pml_file_tensor *tensor = pml_file_tensor_at(file, i);
        if (tensor->rank == 2 && strcmp(tensor->name, "embedding.position.weight") != 0) {
            sum_s += peak_read_s(i_loop, pml_file_tensor_data(file, tensor), (size_t)tensor->size_bytes);
            *n_bytes += (size_t)tensor->size_bytes;
        }
    }
    return sum_s;
}

int main(int argc, char **argv) {
    pml_status status = PML_OK;
    pml_error error = {.message = "usage: bench_session FILE.pml [PROMPT_TOKENS] [NEW_TOKENS] [TEXTS]"};
    pml_file *file = NULL;
    pml_model *model = NULL;
    pml_session *session = NULL;
    const size_t n_prompt = argc > 2 ? strtoul(argv[2], NULL, 10) : 128;
    const size_t n_new = argc > 3 ? strtoul(argv[3], NULL, 10) : 64,
                 n_texts = argc > 4 ? strtoul(argv[4], NULL, 10) : 1;
    double prefill_s = 1e30, step_s = 1e30, read_s = 1e30;
    size_t n_bytes = 0;
    uint32_t ids[1024];
    pml_session_tokens parts[64];
    if (argc < 2 || n_prompt == 0 || n_new == 0 || n_prompt > 1024 || n_texts == 0 || n_texts > 64) {
        PML_TRY(PML_E_ARGUMENT);
    }
    PML_TRY(pml_file_open(argv[1], &file, &error));
    PML_TRY(pml_model_create(file, NULL, &model, &error));
    PML_TRY(pml_session_create(model, n_texts, n_prompt + n_new, &session, &error));
    for (size_t i = 0; i < n_prompt; i++) {
        ids[i] = (uint32_t)(i * 7919 % pml_session_vocabulary(session));
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < PEAK_READ_LOOPS; i++) {
            read_s = least(read_s, read_weights_s(i, file, &n_bytes));
        }
        for (size_t i = 0; i < n_texts; i++) {
            PML_TRY(pml_session_truncate(session, i, 0, &error));
            parts[i] = (pml_session_tokens){i, ids, n_prompt};
        }
        double begin = now_s();
        PML_TRY(pml_session_feed(session, parts, n_texts, &error));
        prefill_s = least(prefill_s, now_s() - begin);
        for (size_t i = 0; i < n_texts; i++) {
            parts[i].count = 1;
        }
        for (size_t k = 0; k < n_new; k++) {
            begin = now_s();
            PML_TRY(pml_session_feed(session, parts, n_texts, &error));
            step_s = least(step_s, now_s() - begin);
        }
    }
    printf("{\"prefill_tokens_per_s\": %.1f, \"prefill_ms\": %.2f, \"decode_tokens_per_s\": %.2f, \"step_ms\": %.3f, "
           "\"step_gb_per_s\": %.2f, \"read_gb_per_s\": %.2f, \"weight_bytes\": %zu}\n",
           (double)(n_prompt * n_texts) / prefill_s, prefill_s * 1e3, (double)n_texts / step_s, step_s * 1e3,
           (double)n_bytes / step_s * 1e-9, (double)n_bytes / read_s * 1e-9, n_bytes);

done:
    if (status != PML_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
    }
    pml_session_destroy(session);
    pml_model_destroy(model);
    pml_file_close(file);
    return status == PML_OK ? 0 : 1;
}
