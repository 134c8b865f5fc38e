/* GPT-2: where each tensor goes, of Hugging Face's checkpoints (with and without the prefix of task models), of
 * nanoGPT's, and of OpenAI's TensorFlow code (specs/models/gpt2.md). */
#include <string.h>

#include "mappers/gpt2/gpt2_config.h"
#include "mappers/gpt2/gpt2_dialects.h"
#include "mappers/mapping.h"

#define HF PML_GPT2_HF
#define NANOGPT PML_GPT2_NANOGPT
#define OPENAI PML_GPT2_OPENAI
#define LAYER "[transformer.]h.{l}."
#define TF_LAYER "model/h{l}/"
#define OUT "decoder.layer.{l}."
#define MASK "the causal mask; what a token may see is computed"
#define TIED "equal to the token table, which is stored once"

#define AS_IS(dialect, from, to)                                                                                       \
    { dialect, from, to, "", NULL, NULL }
/* A norm, whose parts the code base calls by these two names. */
#define NORM(dialect, from, weight, bias, to)                                                                          \
    AS_IS(dialect, from weight, to ".weight"), AS_IS(dialect, from bias, to ".bias")
#define TABLES(dialect, tokens, positions)                                                                             \
    {dialect, tokens, "embedding.token.weight", "", "!is_tied", NULL},                                                 \
        {dialect, tokens, "embedding.token.weight", "transpose", "is_tied", NULL},                                     \
        AS_IS(dialect, positions, "embedding.position.weight")
/* A weight as it lies, or turned, and its bias. */
#define LINEAR(dialect, from, weight, bias, steps, to)                                                                 \
    {dialect, from weight, to ".weight", steps, NULL, NULL}, {                                                         \
        dialect, from bias, to ".bias", "", NULL, NULL                                                                 \
    }
/* Queries, keys and values lie side by side in one weight. */
#define FUSED(dialect, from, weight, bias, q, k, v)                                                                    \
    {dialect, from weight, OUT "attention.q.weight", q, NULL, NULL},                                                   \
        {dialect, from weight, OUT "attention.k.weight", k, NULL, NULL},                                               \
        {dialect, from weight, OUT "attention.v.weight", v, NULL, NULL},                                               \
        {dialect, from bias, OUT "attention.q.bias", "slice(0,0,3)", NULL, NULL},                                      \
        {dialect, from bias, OUT "attention.k.bias", "slice(0,1,3)", NULL, NULL}, {                                    \
        dialect, from bias, OUT "attention.v.bias", "slice(0,2,3)", NULL, NULL                                         \
    }
/* Everything that both code bases in PyTorch name alike. */
#define TORCH(dialect, steps, q, k, v)                                                                                 \
    TABLES(dialect, "[transformer.]wte.weight", "[transformer.]wpe.weight"),                                           \
        NORM(dialect, LAYER "ln_1", ".weight", ".bias", OUT "norm1"),                                                  \
        FUSED(dialect, LAYER "attn.c_attn", ".weight", ".bias", q, k, v),                                              \
        LINEAR(dialect, LAYER "attn.c_proj", ".weight", ".bias", steps, OUT "attention.out"),                          \
        NORM(dialect, LAYER "ln_2", ".weight", ".bias", OUT "norm2"),                                                  \
        LINEAR(dialect, LAYER "mlp.c_fc", ".weight", ".bias", steps, OUT "ffn.up"),                                    \
        LINEAR(dialect, LAYER "mlp.c_proj", ".weight", ".bias", steps, OUT "ffn.down"),                                \
        NORM(dialect, "[transformer.]ln_f", ".weight", ".bias", "decoder.norm"),                                       \
        {dialect, "lm_head.weight", "head.weight", "transpose", "!tied_head", NULL},                                   \
        {dialect, "lm_head.weight", "embedding.token.weight", "transpose", "is_tied", TIED}, {                         \
        dialect, LAYER "attn.bias", NULL, NULL, NULL, MASK                                                             \
    }

static const pml_map_rule rules[] = {
    TORCH(HF, "", "slice(1,0,3)", "slice(1,1,3)", "slice(1,2,3)"),
    {HF, LAYER "attn.masked_bias", NULL, NULL, NULL, "the score of what may not be seen"},
    {HF, "score.weight", "classifier.weight", "transpose", NULL, NULL},
    TORCH(NANOGPT, "transpose", "slice(0,0,3);transpose", "slice(0,1,3);transpose", "slice(0,2,3);transpose"),
    TABLES(OPENAI, "model/wte", "model/wpe"),
    NORM(OPENAI, TF_LAYER "ln_1/", "g", "b", OUT "norm1"),
    FUSED(OPENAI, TF_LAYER "attn/c_attn/", "w", "b", "squeeze;slice(1,0,3)", "squeeze;slice(1,1,3)",
          "squeeze;slice(1,2,3)"),
    LINEAR(OPENAI, TF_LAYER "attn/c_proj/", "w", "b", "squeeze", OUT "attention.out"),
    NORM(OPENAI, TF_LAYER "ln_2/", "g", "b", OUT "norm2"),
    LINEAR(OPENAI, TF_LAYER "mlp/c_fc/", "w", "b", "squeeze", OUT "ffn.up"),
    LINEAR(OPENAI, TF_LAYER "mlp/c_proj/", "w", "b", "squeeze", OUT "ffn.down"),
    NORM(OPENAI, "model/ln_f/", "g", "b", "decoder.norm"),
    {NULL, NULL, NULL, NULL, NULL, NULL}};

/* Without these no GPT-2 computes, whatever its head. */
static const char *const witnesses[] = {"embedding.token.weight",
                                        "embedding.position.weight",
                                        "decoder.layer.0.norm1.weight",
                                        "decoder.layer.0.attention.q.weight",
                                        "decoder.layer.0.attention.out.weight",
                                        "decoder.layer.0.norm2.weight",
                                        "decoder.layer.0.ffn.up.weight",
                                        "decoder.layer.0.ffn.down.weight",
                                        "decoder.norm.weight",
                                        NULL};

/* The same names are Conv1D's [in,out] in Hugging Face's code and Linear's [out,in] in nanoGPT's. Most matrices are
 * square or could be either; the fused one is three times as long one way. */
static bool is_turned(const pml_map_source *source) {
    static const char *const names[] = {"transformer.h.0.attn.c_attn.weight", "h.0.attn.c_attn.weight"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const pml_source_tensor *fused = pml_map_tensor_find(source, names[i]);
        if (fused != NULL) {
            return fused->rank == 2 && fused->shape[0] / 3 == fused->shape[1] && fused->shape[0] % 3 == 0;
        }
    }
    return false;
}

static pml_status detect(const pml_map_source *source, pml_detection *d, pml_error *error) {
    pml_status status = PML_OK;
    const bool turned = is_turned(source);
    pml_fit best, openai;
    PML_TRY(pml_fit_measure(source, d->mapper, turned ? NANOGPT : HF, &best, error));
    PML_TRY(pml_fit_measure(source, d->mapper, OPENAI, &openai, error));
    best = openai.score > best.score ? openai : best;
    PML_TRY(pml_fit_report(source, &best, d, error));
    if (turned) {
        PML_TRY(pml_detection_add(&d->reasons, &d->n_reasons, error,
                                  "h.0.attn.c_attn.weight is [3D, D], as torch's Linear keeps it"));
    }
done:
    return status;
}

#define OTHER_MODEL "its tensors are named like GPT-2's, but it computes something else"

static const pml_map_refusal refusals[] = {
    {"openai-gpt", OTHER_MODEL},
    {"gpt_bigcode", OTHER_MODEL},
    {"imagegpt", OTHER_MODEL},
    {"decision_transformer", OTHER_MODEL},
    {"gpt_neo", OTHER_MODEL},
    {"gptj", OTHER_MODEL},
    {"codegen", OTHER_MODEL},
    {"ctrl", OTHER_MODEL},
    {"bloom", OTHER_MODEL},
    {"xglm", OTHER_MODEL},
    {"GPT2DoubleHeadsModel", "a multiple-choice head is not supported"},
    {"GPT2ForTokenClassification", "GPT-2 with a head for tokens is not supported"},
    {"GPT2ForQuestionAnswering", "GPT-2 with a head for answers is not supported"},
    {NULL, NULL}};

static const char *const model_types[] = {"gpt2", NULL};
static const char *const config_files[] = {"hparams.json", NULL}; /* OpenAI's */

extern const pml_mapper pml_mapper_gpt2;
const pml_mapper pml_mapper_gpt2 = {
    .name = "gpt2",
    .detect = detect,
    .config = pml_gpt2_config,
    .rules = rules,
    .witnesses = witnesses,
    .model_types = model_types,
    .refusals = refusals,
    .config_files = config_files,
    .config_attribute = "model_args", /* of nanoGPT's ckpt.pt */
    .dialects = pml_gpt2_dialects,
};
