#include "mappers/seasonal_rules.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/alloc.h"

/* A share of the look-back, rounded up. */
pml_status pml_seasonal_derive_label(pml_config_reader *r, const pml_config_rule *rule, char **text, pml_error *error) {
    static const pml_config_rule label = {.key = "label_length"},
                                 steps = {.key = "context_length", .source = "input_size"},
                                 share = {.key = PML_SEASONAL_LABEL_SHARE, .source = PML_SEASONAL_LABEL_SHARE};
    (void)rule;
    pml_status status = PML_OK;
    char *n_steps = NULL, *factor = NULL;
    PML_TRY(pml_config_get(r, &label, PML_CONFIG_INT, text, error));
    PML_TRY(pml_config_get(r, &steps, PML_CONFIG_INT, &n_steps, error));
    PML_TRY(pml_config_get(r, &share, PML_CONFIG_REAL, &factor, error));
    if (*text == NULL && n_steps != NULL) {
        const double by = strtod(factor != NULL ? factor : PML_SEASONAL_LABEL_SHARE_DEFAULT, NULL);
        char number[32];
        const int n = snprintf(number, sizeof number, "%.0f", ceil(strtod(n_steps, NULL) * by));
        PML_TRY(pml_string_copy(number, (size_t)n, text, error));
    }

done:
    pml_free(n_steps);
    pml_free(factor);
    return status;
}

static void examine_time(const pml_facts *facts, pml_evidence *said) {
    static const char *const frequencies[] = {NULL, NULL, "w", NULL, "h", "t", "s"}; /* by number of time features */
    const pml_fact *marks = pml_facts_find(facts, "encoder.embedding.time.weight");
    const pml_fact *hours = pml_facts_find(facts, "encoder.embedding.hour.weight");
    if (marks != NULL && marks->source->rank == 2) {
        const uint64_t n = marks->source->shape[1];
        (void)pml_evidence_add(said, "time_embedding", marks, "timeF");
        if (n < sizeof frequencies / sizeof frequencies[0] && frequencies[n] != NULL) {
            (void)pml_evidence_add(said, "frequency", marks, frequencies[n]);
        }
    } else if (hours != NULL) {
        const size_t n_bytes = strlen(hours->source->name), n_end = strlen(".emb.weight");
        const bool is_fixed = n_bytes > n_end && strcmp(hours->source->name + n_bytes - n_end, ".emb.weight") == 0;
        const pml_fact *minutes = pml_facts_find(facts, "encoder.embedding.minute.weight");
        (void)pml_evidence_add(said, "time_embedding", hours, is_fixed ? "fixed" : "learned");
        if (minutes != NULL) {
            (void)pml_evidence_add(said, "frequency", minutes, "t");
        }
    }
}

void pml_seasonal_examine(const pml_facts *facts, pml_evidence *said) {
    const pml_fact *tokens = pml_facts_find(facts, "encoder.embedding.value.weight");
    if (tokens != NULL && tokens->source->rank == 3) {
        pml_evidence_add_number(said, "d_model", tokens, tokens->source->shape[0]);
        pml_evidence_add_number(said, "num_input_channels", tokens, tokens->source->shape[1]);
    }
    const pml_fact *up = pml_facts_find(facts, "encoder.layer.0.ffn.up.weight");
    if (up != NULL && up->source->rank == 3) {
        pml_evidence_add_number(said, "ffn_dim", up, up->source->shape[0]);
    }
    const pml_fact *encoder = pml_facts_find(facts, "encoder.layer.0.attention.q.weight");
    const pml_fact *decoder = pml_facts_find(facts, "decoder.layer.0.attention.q.weight");
    if (encoder != NULL) {
        pml_evidence_add_number(said, "num_encoder_layers", encoder,
                                pml_facts_count(facts, "encoder.layer.{l}.attention.q.weight", 'l'));
    }
    if (decoder != NULL) {
        pml_evidence_add_number(said, "num_decoder_layers", decoder,
                                pml_facts_count(facts, "decoder.layer.{l}.attention.q.weight", 'l'));
    }
    examine_time(facts, said);
}
