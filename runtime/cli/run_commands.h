/* The commands of pml-run, one file each, and what they share. */
#ifndef PML_RUNTIME_CLI_RUN_COMMANDS_H
#define PML_RUNTIME_CLI_RUN_COMMANDS_H

#include "runtime/cli/command.h"
#include "runtime/series/series.h"

extern const pml_command pml_cmd_run_info;
extern const pml_command pml_cmd_run_forecast;
extern const pml_command pml_cmd_run_evaluate;
extern const pml_command pml_cmd_run_backtest;
extern const pml_command pml_cmd_run_embed;
extern const pml_command pml_cmd_run_fill_mask;
extern const pml_command pml_cmd_run_classify;
extern const pml_command pml_cmd_run_tag;
extern const pml_command pml_cmd_run_answer;
extern const pml_command pml_cmd_run_tokenize;
extern const pml_command pml_cmd_run_generate;
extern const pml_command pml_cmd_run_score;
extern const pml_command pml_cmd_run_selftest;
extern const pml_command pml_cmd_run_bench;
extern const pml_command pml_cmd_run_backends;

typedef struct pml_model_options { /* of every command that runs a model */
    const char *backend;           /* NULL: the best */
    pml_option_u64 threads;        /* not set: as many as this machine lets us use */
    bool verify;
    const char *adapter; /* a file to load over the model; NULL: none */
} pml_model_options;

/* The rows of an option table that fill the pml_model_options at field `model` of struct `type`; bench has its own for
 * threads. */
#define PML_LOADING_OPTION_ROWS(type)                                                                                  \
    {"backend",                                                                                                        \
     0,                                                                                                                \
     PML_OPTION_TEXT,                                                                                                  \
     "NAME",                                                                                                           \
     NULL,                                                                                                             \
     "compute with this backend (see pml-run backends)",                                                               \
     offsetof(type, model.backend)},                                                                                   \
    {                                                                                                                  \
        "verify", 0, PML_OPTION_FLAG, NULL, NULL, "check every checksum of FILE first", offsetof(type, model.verify)   \
    }
#define PML_UNADAPTED_OPTION_ROWS(type)                                                                                \
    PML_LOADING_OPTION_ROWS(type), {                                                                                   \
        "threads", 't', PML_OPTION_U64, "N", NULL, "compute with N threads (default: PML_THREADS, or all cores)",      \
            offsetof(type, model.threads)                                                                              \
    }
#define PML_MODEL_OPTION_ROWS(type)                                                                                    \
    PML_UNADAPTED_OPTION_ROWS(type), {                                                                                 \
        "adapter", 0, PML_OPTION_TEXT, "A.pml", NULL, "load this adapter over FILE", offsetof(type, model.adapter)     \
    }
#define PML_OPTION_ROWS_END                                                                                            \
    { NULL, 0, PML_OPTION_FLAG, NULL, NULL, NULL, 0 }

typedef struct pml_loaded { /* zero = safe to unload */
    pml_file *file, *adapter;
    pml_model *model;
} pml_loaded;

/* Opens, verifies if asked, prepares the model. Errors: those of pml_file_open, pml_file_verify, pml_model_create,
 * pml_model_create_with_adapter; ARGUMENT (no such backend, threads out of range). */
pml_status pml_loaded_open(const char *path, const pml_model_options *options, pml_loaded *loaded,
                           pml_error *error) PML_WARN_UNUSED;
void pml_loaded_close(pml_loaded *loaded);

#endif
