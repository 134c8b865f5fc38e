/* Where ops run: kernels, storage of three lifetimes, and two optional observers (tape, probe).
 *
 * Storage of a step lies in a workspace, one slab that pml_context_step_begin takes from the step arena. Ops
 * bump-allocate their outputs there; a model forgets what it no longer needs with pml_context_release. When the slab is
 * full, allocations come from the arena instead: slower once, never wrong. */
#ifndef PML_RUNTIME_OPS_CONTEXT_H
#define PML_RUNTIME_OPS_CONTEXT_H

#include "runtime/backends/backend.h"
#include "runtime/base/arena.h"
#include "runtime/base/thread_pool.h"
#include "runtime/ops/tape.h"

/* Sees intermediate results by name as a model computes them. `first_row` is the index, along axis 0 of the whole
 * batch, at which this part of the batch begins. The tensor is valid during the call only. */
typedef void pml_probe_fn(void *user, const char *name, size_t first_row, const pml_tensor *tensor);

/* What ops do otherwise while a network is trained: dropout drops, batch norms use and update statistics of their
 * batch. The caller's; `n_dropouts` begins at 0 in every step. */
typedef struct pml_training {
    uint64_t seed, step; /* which values are dropped is a function of both, of the dropout and of the element */
    uint64_t n_dropouts; /* dropouts of this step so far: a layer that is computed again begins where it began */
    bool is_again;       /* a layer is computed again for its backward pass: running statistics stay as they are */
    bool bf16;           /* forward products of trained matrices: rounded to BF16, summed in F32 */
    /* Where a batch lies on several processes: adds up `values` [count] over all of them, in place, so that batch norms
     * have the statistics of all; each process calls it as often and with the same counts. NULL: this process's own. */
    void (*sum)(void *user, double *values, size_t count);
    void *sum_user;
    bool is_silent; /* this process has no part in the batch: what it runs on counts nothing in those sums */
} pml_training;

typedef struct pml_score_taker pml_score_taker; /* runtime/ops/score.h */

typedef struct pml_context { /* all zero = valid, safe to deinit */
    const pml_backend *backend;
    void *backend_state;
    pml_kernels kernels;

    pml_arena model; /* as long as the model: its views into the map */
    pml_arena state; /* from call to call: recurrent state, caches, moments */
    pml_arena step;  /* until the next step */

    pml_buffer workspace;
    size_t workspace_used_bytes, workspace_peak_bytes; /* peak: since step_begin */
    size_t workspace_missed_bytes;                     /* what came from the arena because the slab was full */
    size_t step_capacity_bytes;

    /* Rows on their way into products with I8 matrices, or what threads need of their own in an op: 64-byte aligned,
     * kept from step to step. */
    void *quantized;
    size_t quantized_bytes;

    size_t n_threads;      /* that work is split over; 0: not asked for yet (pml_context_threads) */
    pml_thread_pool *pool; /* NULL: none needed yet */
    double share_cost;     /* of the least share of work; 0: PML_COST_LEAST (runtime/ops/parallel.h). For tests */
    bool batch_wide;       /* what a model chooses by looking at samples is chosen once for all samples of a run */
    struct {               /* what ops did since the caller set it to 0, for benches: matrix products and attention */
        uint64_t products; /* multiplications */
        uint64_t weight_bytes; /* stored bytes of the matrices, once per product */
    } work;

    pml_tape *tape;         /* borrowed; NULL: nothing is recorded */
    pml_training *training; /* borrowed; NULL: evaluation */
    /* What networks that learn from what is hidden draw that from, in evaluation too; borrowed, NULL: they hide what
     * their caller says. */
    const pml_training *masking;
    pml_score_taker *taker; /* of scores that are not to be kept; borrowed, NULL: they are outputs */
    pml_probe_fn *probe;
    void *probe_user;
} pml_context;

/* Opens the backend of that name (NULL or "auto": the best for this CPU) and selects its kernels.
 * Errors: NOT_FOUND, UNSUPPORTED, ARGUMENT (PML_ISA, PML_THREADS), MEMORY. */
pml_status pml_context_init(pml_context *context, const char *backend, pml_error *error) PML_WARN_UNUSED;
void pml_context_deinit(pml_context *context);

/* Splits work over `n_threads`, the caller's included: 1 to PML_MAX_THREADS. Errors: ARGUMENT. */
pml_status pml_context_threads_set(pml_context *context, size_t n_threads, pml_error *error) PML_WARN_UNUSED;
/* How many those are: as set, or what PML_THREADS says, or as many as this machine lets us use, or as it gave when the
 * pool was made. */
size_t pml_context_threads(pml_context *context);
/* The threads, made at the first call. NULL: there are none but the caller's, because it is one or the system gives
 * no more. */
pml_thread_pool *pml_context_pool(pml_context *context);

/* Forgets the last step and reserves the next one's storage: a workspace of `workspace_bytes`, and `other_bytes` for
 * pml_context_step_tensor. Allocates only if no earlier step was as large. Errors: MEMORY. */
pml_status pml_context_step_begin(pml_context *context, size_t workspace_bytes, size_t other_bytes,
                                  pml_error *error) PML_WARN_UNUSED;

/* What an allocation of `count` elements adds to a workspace or an arena; SIZE_MAX on overflow, which sums keep. */
size_t pml_context_bytes(size_t count, size_t each_bytes);
/* The same of floats [a, b, ...] and of several allocations: PML_FLOATS(n_rows, n_columns), PML_SUM(a, b, c). */
#define PML_FLOATS(...) pml_context_floats(PML_SIZES(__VA_ARGS__))
#define PML_SUM(...) pml_context_sum(PML_SIZES(__VA_ARGS__))
#define PML_SIZES(...) (const size_t[]){__VA_ARGS__}, sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t)
size_t pml_context_floats(const size_t *shape, size_t rank);
size_t pml_context_sum(const size_t *parts_bytes, size_t n_parts);

/* A row-major tensor in the workspace, not initialised. Errors: MEMORY, ARGUMENT (rank). */
pml_status pml_context_tensor(pml_context *context, pml_dtype dtype, const size_t *shape, unsigned rank,
                              pml_tensor *tensor, pml_error *error) PML_WARN_UNUSED;
/* The same, valid until the next step whatever is released. */
pml_status pml_context_step_tensor(pml_context *context, pml_dtype dtype, const size_t *shape, unsigned rank,
                                   pml_tensor *tensor, pml_error *error) PML_WARN_UNUSED;
/* Scratch of `count` floats, 64-byte aligned, in the workspace. Errors: MEMORY. */
pml_status pml_context_scratch(pml_context *context, size_t count, float **scratch, pml_error *error) PML_WARN_UNUSED;
/* A copy of sizes[n] for an entry of the tape; NULL where there is no tape. Errors: MEMORY. */
pml_status pml_context_keep_sizes(pml_context *context, const size_t *sizes, size_t n, const size_t **kept,
                                  pml_error *error) PML_WARN_UNUSED;
/* At least `size_bytes` of context->quantized, whose contents are lost. Allocates only if no earlier call asked for as
 * much. Errors: MEMORY. */
pml_status pml_context_quantized(pml_context *context, size_t size_bytes, pml_error *error) PML_WARN_UNUSED;
/* A row-major view of caller's memory; `buffer` is filled and must outlive the tensor. */
pml_tensor pml_context_view(const void *data, pml_dtype dtype, const size_t *shape, unsigned rank, pml_buffer *buffer);

/* The workspace's present fill, to go back to. */
size_t pml_context_mark(const pml_context *context);
/* Forgets everything allocated in the workspace since `mark`, except *keep (NULL: nothing), which may move down: views
 * of it are stale. With a tape nothing is forgotten, because backward passes read it. */
void pml_context_release(pml_context *context, size_t mark, pml_tensor *keep);

/* Hands `tensor` to the probe, if there is one. */
void pml_context_show(const pml_context *context, const char *name, size_t first_row, const pml_tensor *tensor);

#endif
