#include "convert/hub_options.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "runtime/base/alloc.h"
#include "runtime/base/log.h"
#include "runtime/base/quote.h"

/* Endings by which a name that is nowhere on disk is a missing file, not a repository. */
static const char *const file_endings[] = {".safetensors", ".bin",  ".pt",  ".pth", ".ckpt",  ".onnx",
                                           ".h5",          ".hdf5", ".npz", ".npy", ".json",  ".zip",
                                           ".tar",         ".gz",   ".zst", ".pml", ".index", NULL};
enum { MOST_TRIES = 100, MOST_LOCK_SECONDS = 86400 };

typedef struct shown { /* what the progress callback needs */
    const pml_common_options *common;
    const char *repo;
    pml_progress *progress;
    uint64_t total_bytes;
} shown;

static void on_progress(void *user, const char *finished, uint64_t done_bytes, uint64_t total_bytes) {
    shown *s = user;
    if (s->progress == NULL || s->total_bytes != total_bytes) { /* the shards of an index are a download of their own */
        pml_progress_destroy(s->progress);
        s->progress = NULL;
        s->total_bytes = total_bytes;
        if (pml_progress_create(s->common, s->repo, total_bytes, &s->progress, NULL) != PML_OK) {
            return; /* progress is worth no error */
        }
    }
    pml_progress_advance(s->progress, done_bytes);
    if (finished != NULL) {
        pml_quoted quoted;
        char text[300];
        (void)snprintf(text, sizeof text, "%s is here and verified", pml_quote(&quoted, finished));
        pml_progress_note(s->progress, text);
        pml_log(PML_LOG_DEBUG, "%s: %s", s->repo, text);
    }
}

static pml_status read_options(const pml_hub_command *given, pml_hub_fetch_options *options, pml_error *error) {
    *options = (pml_hub_fetch_options){.given = {.endpoint = given->endpoint,
                                                 .cache_dir = given->cache_dir,
                                                 .token = given->token,
                                                 .token_file = given->token_file,
                                                 .offline = given->offline},
                                       .filter = {.include = given->include.items,
                                                  .n_include = given->include.count,
                                                  .exclude = given->exclude.items,
                                                  .n_exclude = given->exclude.count},
                                       .n_tries = (unsigned)given->retries.value,
                                       .n_connections = (unsigned)given->max_workers.value,
                                       .has_lock_ms = given->lock_timeout.is_set,
                                       .lock_ms = given->lock_timeout.value * 1000};
    if (given->retries.is_set && (given->retries.value == 0 || given->retries.value > MOST_TRIES)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--retries: expected 1 to %d", MOST_TRIES);
    }
    if (given->max_workers.is_set &&
        (given->max_workers.value == 0 || given->max_workers.value > PML_HUB_MAX_CONNECTIONS)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--max-workers: expected 1 to %u", PML_HUB_MAX_CONNECTIONS);
    }
    if (given->lock_timeout.is_set && given->lock_timeout.value > MOST_LOCK_SECONDS) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--lock-timeout: expected at most %d", MOST_LOCK_SECONDS);
    }
    if (given->token != NULL && given->token_file != NULL) {
        return PML_FAIL(error, PML_E_ARGUMENT, "--token and --token-file: give one of them");
    }
    return PML_OK;
}

pml_status pml_hub_command_fetch(const pml_hub_command *given, const pml_common_options *common,
                                 const pml_hub_source *source, const char *const *names, size_t n_names, bool only_plan,
                                 pml_hub_fetched *fetched, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_fetch_options options;
    shown s = {.common = common, .repo = source->repo};
    if (source->revision != NULL && given->revision != NULL) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%s@%s and --revision both name a revision", source->repo,
                         source->revision));
    }
    PML_TRY(read_options(given, &options, error));
    options.names = names;
    options.n_names = n_names;
    options.only_plan = only_plan;
    options.progress = on_progress;
    options.user = &s;
    (void)prctl(PR_SET_DUMPABLE, 0); /* a token is in memory from here on: no core file may hold it */
    PML_TRY(pml_hub_fetch(source->repo, source->revision != NULL ? source->revision : given->revision, &options,
                          fetched, error));
done:
    pml_progress_destroy(s.progress);
    return status;
}

static bool has_file_ending(const char *text) {
    const size_t n = strlen(text);
    for (size_t i = 0; file_endings[i] != NULL; i++) {
        const size_t n_ending = strlen(file_endings[i]);
        if (n > n_ending && strcmp(text + n - n_ending, file_endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a text that names nothing on disk could be a repository: "org/name[@rev]", or an old one's bare "name".
 * Errors: MEMORY. */
static pml_status read_repository(const char *text, bool *may_be_meant, bool *is_bare, pml_error *error) {
    pml_hub_source source = {0};
    const char *at = strchr(text, '@');
    const char *slash = strchr(text, '/');
    *is_bare = slash == NULL;
    *may_be_meant = false;
    if ((at != NULL && slash != NULL && at < slash) || has_file_ending(text)) {
        return PML_OK;
    }
    const pml_status status = pml_hub_source_parse(text, &source, error);
    pml_hub_source_deinit(&source);
    *may_be_meant = status == PML_OK;
    return status == PML_E_MEMORY ? status : PML_OK;
}

pml_status pml_hub_command_resolve(const pml_hub_command *given, const pml_common_options *common, const char *text,
                                   char **path, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_source source = {0};
    pml_hub_fetched fetched = {0};
    struct stat info;
    const bool is_address = pml_hub_source_is_address(text);
    const bool is_there = lstat(text, &info) == 0;
    bool is_bare = false, may_be_meant = false;
    *path = NULL;
    if (!is_address && !is_there) {
        PML_TRY(read_repository(text, &may_be_meant, &is_bare, error));
    }
    if (may_be_meant && is_bare) {
        PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%s: no such file or directory (the hub's repository is hf://%s)",
                         text, text));
    }
    if (!is_address && !may_be_meant) {
        if (given->revision != NULL || given->include.count > 0 || given->exclude.count > 0) {
            PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                             "--revision, --include and --exclude go with a repository of the hub; "
                             "%s is a path",
                             text));
        }
        PML_TRY(pml_string_copy(text, strlen(text), path, error));
        goto done;
    }
    PML_TRY(pml_hub_source_parse(text, &source, error));
    status = pml_hub_command_fetch(given, common, &source, NULL, 0, false, &fetched, error);
    if (status == PML_E_NOT_FOUND && !is_address) {
        PML_TRY(pml_error_prefix(error, status, "%s is neither a path here nor a repository", text));
    }
    PML_TRY(status);
    *path = fetched.path;
    fetched.path = NULL;
done:
    pml_hub_fetched_deinit(&fetched);
    pml_hub_source_deinit(&source);
    return status;
}
