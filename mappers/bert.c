/* BERT: where each tensor goes, of Hugging Face's checkpoints (with and without the prefix of task models, in the
 * spelling of today and of the first conversions), of google-research's and of tf_model.h5 (specs/models/bert.md). */
#include "mappers/bert/bert_config.h"
#include "mappers/bert/bert_dialects.h"
#include "mappers/bert/bert_sentence.h"
#include "mappers/bert/bert_tensorflow.h"
#include "mappers/mapping.h"

#define HF PML_BERT_HF
#define GOOGLE PML_BERT_GOOGLE
#define KERAS PML_BERT_KERAS
#define LAYER "[bert.]encoder.layer.{l}."

/* A torch Linear: weight [out,in], bias [out]. */
#define LINEAR(from, to)                                                                                               \
    {HF, from ".weight", to ".weight", "transpose", NULL, NULL}, {                                                     \
        HF, from ".bias", to ".bias", "", NULL, NULL                                                                   \
    }
/* LayerNorm; the first conversions from TensorFlow kept its names. */
#define NORM(from, to)                                                                                                 \
    {HF, from ".weight", to ".weight", "", NULL, NULL}, {HF, from ".bias", to ".bias", "", NULL, NULL},                \
        {HF, from ".gamma", to ".weight", "", NULL, NULL}, {                                                           \
        HF, from ".beta", to ".bias", "", NULL, NULL                                                                   \
    }

/* The same in TensorFlow's spelling, whose kernels are [in,out]. `end` is what Keras puts behind names. */
#define TF_LINEAR(dialect, from, end, to)                                                                              \
    {dialect, from "/kernel" end, to ".weight", "", NULL, NULL}, {                                                     \
        dialect, from "/bias" end, to ".bias", "", NULL, NULL                                                          \
    }
#define TF_NORM(dialect, from, end, to)                                                                                \
    {dialect, from "/LayerNorm/gamma" end, to ".weight", "", NULL, NULL}, {                                            \
        dialect, from "/LayerNorm/beta" end, to ".bias", "", NULL, NULL                                                \
    }
/* google-research keeps the small heads as [out,in], without a layer around them. */
#define GOOGLE_HEAD(from, to)                                                                                          \
    {GOOGLE, from "output_weights", to ".weight", "transpose", NULL, NULL}, {                                          \
        GOOGLE, from "output_bias", to ".bias", "", NULL, NULL                                                         \
    }
#define TF_ENCODER(dialect, layer, end)                                                                                \
    TF_LINEAR(dialect, layer "attention/self/query", end, "encoder.layer.{l}.attention.q"),                            \
        TF_LINEAR(dialect, layer "attention/self/key", end, "encoder.layer.{l}.attention.k"),                          \
        TF_LINEAR(dialect, layer "attention/self/value", end, "encoder.layer.{l}.attention.v"),                        \
        TF_LINEAR(dialect, layer "attention/output/dense", end, "encoder.layer.{l}.attention.out"),                    \
        TF_NORM(dialect, layer "attention/output", end, "encoder.layer.{l}.norm1"),                                    \
        TF_LINEAR(dialect, layer "intermediate/dense", end, "encoder.layer.{l}.ffn.up"),                               \
        TF_LINEAR(dialect, layer "output/dense", end, "encoder.layer.{l}.ffn.down"),                                   \
        TF_NORM(dialect, layer "output", end, "encoder.layer.{l}.norm2")
#define TF_TABLES(dialect, words, positions, types)                                                                    \
    {dialect, words, "embedding.token.weight", "", "!is_tied", NULL},                                                  \
        {dialect, words, "embedding.token.weight", "transpose", "is_tied", NULL},                                      \
        {dialect, positions, "embedding.position.weight", "", NULL, NULL}, {                                           \
        dialect, types, "embedding.type.weight", "", NULL, NULL                                                        \
    }
#define OPTIMIZER "what the optimizer keeps; no weight"
#define KERAS_BERT "bert/{*}/bert/"

static const pml_map_rule rules[] = {
    {HF, "[bert.]embeddings.word_embeddings.weight", "embedding.token.weight", "", "!is_tied", NULL},
    {HF, "[bert.]embeddings.word_embeddings.weight", "embedding.token.weight", "transpose", "is_tied", NULL},
    {HF, "[bert.]embeddings.position_embeddings.weight", "embedding.position.weight", "", NULL, NULL},
    {HF, "[bert.]embeddings.embedding_{n}", "embedding.position.weight", "reshape(-1,{d_model})", NULL,
     "the position table is there as a whole"}, /* its rows in use: an ONNX export of a fixed length */
    {HF, "[bert.]embeddings.token_type_embeddings.weight", "embedding.type.weight", "", NULL, NULL},
    NORM("[bert.]embeddings.LayerNorm", "embedding.norm"),
    {HF, "[bert.]embeddings.position_ids", NULL, NULL, NULL, "the numbers 0, 1, 2, …; positions are counted"},
    {HF, "[bert.]embeddings.token_type_ids", NULL, NULL, NULL, "zeros; a sentence type that is not given is 0"},
    LINEAR(LAYER "attention.self.query", "encoder.layer.{l}.attention.q"),
    LINEAR(LAYER "attention.self.key", "encoder.layer.{l}.attention.k"),
    LINEAR(LAYER "attention.self.value", "encoder.layer.{l}.attention.v"),
    LINEAR(LAYER "attention.output.dense", "encoder.layer.{l}.attention.out"),
    NORM(LAYER "attention.output.LayerNorm", "encoder.layer.{l}.norm1"),
    LINEAR(LAYER "intermediate.dense", "encoder.layer.{l}.ffn.up"),
    LINEAR(LAYER "output.dense", "encoder.layer.{l}.ffn.down"),
    NORM(LAYER "output.LayerNorm", "encoder.layer.{l}.norm2"),
    LINEAR("[bert.]pooler.dense", "pooler"),
    LINEAR("cls.predictions.transform.dense", "transform"),
    NORM("cls.predictions.transform.LayerNorm", "transform.norm"),
    {HF, "cls.predictions.decoder.weight", "decoder.weight", "transpose", "!tied_decoder", NULL},
    {HF, "cls.predictions.decoder.weight", NULL, NULL, "tied_decoder",
     "equal to the token table, which is stored once"},
    {HF, "cls.predictions.decoder.bias", "decoder.bias", "", "!tied_decoder", NULL},
    {HF, "cls.predictions.bias", "decoder.bias", "", NULL, "the decoder has a bias of its own, which upstream adds"},
    {HF, "cls.predictions.decoder.bias", "decoder.bias", "", "tied_decoder", NULL},
    LINEAR("cls.seq_relationship", "seq_relationship"),
    LINEAR("classifier", "classifier"),
    LINEAR("qa_outputs", "span"),
    /* google-research/bert: variables by their names */
    TF_TABLES(GOOGLE, "bert/embeddings/word_embeddings", "bert/embeddings/position_embeddings",
              "bert/embeddings/token_type_embeddings"),
    TF_NORM(GOOGLE, "bert/embeddings", "", "embedding.norm"),
    TF_ENCODER(GOOGLE, "bert/encoder/layer_{l}/", ""),
    TF_LINEAR(GOOGLE, "bert/pooler/dense", "", "pooler"),
    TF_LINEAR(GOOGLE, "cls/predictions/transform/dense", "", "transform"),
    TF_NORM(GOOGLE, "cls/predictions/transform", "", "transform.norm"),
    {GOOGLE, "cls/predictions/output_bias", "decoder.bias", "", NULL, NULL},
    GOOGLE_HEAD("cls/seq_relationship/", "seq_relationship"),
    GOOGLE_HEAD("cls/squad/", "span"),
    GOOGLE_HEAD("", "classifier"),
    {GOOGLE, "global_step", NULL, NULL, NULL, "how many steps it was trained for; no weight"},
    {GOOGLE, "{*}/adam_m", NULL, NULL, NULL, OPTIMIZER},
    {GOOGLE, "{*}/adam_v", NULL, NULL, NULL, OPTIMIZER},
    /* tf_model.h5: group of the layer, name of the model, then the layer's own names */
    TF_TABLES(KERAS, KERAS_BERT "embeddings/word_embeddings/weight:0",
              KERAS_BERT "embeddings/position_embeddings/embeddings:0",
              KERAS_BERT "embeddings/token_type_embeddings/embeddings:0"),
    TF_NORM(KERAS, KERAS_BERT "embeddings", ":0", "embedding.norm"),
    TF_ENCODER(KERAS, KERAS_BERT "encoder/layer_._{l}/", ":0"),
    TF_LINEAR(KERAS, KERAS_BERT "pooler/dense", ":0", "pooler"),
    {KERAS, PML_BERT_REPEATED, NULL, NULL, NULL, "equal to the embeddings of the group bert"},
    TF_LINEAR(KERAS, "mlm___cls/{*}/mlm___cls/predictions/transform/dense", ":0", "transform"),
    TF_NORM(KERAS, "mlm___cls/{*}/mlm___cls/predictions/transform", ":0", "transform.norm"),
    {KERAS, "mlm___cls/{*}/mlm___cls/predictions/bias:0", "decoder.bias", "", NULL, NULL},
    TF_LINEAR(KERAS, "nsp___cls/{*}/nsp___cls/seq_relationship", ":0", "seq_relationship"),
    TF_LINEAR(KERAS, "classifier/{*}/classifier", ":0", "classifier"),
    TF_LINEAR(KERAS, "qa_outputs/{*}/qa_outputs", ":0", "span"),
    {NULL, NULL, NULL, NULL, NULL, NULL}};

/* Without these no BERT computes, whatever its head. */
static const char *const witnesses[] = {"embedding.token.weight",
                                        "embedding.position.weight",
                                        "embedding.type.weight",
                                        "embedding.norm.weight",
                                        "encoder.layer.0.attention.q.weight",
                                        "encoder.layer.0.attention.k.weight",
                                        "encoder.layer.0.attention.v.weight",
                                        "encoder.layer.0.attention.out.weight",
                                        "encoder.layer.0.norm1.weight",
                                        "encoder.layer.0.ffn.up.weight",
                                        "encoder.layer.0.ffn.down.weight",
                                        "encoder.layer.0.norm2.weight",
                                        NULL};

static pml_status detect(const pml_map_source *source, pml_detection *d, pml_error *error) {
    static const char *const dialects[] = {HF, GOOGLE, KERAS};
    pml_status status = PML_OK;
    pml_fit best = {.dialect = HF};
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++) {
        pml_fit other;
        PML_TRY(pml_fit_measure(source, d->mapper, dialects[i], &other, error));
        best = i == 0 || other.score > best.score ? other : best;
    }
    PML_TRY(pml_fit_report(source, &best, d, error));
done:
    return status;
}

static const char *const config_files[] = {"bert_config.json", NULL}; /* google-research's */

static const char *const model_types[] = {"bert", NULL};

#define OTHER_POSITIONS "its tensors are named like BERT's, but its positions are counted differently"
#define OTHER_MODEL "its tensors are named like BERT's, but it computes something else"

static const pml_map_refusal refusals[] = {
    {"roberta", OTHER_POSITIONS},
    {"xlm-roberta", OTHER_POSITIONS},
    {"xlm-roberta-xl", OTHER_MODEL},
    {"roberta-prelayernorm", OTHER_MODEL},
    {"camembert", OTHER_POSITIONS},
    {"data2vec-text", OTHER_POSITIONS},
    {"xmod", OTHER_MODEL},
    {"longformer", OTHER_MODEL},
    {"esm", OTHER_MODEL},
    {"ibert", OTHER_MODEL},
    {"mpnet", OTHER_MODEL},
    {"electra", OTHER_MODEL},
    {"distilbert", OTHER_MODEL},
    {"albert", OTHER_MODEL},
    {"convbert", OTHER_MODEL},
    {"mobilebert", OTHER_MODEL},
    {"squeezebert", OTHER_MODEL},
    {"megatron-bert", OTHER_MODEL},
    {"modernbert", OTHER_MODEL},
    {"nomic_bert", OTHER_MODEL},
    {"rembert", OTHER_MODEL},
    {"roformer", OTHER_MODEL},
    {"nezha", OTHER_MODEL},
    {"nystromformer", OTHER_MODEL},
    {"yoso", OTHER_MODEL},
    {"mra", OTHER_MODEL},
    {"big_bird", OTHER_MODEL},
    {"deberta", OTHER_MODEL},
    {"deberta-v2", OTHER_MODEL},
    {"ernie", OTHER_MODEL},
    {"ernie_m", OTHER_MODEL},
    {"luke", OTHER_MODEL},
    {"layoutlm", OTHER_MODEL},
    {"layoutlmv2", OTHER_MODEL},
    {"layoutlmv3", OTHER_MODEL},
    {"lilt", OTHER_MODEL},
    {"markuplm", OTHER_MODEL},
    {"tapas", OTHER_MODEL},
    {"splinter", OTHER_MODEL},
    {"visual_bert", OTHER_MODEL},
    {"lxmert", OTHER_MODEL},
    {"qdqbert", OTHER_MODEL},
    {"realm", OTHER_MODEL},
    {"retribert", OTHER_MODEL},
    {"bert-generation", OTHER_MODEL},
    {"BertLMHeadModel", "BERT as a decoder is not supported"},
    {"BertForNextSentencePrediction", "a next-sentence head without the masked-language head is not supported"},
    {"BertForMultipleChoice", "a multiple-choice head is not supported"},
    {NULL, NULL}};

static const char *const side_files[] = {PML_BERT_MODULES, PML_BERT_POOLING, PML_BERT_SENTENCE, NULL};

extern const pml_mapper pml_mapper_bert;
const pml_mapper pml_mapper_bert = {
    .name = "bert",
    .detect = detect,
    .config = pml_bert_config,
    .rules = rules,
    .witnesses = witnesses,
    .model_types = model_types,
    .refusals = refusals,
    .side_files = side_files,
    .config_files = config_files,
    .dialects = pml_bert_dialects,
};
