/* Bodies of requests of a server: whatever the bytes, what comes out of them keeps its bounds. */
#include <stdlib.h>
#include <string.h>

#include "runtime/serve/serve_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inputs(const pml_serve_inputs *inputs, size_t size) {
    if (inputs->count == 0 || inputs->count > PML_MAX_SERVE_INPUTS) {
        abort();
    }
    for (size_t i = 0; i < inputs->count; i++) {
        const pml_serve_input *one = &inputs->items[i];
        if ((one->ids == NULL) == (one->text == NULL) || one->text_bytes > size || one->n_ids > size ||
            (one->ids != NULL && one->n_ids == 0) || (one->text != NULL && strlen(one->text) != one->text_bytes)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pml_embed_request embed;
    pml_completion_request completion;
    const char *param;
    pml_error error = {0};
    if (pml_embed_request_read(data, size, &embed, &param, &error) == PML_OK) {
        check_inputs(&embed.inputs, size);
    } else if (error.message[0] == '\0') {
        abort();
    }
    pml_embed_request_deinit(&embed);
    error = (pml_error){0};
    if (pml_completion_request_read(data, size, &completion, &param, &error) == PML_OK) {
        const pml_sampling *s = &completion.sampling;
        check_inputs(&completion.prompts, size);
        if (completion.n == 0 || completion.n * completion.prompts.count > PML_MAX_SERVE_CHOICES ||
            completion.n_stops > PML_MAX_SERVE_STOPS || !(s->temperature >= 0 && s->temperature <= 2) ||
            !(s->top_p > 0 && s->top_p <= 1) || !(s->repetition_penalty > 0)) {
            abort();
        }
    } else if (error.message[0] == '\0') {
        abort();
    }
    pml_completion_request_deinit(&completion);
    return 0;
}
