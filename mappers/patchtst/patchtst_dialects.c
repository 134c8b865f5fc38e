/* PatchTST: how models are written in each code base's names and arguments again (mappers/dialect.h). */
#include "mappers/patchtst/patchtst_dialects.h"

#include "mappers/patchtst/patchtst_arguments.h"
#include "mappers/patchtst/patchtst_config.h"
#include "mappers/patchtst/patchtst_names.h"

#define SHAPE(name, dims)                                                                                              \
    { .pattern = (name), .shape = (dims) }
/* BatchNorm counts batches: 0 in a model that was not trained here. */
#define COUNTER(name, mean)                                                                                            \
    { .pattern = (name), .shape = "", .fill = PML_FILL_ZEROS, .beside = (mean), .dtype = PML_DTYPE_I64 }
#define COUNTER_WHEN(name, mean, condition)                                                                            \
    {                                                                                                                  \
        .pattern = (name), .shape = "", .fill = PML_FILL_ZEROS, .beside = (mean), .when = (condition),                 \
        .dtype = PML_DTYPE_I64                                                                                         \
    }
#define FLAG(source, key)                                                                                              \
    {source, "1", key}, {                                                                                              \
        source, "0", "!" key                                                                                           \
    }

/* ---- Hugging Face ---- */
#define HF_COUNTER(n)                                                                                                  \
    COUNTER(PML_PATCHTST_ENCODER "layers.{l}.norm_sublayer" n ".batchnorm.num_batches_tracked",                        \
            "encoder.layer.{l}.norm" n ".mean")
static const pml_map_foreign hf_tensors[] = {
    SHAPE(PML_PATCHTST_CLS, "1, 1, 1, d_model"), HF_COUNTER("1"), HF_COUNTER("2"), HF_COUNTER("3"), {.pattern = NULL}};

static const pml_map_written hf_lines[] = {
    {"model_type", "\"patchtst\"", NULL},
    {"dtype", "\"float32\"", NULL},
    {"loss", "\"mse\"", "distribution == 'none'"},
    {"loss", "\"nll\"", NULL},
    {"distribution_output", "\"student_t\"", "distribution == 'student_t'"},
    {"distribution_output", "\"normal\"", "distribution == 'normal'"},
    {"distribution_output", "\"negative_binomial\"", "distribution == 'negative_binomial'"},
    {NULL, NULL, NULL}};

/* ---- the official code and what descends from it ---- */
#define OFFICIAL_TENSORS(from, to, condition)                                                                          \
    SHAPE(from PML_PATCHTST_SCALE, ""), SHAPE(from PML_PATCHTST_HEAD, "head_out, head_in"),                            \
        SHAPE(from PML_PATCHTST_HEADS, "head_out, head_in"),                                                           \
        COUNTER_WHEN(from "backbone.encoder.layers.{l}.norm_attn.1.num_batches_tracked",                               \
                     to "encoder.layer.{l}.norm1.mean", condition),                                                    \
        COUNTER_WHEN(from "backbone.encoder.layers.{l}.norm_ffn.1.num_batches_tracked",                                \
                     to "encoder.layer.{l}.norm3.mean", condition)

static const pml_map_foreign supervised_tensors[] = {OFFICIAL_TENSORS("model.", "", "!has_trend"),
                                                     OFFICIAL_TENSORS("model_res.", "", "has_trend"),
                                                     OFFICIAL_TENSORS("model_trend.", "trend.", "has_trend"),
                                                     {.pattern = NULL}};
static const pml_map_foreign self_supervised_tensors[] = {OFFICIAL_TENSORS("", "", "1"), {.pattern = NULL}};
static const pml_map_foreign forecasting_tensors[] = {OFFICIAL_TENSORS("model.", "", "1"), {.pattern = NULL}};

/* Scaling by the mean alone is none of theirs. */
#define REVIN                                                                                                          \
    {"revin", "1", "scaling == 'std'"}, {                                                                              \
        "revin", "0", "scaling == 'none'"                                                                              \
    }
static const pml_map_written supervised_lines[] = {
    {"model", "\"PatchTST\"", NULL}, REVIN, FLAG("decomposition", "has_trend"), {NULL, NULL, NULL}};
static const pml_map_written self_supervised_lines[] = {{"model", "\"PatchTST\"", NULL}, REVIN, {NULL, NULL, NULL}};
static const pml_map_written forecasting_lines[] = {{"revin", "true", "scaling == 'std'"},
                                                    {"revin", "false", "scaling == 'none'"},
                                                    {"patch_len", "{patch_length}", NULL},
                                                    {NULL, NULL, NULL}};
static const pml_map_implied self_supervised_implied[] = {
    {"last_token_head", "head == 'classification' || head == 'regression'"},
    {"do_mask_input", "head == 'pretraining'"},
    {NULL, NULL}};

/* ---- Time-Series-Library ---- */
/* Its table of positions has room for 5000, of which a model uses the first. */
static const pml_map_foreign library_tensors[] = {
    {.pattern = PML_PATCHTST_TABLE, .shape = "1, 5000, d_model", .fill = PML_FILL_SINCOS},
    SHAPE(PML_PATCHTST_UP, "ffn_dim, d_model, 1"),
    SHAPE(PML_PATCHTST_DOWN, "d_model, ffn_dim, 1"),
    SHAPE(PML_PATCHTST_HEAD, "head_out, head_in"),
    SHAPE(PML_PATCHTST_PROJECTION, "num_targets, head_in"),
    COUNTER("encoder.norm.1.num_batches_tracked", "encoder.norm.mean"),
    {.pattern = NULL}};
static const pml_map_written library_lines[] = {
    {"model", "\"PatchTST\"", NULL}, {"patch_len", "{patch_length}", NULL}, {NULL, NULL, NULL}};

const pml_map_dialect pml_patchtst_dialects[] = {{.name = "hf",
                                                  .keys = pml_patchtst_keys_hf,
                                                  .written = hf_lines,
                                                  .tensors = hf_tensors,
                                                  .optional_when = "head != 'none'",
                                                  .config_file = "config.json"},
                                                 {.name = "official-supervised",
                                                  .keys = pml_patchtst_keys_supervised,
                                                  .written = supervised_lines,
                                                  .tensors = supervised_tensors,
                                                  .config_file = "config.json"},
                                                 {.name = "official-self-supervised",
                                                  .keys = pml_patchtst_keys_self_supervised,
                                                  .written = self_supervised_lines,
                                                  .implied = self_supervised_implied,
                                                  .tensors = self_supervised_tensors,
                                                  .config_file = "config.json"},
                                                 {.name = "tsl",
                                                  .keys = pml_patchtst_keys_library,
                                                  .written = library_lines,
                                                  .tensors = library_tensors,
                                                  .config_file = "config.json"},
                                                 {.name = "neuralforecast",
                                                  .keys = pml_patchtst_keys_forecasting,
                                                  .written = forecasting_lines,
                                                  .tensors = forecasting_tensors,
                                                  .config_file = "config.json"},
                                                 {.name = NULL}};
