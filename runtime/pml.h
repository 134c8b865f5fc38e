/* libpml: prepared neural networks, mapped from one .pml file and computed on in place.
 *
 * This is the only public header. Types are opaque except pml_error (caller's storage) and the plain structs whose
 * fields are documented here. Every function that can fail returns pml_status and takes a `pml_error *` last, which
 * may be NULL; out-parameters are NULL or untouched on failure. No function prints, exits or aborts.
 *
 * Threads: a pml_file may be shared; a pml_model may be used by one thread at a time. It computes with threads of its
 * own beside the caller's (pml_model_threads_set), which block signals and are not there in a child of fork(): a child
 * makes its own.
 * A file that another process truncates while it is mapped raises SIGBUS on access (mmap(2)): a host that cannot
 * rule that out must handle the signal. Replacing a file by rename, as pml does, is always safe. */
#ifndef PML_RUNTIME_PML_H
#define PML_RUNTIME_PML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PML_API __attribute__((visibility("default")))

/* ---- status and errors ------------------------------------------------------------------------------------ */
typedef enum pml_status {
    PML_OK = 0,
    PML_E_ARGUMENT = 1,     /* the call or the command line is wrong */
    PML_E_MEMORY = 2,       /* an allocation failed */
    PML_E_IO = 3,           /* the operating system refused: read, write, space, permission */
    PML_E_FORMAT = 4,       /* the file is invalid */
    PML_E_UNSUPPORTED = 5,  /* the file is valid, but not something pml handles */
    PML_E_NOT_FOUND = 6,    /* a file, a family or a name does not exist */
    PML_E_CONFIG = 7,       /* a configuration is invalid, incomplete or contradicts the tensors */
    PML_E_MISMATCH = 8,     /* a comparison failed: checksum, source, self-test */
    PML_E_NUMERIC = 9,      /* a number that must be finite is not */
    PML_E_INTERRUPTED = 10, /* pml_cancel_request was called */
    PML_E_NETWORK = 11,     /* a server could not be reached, or failed, until all tries were used up */
    PML_E_BUSY = 12,        /* for now only: a rate limit, a lock that another process holds; later it works */
    PML_E_DENIED = 13       /* the server refuses: gated, disabled, or credentials that it does not accept */
} pml_status;

#define PML_NO_OFFSET UINT64_MAX

typedef struct pml_error {
    pml_status code;
    uint64_t offset_bytes;   /* where in the file that the message names; PML_NO_OFFSET if nowhere */
    const char *source_file; /* where in pml's source, for bug reports; static storage */
    int source_line;
    char message[1000]; /* one sentence that names file, place and cause; zero-terminated */
} pml_error;

/* ---- process-wide ------------------------------------------------------------------------------------------ */
PML_API const char *pml_version(void); /* "1.0.0" */

typedef enum pml_log_level { PML_LOG_DEBUG, PML_LOG_INFO, PML_LOG_WARNING } pml_log_level;
typedef void pml_log_fn(void *user, pml_log_level level, const char *line);
/* Installs the one receiver of diagnostics (NULL: none, the default). `line` is borrowed for the call. */
PML_API void pml_log_set(pml_log_fn *callback, void *user, pml_log_level least);

/* Asks long operations, those that start later included, to stop with PML_E_INTERRUPTED at their next safe point, until
 * pml_cancel_reset. Both are async-signal-safe. */
PML_API void pml_cancel_request(void);
PML_API void pml_cancel_reset(void);

/* ---- model families ----------------------------------------------------------------------------------------- */
typedef struct pml_family pml_family;
/* The family of that name, or NULL. Static storage. */
PML_API const pml_family *pml_family_get(const char *name);
/* The i-th registered family, or NULL past the last. */
PML_API const pml_family *pml_family_at(size_t i_family);
PML_API const char *pml_family_name(const pml_family *family);
PML_API const char *pml_family_architecture(const pml_family *family); /* one line that says what it is */
/* NULL-terminated lists, static storage. */
PML_API const char *const *pml_family_variants(const pml_family *family);
PML_API const char *const *pml_family_known_repos(const pml_family *family);

/* ---- the .pml file ------------------------------------------------------------------------------------------ */
typedef struct pml_file pml_file;
/* Maps `path` and checks header, metadata and tensor table; tensor bytes are not touched. Costs O(tensors).
 * Errors: NOT_FOUND, IO, FORMAT, UNSUPPORTED (newer major version or unknown layout), MEMORY. */
PML_API pml_status pml_file_open(const char *path, pml_file **file, pml_error *error);
/* Checks every tensor's and blob's checksum and that padding is zero. Reads the whole file. Errors: MISMATCH,
 * INTERRUPTED. */
PML_API pml_status pml_file_verify(const pml_file *file, pml_error *error);
PML_API void pml_file_close(pml_file *file); /* NULL is allowed */

/* ---- models ------------------------------------------------------------------------------------------------- */
typedef struct pml_model pml_model;
/* Prepares the model in `file` to run on `backend` (NULL: that of pml_backend_set, else "auto"; see pml_backend_at).
 * Its weights are views into the map: `file` must stay open until pml_model_destroy.
 * Errors: UNSUPPORTED, CONFIG, FORMAT, NUMERIC (a weight that must be finite), NOT_FOUND (backend), ARGUMENT (PML_ISA,
 * PML_THREADS), MEMORY. */
PML_API pml_status pml_model_create(pml_file *file, const char *backend, pml_model **model, pml_error *error);
/* The same with an adapter over it: a file of kind adapter, which must stay open, too. Errors: MISMATCH (it belongs to
 * another model: both digests are named); FORMAT and NUMERIC, naming the adapter's tensor. */
PML_API pml_status pml_model_create_with_adapter(pml_file *file, const pml_file *adapter, const char *backend,
                                                 pml_model **model, pml_error *error);
PML_API void pml_model_destroy(pml_model *model); /* NULL is allowed */

/* Splits the model's work, and that of its sessions, over `n_threads`, the caller's included: 1 to 1024. Without it
 * that is the environment variable PML_THREADS or, where that is not set, as many physical cores as this process may
 * use: affinity, control groups, SLURM_CPUS_PER_TASK, OMP_NUM_THREADS and the ranks that a launcher starts here bound
 * it. Results do not depend on it, to the last bit. The threads are made when there is work for them and sleep between
 * runs; where the system gives fewer, the model computes with those. Errors: ARGUMENT. */
PML_API pml_status pml_model_threads_set(pml_model *model, size_t n_threads, pml_error *error);
PML_API size_t pml_model_threads(pml_model *model);

/* What a model computes on: inputs and outputs by name, F32, contiguous, row-major. */
#define PML_MODEL_MAX_RANK 8
typedef struct pml_array {
    const char *name;
    const float *data;
    size_t rank;
    size_t shape[PML_MODEL_MAX_RANK];
} pml_array;
/* Computes once. `inputs` are borrowed for the call. The outputs stay valid until the next run or destroy; find them
 * with pml_model_output. After the first run with the same shapes nothing is allocated.
 * An output that pml derives from others (the mean of a distribution) has no data when it alone is not finite.
 * Errors: ARGUMENT (missing input, wrong shape, no index where one is expected), NUMERIC (an input or another output is
 * not finite), INTERRUPTED, MEMORY. */
PML_API pml_status pml_model_run(pml_model *model, const pml_array *inputs, size_t n_inputs, pml_error *error);
/* Some networks choose something by what the samples look like: Autoformer its delays, TimesNet its periods. Each
 * sample is given its own choice unless this is set: then all samples of a run share one, made from their mean, as in
 * training (and, of TimesNet, in the evaluation of its paper). Other models compute the same either way. */
PML_API void pml_model_batch_wide_set(pml_model *model, bool batch_wide);
PML_API size_t pml_model_n_outputs(const pml_model *model);
PML_API const pml_array *pml_model_output_at(const pml_model *model, size_t i_output);
PML_API const pml_array *pml_model_output(const pml_model *model, const char *name); /* NULL: no such output */

/* ---- sessions: texts that grow ------------------------------------------------------------------------------- */
/* Some texts that a language model goes on with, side by side: what it computed of their tokens is kept, so that a step
 * costs its new tokens only. All storage is taken at creation, and by the first step as large as the present one.
 * A session and its model are used by one thread at a time; between runs of the model outputs of either are stale. */
typedef struct pml_session pml_session;
/* Room for `n_sequences` texts of up to `n_positions` tokens each (0: as many as the model has positions for), all
 * empty. `model` must live until the session is destroyed. Errors: ARGUMENT, UNSUPPORTED (no language model), MEMORY.
 */
PML_API pml_status pml_session_create(pml_model *model, size_t n_sequences, size_t n_positions, pml_session **session,
                                      pml_error *error);
PML_API void pml_session_destroy(pml_session *session);                           /* NULL is allowed */
PML_API size_t pml_session_vocabulary(const pml_session *session);                /* V: how many tokens there are */
PML_API size_t pml_session_capacity(const pml_session *session);                  /* tokens that a text may have */
PML_API size_t pml_session_length(const pml_session *session, size_t i_sequence); /* tokens that it has */

typedef struct pml_session_tokens { /* further tokens of one text */
    size_t i_sequence;
    const uint32_t *ids;
    size_t count; /* at least 1 */
} pml_session_tokens;
/* Goes on with these texts, each named once, together: weights are read once for all of them. On failure every text is
 * as before, but has no `next`. Errors: ARGUMENT (no such text or token; a text would outgrow its room: nothing is cut
 * or shifted in silence), NUMERIC (scores that are not finite), INTERRUPTED, MEMORY. */
PML_API pml_status pml_session_feed(pml_session *session, const pml_session_tokens *texts, size_t n_texts,
                                    pml_error *error);
/* The scores [V] of what follows the last token of that text, valid until it is fed, truncated or destroyed.
 * Errors: ARGUMENT (no such text, or nothing was fed since it was created or truncated). */
PML_API pml_status pml_session_next(const pml_session *session, size_t i_sequence, const float **scores,
                                    pml_error *error);
/* Forgets all but the first `n_tokens` tokens of a text. Errors: ARGUMENT (it has fewer). */
PML_API pml_status pml_session_truncate(pml_session *session, size_t i_sequence, size_t n_tokens, pml_error *error);
/* A session of its own that goes on from where this one is. Errors: MEMORY. */
PML_API pml_status pml_session_fork(const pml_session *session, pml_session **fork, pml_error *error);

/* ---- forecasting -------------------------------------------------------------------------------------------- */
/* Sizes of a forecasting model. Errors: UNSUPPORTED (the model does not forecast), CONFIG. */
typedef struct pml_forecast_shape {
    size_t context_length; /* T look-back steps */
    size_t n_channels;     /* C; 0: any number */
    size_t horizon;        /* S steps */
} pml_forecast_shape;
PML_API pml_status pml_model_forecast_shape(const pml_model *model, pml_forecast_shape *shape, pml_error *error);
/* Forecasts `horizon` steps from `context` [T][C], both in the units of the data the file's scaler was fitted on
 * (original units; without a stored scaler values pass unscaled). NaN in `context` = missing, allowed where the model
 * takes an observed mask. `forecast` [S][C] is the caller's. Errors: those of pml_model_run; UNSUPPORTED (the model
 * does not forecast), CONFIG (what it gives is no forecast of these sizes; a scaler that cannot scale). */
PML_API pml_status pml_model_forecast(pml_model *model, const double *context, size_t n_steps, size_t n_channels,
                                      double *forecast, pml_error *error);
/* The same with more to say; NULL options: nothing. */
typedef struct pml_forecast_options {
    const float *marks; /* [T + S][n]: time marks of look-back and horizon, for models that take n a step; NULL: none */
    bool scaled;        /* `forecast` is on the scale of the stored scaler instead of in the data's units */
} pml_forecast_options;
PML_API pml_status pml_model_forecast_with(pml_model *model, const double *context, size_t n_steps, size_t n_channels,
                                           const pml_forecast_options *options, double *forecast, pml_error *error);

/* ---- training ----------------------------------------------------------------------------------------------- */
/* A model whose weights change, what it learns from, and how. Formulas and names: specs/training.md. One thread. */
typedef struct pml_training_session pml_training_session;
typedef struct pml_training_options { /* NULL and 0: what the model's task has */
    const char *model, *data;         /* a .pml file; a CSV series, text, or JSON lines. Required */
    const char *split, *validation;   /* of a series: "ett-hour", "0.7,0.1,0.2"; of texts: a file to evaluate on */
    const char *loss, *optimizer, *schedule; /* "mse", "adamw:lr=0.001", "cosine" */
    const char *backend;
    size_t batch_size, n_epochs; /* 32, 1: what schedules count on */
    uint64_t seed;               /* of order, dropout and masks */
} pml_training_options;
typedef struct pml_training_tensor { /* row-major F32; values may be changed between steps */
    const char *name;
    float *values, *gradient; /* gradient NULL: changed by forward passes (running statistics), not learned */
    size_t count;
} pml_training_tensor;
PML_API pml_status pml_training_create(const pml_training_options *options, pml_training_session **session,
                                       pml_error *error);
PML_API void pml_training_destroy(pml_training_session *session); /* NULL is allowed */
PML_API size_t pml_training_n_parameters(const pml_training_session *session);
PML_API bool pml_training_parameter(const pml_training_session *session, size_t i_parameter,
                                    pml_training_tensor *tensor);                /* false: there is none */
PML_API void pml_training_mode(pml_training_session *session, bool is_training); /* false: evaluation */
/* The next batch; *is_there false: the epoch ended, and the next call begins another. */
PML_API pml_status pml_training_next(pml_training_session *session, bool *is_there, pml_error *error);
PML_API pml_status pml_training_loss(pml_training_session *session, double *loss, pml_error *error); /* of the batch */
PML_API pml_status pml_backward(pml_training_session *session, pml_error *error);  /* of that loss: adds up gradients */
PML_API double pml_clip_grad_norm(pml_training_session *session, double max_norm); /* the norm before */
PML_API pml_status pml_training_step(pml_training_session *session, pml_error *error); /* weights; clears gradients */
PML_API void pml_scheduler_step(pml_training_session *session);
PML_API double pml_learning_rate(const pml_training_session *session); /* of the next step */
PML_API pml_status pml_training_evaluate(pml_training_session *session, double *loss, pml_error *error);
PML_API pml_status pml_training_save_model(const pml_training_session *session, const char *path, pml_error *error);
/* Weights, moments, position: a session of the same options goes on to the same bits. */
PML_API pml_status pml_training_save_state(const pml_training_session *session, const char *path, pml_error *error);
PML_API pml_status pml_training_load_state(pml_training_session *session, const char *path, pml_error *error);

/* ---- backends ----------------------------------------------------------------------------------------------- */
/* The i-th registered backend's name, or NULL past the last. */
PML_API const char *pml_backend_at(size_t i_backend);
/* The best one that computes on the CPU: pml's own kernels with the best instructions of this machine. */
PML_API const char *pml_backend_best_cpu(void);
/* What "auto" means on this machine. */
PML_API const char *pml_backend_auto(void);
/* The backend of models that are created without one from now on, by any thread; NULL or "auto": pml_backend_auto
 * again. Models that exist keep theirs. Errors: NOT_FOUND, or why it does not work here: then nothing changes. */
PML_API pml_status pml_backend_set(const char *name, pml_error *error);
/* PML_OK when that backend works on this machine; otherwise the reason. */
PML_API pml_status pml_backend_check(const char *name, pml_error *error);

#ifdef __cplusplus
}
#endif
#endif
