/* What `pml-run bench` times: runs of a model on made-up inputs of one size, and the reading of its file. */
#ifndef PML_RUNTIME_CLI_BENCH_H
#define PML_RUNTIME_CLI_BENCH_H

#include "runtime/base/json_writer.h"
#include "runtime/cli/run_commands.h"
#include "runtime/models/model.h"

typedef struct pml_bench_file {
    const char *path;
    pml_loaded loaded;
    char dtype[16]; /* of most matrices, as --dtype of pml-convert names it */
} pml_bench_file;

typedef enum pml_bench_test {
    PML_BENCH_RUN,     /* a forward pass */
    PML_BENCH_PROMPT,  /* tokens into an empty text, the scores of what follows */
    PML_BENCH_GENERATE /* the likeliest tokens, one by one */
} pml_bench_test;

typedef struct pml_bench_case {
    pml_bench_test test;
    pml_bench_file *file; /* borrowed */
    size_t n_threads;
    size_t batch;    /* samples, or texts at once */
    size_t n_tokens; /* of each sample or prompt, or generated for each text; 0: the model takes no tokens */
    size_t depth;    /* GENERATE: tokens that each text has before */

    pml_array *inputs; /* RUN */
    size_t n_inputs;
    pml_session *session; /* PROMPT, GENERATE */
    uint32_t *ids;        /* made-up tokens */
    uint32_t *next_ids;   /* [batch] */
    pml_session_tokens *texts;

    /* Results: of one run, but of GENERATE of one step. */
    double *runs_ms; /* ascending once the bench is over */
    size_t n_runs;
    uint64_t products, weight_bytes;
    uint64_t read_bytes; /* of the file's tensors */
    double read_ms;      /* least time of reading those with as many threads; 0: not measured yet */
} pml_bench_case;

/* Errors: those of pml_loaded_open. */
pml_status pml_bench_file_open(const char *path, const pml_model_options *options, pml_bench_file *file,
                               pml_error *error) PML_WARN_UNUSED;
bool pml_bench_is_language_model(const pml_bench_file *file);
bool pml_bench_takes_tokens(const pml_bench_file *file);
/* Makes the inputs; room for n_runs results. Errors: MEMORY, ARGUMENT (more tokens than the model has positions, too
 * many threads). */
pml_status pml_bench_prepare(pml_bench_case *c, size_t n_runs, pml_error *error) PML_WARN_UNUSED;
/* Reads the file's tensors, then `n_warmup` runs that do not count and `n_runs` that do. Errors: those of a run. */
pml_status pml_bench_turn(pml_bench_case *c, size_t n_warmup, size_t n_runs, pml_error *error) PML_WARN_UNUSED;
void pml_bench_case_deinit(pml_bench_case *c);

/* Sorts every case's runs and prints: "table" (NULL too), "csv", "md" or "json". */
pml_status pml_bench_print(const pml_bench_file *files, size_t n_files, pml_bench_case *cases, size_t n_cases,
                           const char *form, pml_error *error) PML_WARN_UNUSED;

#endif
