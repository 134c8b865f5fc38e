/* What a training run is made of, as a command line or a trial says it: model, data, trainer and run. */
#ifndef PML_RUNTIME_TRAIN_TRAIN_SETUP_H
#define PML_RUNTIME_TRAIN_TRAIN_SETUP_H

#include "runtime/train/new_model.h"
#include "runtime/train/train_run.h"

typedef struct pml_train_setup { /* zero or NULL: what the model, the task or the field has */
    const char *model;           /* a .pml file to begin from */
    const pml_new_model *fresh;  /* in its place: what is written to the folder as PML_RUN_INITIAL. Its data, whether
                                    one column of that is trained on, and its seed are those of this setup. */
    const char *backend;
    size_t n_threads;
    const char *const *data; /* a CSV series; text; or JSON lines with labels */
    size_t n_data;
    const char *validation; /* text and JSON lines: what to evaluate on; a series has its split */
    const char *split;      /* of a series: ett-hour, ett-minute or shares */
    const char *features;   /* "M", "S", "MS" */
    const char *target;     /* column of S and MS */
    size_t max_tokens;      /* of a text */
    bool by_line;           /* every line of a text is one of its own */
    const char *folder;     /* of the run; made if it is not there */
    pml_trainer_options trainer;
    const char *schedule;
    uint64_t n_epochs, n_steps, batch_size, seed;
    uint64_t eval_every, save_every, log_every, patience, n_keep;
    bool resume, bf16, drop_last;
    const char *init_from;     /* a .pml file whose weights of equal name and shape are taken; NULL: none */
    const char *const *frozen; /* patterns of weights that stay as they are */
    size_t n_frozen;
    const char *lora;        /* adapters instead of weights: options of pml_adapter_recipe_parse; NULL: none */
    pml_run_watch_fn *watch; /* of several ranks only the first has one called */
    void *user;
} pml_train_setup;

#define PML_RUN_INITIAL "initial.pml"

/* Opens, trains, closes. Errors: those of all parts. */
pml_status pml_train_setup_run(const pml_train_setup *setup, pml_run_result *result, pml_error *error) PML_WARN_UNUSED;

/* ---- train_data.c: data for a model ---- */
typedef struct pml_train_data { /* zero = safe to close */
    pml_dataset *train, *val;   /* val NULL: none */
    pml_metadata *extra;        /* what the trained file says of its data: columns, scaler */
} pml_train_data;
/* Errors: ARGUMENT (nothing that this model could be trained on was named), UNSUPPORTED, those of the data sets. */
pml_status pml_train_data_open(const pml_train_setup *setup, const pml_file *file, pml_model *model, const char *task,
                               pml_train_data *data, pml_error *error) PML_WARN_UNUSED;
void pml_train_data_close(pml_train_data *data);

#endif
