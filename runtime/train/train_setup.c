/* A run from its description. */
#include "runtime/train/train_setup.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/quote.h"
#include "runtime/file/reader.h"
#include "runtime/train/run_folder.h"
#include "runtime/train/schedule.h"

#define BATCH_SIZE 32u
#define PREFETCH 4u
#define RECIPE_BYTES 4096

static bool is_learned(void *user, const char *name) {
    const pml_train_setup *setup = user;
    for (size_t i = 0; i < setup->n_frozen; i++) {
        if (fnmatch(setup->frozen[i], name, 0) == 0) {
            return false;
        }
    }
    return true;
}

/* A pattern that fits nothing is a slip. */
static pml_status check_frozen(const pml_train_setup *setup, const pml_file *file, pml_error *error) {
    for (size_t i = 0; i < setup->n_frozen; i++) {
        size_t k = 0;
        while (k < pml_file_n_tensors(file) && fnmatch(setup->frozen[i], pml_file_tensor_at(file, k)->name, 0) != 0) {
            k++;
        }
        if (k == pml_file_n_tensors(file)) {
            pml_quoted quoted;
            return PML_FAIL(error, PML_E_ARGUMENT, "no weight has a name that %s, which is to be frozen, fits",
                            pml_quote(&quoted, setup->frozen[i]));
        }
    }
    return PML_OK;
}

static pml_status make_folder(const char *folder, pml_error *error) {
    struct stat info;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return PML_FAIL(error, PML_E_IO, "%s: %s", folder, strerror(errno));
    }
    if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s: not a folder", folder);
    }
    return PML_OK;
}

static size_t batch_size_of(const pml_train_setup *setup) {
    return setup->batch_size == 0 ? BATCH_SIZE : (size_t)setup->batch_size;
}

/* Adds to a recipe of `size` bytes; false where there is no room. */
static __attribute__((format(printf, 3, 4))) bool add(char recipe[RECIPE_BYTES], size_t *size, const char *format,
                                                      ...) {
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(recipe + *size, RECIPE_BYTES - *size, format, arguments);
    va_end(arguments);
    const bool fits = n >= 0 && (size_t)n < RECIPE_BYTES - *size;
    *size += fits ? (size_t)n : 0;
    return fits;
}

/* What must be equal for a checkpoint to fit: everything that the weights of a step depend on. */
static pml_status write_recipe(const pml_train_setup *setup, const pml_trainer *trainer, const pml_train_data *data,
                               const pml_adapter_recipe *adapter, const char *init_digest, char recipe[RECIPE_BYTES],
                               pml_error *error) {
    size_t size = 0;
    bool fits =
        add(recipe, &size,
            "task %s, loss %s, optimizer %s, schedule %s, batch %zu x %zu, seed %" PRIu64
            ", clip %g %g, epochs %" PRIu64 ", steps %" PRIu64 ", bf16 %d, sync %d, drop %d, data %016" PRIx64,
            trainer->objective.task->name, setup->trainer.loss == NULL ? "-" : setup->trainer.loss,
            setup->trainer.optimizer == NULL ? "-" : setup->trainer.optimizer,
            setup->schedule == NULL ? "-" : setup->schedule, batch_size_of(setup) * pml_ranks_count(trainer->ranks),
            trainer->n_accumulate, setup->seed, trainer->clip_norm, trainer->clip_value, setup->n_epochs,
            setup->n_steps, setup->bf16, trainer->is_synced, setup->drop_last, data->train->digest);
    if (fits && setup->trainer.ema_decay > 0) {
        fits = add(recipe, &size, ", ema %g", setup->trainer.ema_decay);
    }
    if (fits && init_digest[0] != '\0') {
        fits = add(recipe, &size, ", from %s", init_digest);
    }
    for (size_t i = 0; fits && i < setup->trainer.n_groups; i++) {
        fits = add(recipe, &size, ", group %s", setup->trainer.groups[i]);
    }
    for (size_t i = 0; fits && i < setup->n_frozen; i++) {
        fits = add(recipe, &size, ", freeze %s", setup->frozen[i]);
    }
    if (fits && adapter != NULL) {
        fits = add(recipe, &size, ", lora %zu %g %g, targets %s, whole %s", adapter->rank, adapter->alpha,
                   adapter->dropout, adapter->targets, adapter->whole);
    }
    return fits ? PML_OK
                : PML_FAIL(error, PML_E_ARGUMENT, "options of more than %d bytes do not fit into a checkpoint",
                           RECIPE_BYTES);
}

/* Weights of another file, such as a pretrained encoder: those of equal name and shape. What was taken, and what keeps
 * its own values, is told in the log. */
static pml_status take_weights(const pml_train_setup *setup, pml_model *model, char digest[PML_DIGEST_TEXT_BYTES],
                               pml_error *error) {
    pml_status status = PML_OK;
    pml_file *file = NULL;
    size_t n_taken = 0, n_kept = 0;
    digest[0] = '\0';
    if (setup->init_from == NULL) {
        goto done;
    }
    PML_TRY(pml_file_open(setup->init_from, &file, error));
    PML_TRY(pml_model_parameters_take(model, file, &n_taken, &n_kept, error));
    if (n_taken == 0) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH, "%s: no weight has the name and shape of one that is trained",
                         setup->init_from));
    }
    pml_log(PML_LOG_INFO, "%zu weights begin as in %s, %zu keep their own values", n_taken, setup->init_from, n_kept);
    (void)pml_digest_text(pml_file_content_digest(file), digest);

done:
    pml_file_close(file);
    return status;
}

static pml_status open_loaders(const pml_train_setup *setup, const pml_train_data *data, pml_loader **train,
                               pml_loader **val, pml_error *error) {
    pml_status status = PML_OK;
    const pml_ranks *ranks = setup->trainer.ranks;
    const size_t batch = batch_size_of(setup);
    const pml_loader_options options = {.batch_size = batch,
                                        .seed = setup->seed,
                                        .shuffle = true,
                                        .drop_last = setup->drop_last,
                                        .i_rank = ranks == NULL ? 0 : ranks->i_rank,
                                        .n_ranks = pml_ranks_count(ranks),
                                        .n_prefetch = PREFETCH};
    PML_TRY(pml_loader_create(data->train, &options, train, error));
    if (data->val != NULL) {
        const pml_loader_options in_order = {.batch_size = batch,
                                             .seed = setup->seed,
                                             .i_rank = options.i_rank,
                                             .n_ranks = options.n_ranks,
                                             .n_prefetch = PREFETCH};
        PML_TRY(pml_loader_create(data->val, &in_order, val, error));
    }

done:
    return status;
}

/* ---- what is made from nothing ---- */
static pml_status compare(const pml_new_model *fresh, const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_metadata *wanted = NULL;
    pml_file *file = NULL;
    uint8_t *mine = NULL, *theirs = NULL;
    size_t n_mine, n_theirs;
    PML_TRY(pml_new_model_describe(fresh, &wanted, error));
    PML_TRY(pml_file_open(path, &file, error));
    PML_TRY(pml_metadata_encode(wanted, true, &mine, &n_mine, error));
    PML_TRY(pml_metadata_encode(pml_file_metadata(file), true, &theirs, &n_theirs, error));
    if (n_mine != n_theirs || memcmp(mine, theirs, n_mine) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_MISMATCH,
                         "%s: the run began with a model of another configuration, seed or series", path));
    }

done:
    pml_free(mine);
    pml_free(theirs);
    pml_metadata_destroy(wanted);
    pml_file_close(file);
    return status;
}

/* Leaves the model to begin with in the folder, or finds that it lies there: rank 0 does. */
static pml_status make_model(const pml_train_setup *setup, char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_new_model fresh = *setup->fresh;
    fresh.data = setup->n_data > 0 ? setup->data[0] : NULL;
    fresh.is_single = setup->features != NULL && strcmp(setup->features, "S") == 0;
    fresh.seed = setup->seed;
    PML_TRY(pml_run_folder_path(setup->folder, PML_RUN_INITIAL, path, error));
    if (!pml_ranks_is_first(setup->trainer.ranks)) {
        goto done;
    }
    PML_TRY(make_folder(setup->folder, error));
    if (setup->resume && access(path, F_OK) == 0) {
        PML_TRY(compare(&fresh, path, error));
        goto done;
    }
    if (!setup->resume) {
        PML_TRY(pml_run_folder_refuse(setup->folder, error));
    }
    PML_TRY(pml_new_model_write(&fresh, path, error));

done:
    return status;
}

/* All ranks must have begun the same run. */
static pml_status compare_ranks(const pml_ranks *ranks, const pml_file *file, const char *recipe, pml_error *error) {
    const uint64_t of_model = XXH3_64bits(pml_file_content_digest(file), 16);
    return pml_ranks_compare(ranks, XXH3_64bits_withSeed(recipe, strlen(recipe), of_model), "model, data or options",
                             error);
}

pml_status pml_train_setup_run(const pml_train_setup *setup, pml_run_result *result, pml_error *error) {
    pml_status status = PML_OK;
    pml_file *file = NULL;
    pml_model *model = NULL;
    pml_trainer *trainer = NULL;
    pml_train_data data = {0};
    pml_loader *train = NULL, *val = NULL;
    char recipe[RECIPE_BYTES], initial[PML_RUN_PATH_BYTES], init_digest[PML_DIGEST_TEXT_BYTES];
    pml_adapter_recipe adapter;
    if (setup->schedule != NULL) { /* before there is a folder */
        const pml_schedule *schedule;
        pml_settings settings;
        PML_TRY(pml_schedule_choose(setup->schedule, &schedule, &settings, error));
    }
    if (setup->lora != NULL) {
        PML_TRY(pml_adapter_recipe_parse(setup->lora, &adapter, error));
    }
    if (setup->fresh != NULL) {
        pml_ranks_vote is_there = {0};
        PML_TRY(make_model(setup, initial, error));
        PML_TRY(pml_ranks_vote_on(setup->trainer.ranks, &is_there, error));
    }
    PML_TRY(pml_file_open(setup->fresh != NULL ? initial : setup->model, &file, error));
    PML_TRY(check_frozen(setup, file, error));
    const pml_trainable_options options = {.backend = setup->backend,
                                           .is_learned = is_learned,
                                           .user = (void *)(uintptr_t)setup,
                                           .seed = setup->seed,
                                           .adapter = setup->lora == NULL ? NULL : &adapter};
    PML_TRY(pml_model_create_trainable(file, &options, &model, error));
    if (setup->n_threads != 0) {
        PML_TRY(pml_model_threads_set(model, setup->n_threads, error));
    }
    pml_model_training_bf16_set(model, setup->bf16);
    PML_TRY(take_weights(setup, model, init_digest, error));
    PML_TRY(pml_trainer_create(model, &setup->trainer, &trainer, error));
    PML_TRY(pml_train_data_open(setup, file, model, trainer->objective.task->name, &data, error));
    PML_TRY(open_loaders(setup, &data, &train, &val, error));
    if (pml_ranks_is_first(setup->trainer.ranks)) {
        PML_TRY(make_folder(setup->folder, error));
    }
    PML_TRY(write_recipe(setup, trainer, &data, options.adapter, init_digest, recipe, error));
    PML_TRY(compare_ranks(setup->trainer.ranks, file, recipe, error));
    const pml_run_options run = {.folder = setup->folder,
                                 .train = train,
                                 .val = val,
                                 .schedule = setup->schedule,
                                 .recipe = recipe,
                                 .n_epochs = setup->n_epochs == 0 && setup->n_steps == 0 ? 10 : setup->n_epochs,
                                 .n_steps = setup->n_steps,
                                 .eval_every = setup->eval_every,
                                 .save_every = setup->save_every,
                                 .log_every = setup->log_every,
                                 .patience = setup->patience,
                                 .n_keep = setup->n_keep,
                                 .resume = setup->resume,
                                 .extra = data.extra,
                                 .watch = setup->watch,
                                 .user = setup->user};
    PML_TRY(pml_train_run(trainer, &run, result, error));

done:
    pml_loader_destroy(train);
    pml_loader_destroy(val);
    pml_train_data_close(&data);
    pml_trainer_destroy(trainer);
    pml_model_destroy(model);
    pml_file_close(file);
    return status;
}
