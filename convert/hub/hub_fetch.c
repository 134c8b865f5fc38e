#include "convert/hub/hub_fetch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "convert/hub/hub_api.h"
#include "convert/hub/hub_folder.h"
#include "convert/hub/hub_partial.h"
#include "runtime/base/alloc.h"
#include "runtime/base/limits.h"
#include "runtime/base/quote.h"

#define DEFAULT_REVISION "main"

typedef struct fetch {
    const char *repo, *revision;
    const pml_hub_fetch_options *options;
    pml_hub_environment environment;
    pml_hub_session session;
    pml_hub_cache cache;
    pml_hub_fetched *result;
    bool has_cache; /* there is a folder of the repository */
} fetch;

/* ---- which commit, which files ---- */

static pml_status fail_offline(const fetch *f, pml_error *error, const char *what) {
    return PML_FAIL(error, PML_E_NOT_FOUND, "%s%s%s: %s in the hub's cache (%s), and the hub is not asked: offline",
                    f->repo, f->revision != NULL ? "@" : "", f->revision != NULL ? f->revision : "", what,
                    f->environment.cache_dir);
}

static pml_status find_commit(fetch *f, pml_error *error) {
    pml_status status = PML_OK;
    bool found = false;
    char *commit = f->result->commit;
    if (f->revision != NULL && pml_hub_is_commit(f->revision)) {
        memcpy(commit, f->revision, PML_HUB_COMMIT_TEXT_BYTES);
    } else if (f->environment.is_offline) {
        if (f->has_cache) {
            PML_TRY(pml_hub_cache_read_ref(&f->cache, f->revision != NULL ? f->revision : DEFAULT_REVISION, commit,
                                           &found, error));
        }
        if (!found) {
            PML_TRY(fail_offline(f, error, "no such repository or revision is"));
        }
    } else {
        PML_TRY(pml_hub_api_resolve(&f->session, f->repo, f->revision, commit, error));
    }
done:
    return status;
}

static pml_status find_listing(fetch *f, pml_error *error) {
    pml_status status = PML_OK;
    bool found = false;
    if (f->has_cache) {
        PML_TRY(pml_hub_cache_read_listing(&f->cache, f->result->commit, &f->result->listing, &found, error));
    }
    if (!found && f->environment.is_offline) {
        if (f->has_cache) { /* older clients keep no lists */
            PML_TRY(pml_hub_cache_list_snapshot(&f->cache, f->result->commit, &f->result->listing, error));
        }
        if (f->result->listing.count == 0) {
            PML_TRY(fail_offline(f, error, "no file of the commit is"));
        }
    } else if (!found) {
        PML_TRY(pml_hub_api_list(&f->session, f->repo, f->result->commit, &f->result->listing, error));
        if (!f->options->only_plan) {
            PML_TRY(pml_hub_cache_write_listing(&f->cache, f->result->commit, &f->result->listing, error));
        }
    }
done:
    return status;
}

/* Exactly the files that were named. */
static pml_status choose_names(fetch *f, pml_error *error) {
    pml_status status = PML_OK;
    pml_hub_choice *choice = &f->result->choice;
    PML_TRY(pml_alloc(f->options->n_names, sizeof *choice->files, &choice->files, error));
    choice->capacity = f->options->n_names;
    for (size_t i = 0; i < f->options->n_names; i++) {
        pml_quoted quoted;
        const char *name = f->options->names[i];
        const pml_hub_file *file = pml_hub_listing_find(&f->result->listing, name);
        if (file == NULL && !f->environment.is_offline && !f->options->only_plan &&
            pml_hub_path_check(name, NULL) == PML_OK) {
            PML_TRY(pml_hub_cache_mark_absent(&f->cache, f->result->commit, name, error));
        }
        if (file == NULL) {
            PML_TRY(PML_FAIL(error, PML_E_NOT_FOUND, "%s@%s: the repository has no file %s", f->repo, f->result->commit,
                             pml_quote(&quoted, name)));
        }
        choice->files[choice->count++] = file;
    }
done:
    return status;
}

static pml_status choose(fetch *f, pml_error *error) {
    if (f->options->n_names > 0) {
        return choose_names(f, error);
    }
    const pml_status status = pml_hub_choice_make(&f->result->listing, &f->options->filter, &f->result->choice, error);
    return status == PML_OK ? PML_OK : pml_error_prefix(error, status, "%s", f->repo);
}

/* ---- bytes ---- */

/* The files from `i_first` on that the cache lacks. *missing is the caller's. */
static pml_status find_missing(fetch *f, size_t i_first, const pml_hub_file ***missing, size_t *n_missing,
                               pml_error *error) {
    pml_status status = PML_OK;
    const pml_hub_choice *choice = &f->result->choice;
    const bool may_remove = !f->environment.is_offline && !f->options->only_plan;
    *n_missing = 0;
    PML_TRY(pml_alloc(choice->count - i_first, sizeof **missing, missing, error));
    for (size_t i = i_first; i < choice->count; i++) {
        bool has = false;
        if (f->has_cache) {
            status = pml_hub_cache_has_file(&f->cache, f->result->commit, choice->files[i], may_remove, &has, error);
            if (status != PML_OK) {
                PML_TRY(pml_error_prefix(error, status, "%s", f->repo));
            }
        }
        if (!has) {
            (*missing)[(*n_missing)++] = choice->files[i];
        }
    }
done:
    return status;
}

/* A disk that cannot take it is better known before the first byte. */
static pml_status check_space(const fetch *f, const pml_hub_file *const *missing, size_t n_missing, pml_error *error) {
    struct statvfs space;
    uint64_t need_bytes = 0, kept_bytes = 0;
    pml_hub_partial_sweep(&f->cache, missing, n_missing, &kept_bytes);
    for (size_t i = 0; i < n_missing; i++) {
        struct stat info;
        if (fstatat(f->cache.blobs_fd, missing[i]->hash, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            need_bytes = missing[i]->size_bytes < UINT64_MAX / 2 - need_bytes ? need_bytes + missing[i]->size_bytes
                                                                              : UINT64_MAX / 2;
        }
    }
    if (fstatvfs(f->cache.blobs_fd, &space) != 0) {
        return PML_OK; /* writing will tell */
    }
    const uint64_t free_bytes = (uint64_t)space.f_bavail * space.f_frsize;
    if (need_bytes > free_bytes && need_bytes - free_bytes > kept_bytes) {
        return PML_FAIL(error, PML_E_IO, "%s: %llu bytes are needed in the hub's cache %s, and %llu are free", f->repo,
                        (unsigned long long)need_bytes, f->environment.cache_dir, (unsigned long long)free_bytes);
    }
    return PML_OK;
}

/* Brings the chosen files from `i_first` on. */
static pml_status bring(fetch *f, size_t i_first, pml_error *error) {
    pml_status status = PML_OK;
    const pml_hub_file **missing = NULL;
    size_t n_missing = 0;
    PML_TRY(find_missing(f, i_first, &missing, &n_missing, error));
    if (n_missing == 0 || f->options->only_plan) {
        goto done;
    }
    if (f->environment.is_offline) {
        char what[256];
        pml_quoted quoted;
        (void)snprintf(what, sizeof what, "the download is not complete: the file %s is not",
                       pml_quote(&quoted, missing[0]->path));
        PML_TRY(fail_offline(f, error, what));
    }
    PML_TRY(check_space(f, missing, n_missing, error));
    pml_hub_download download = {.session = &f->session,
                                 .cache = &f->cache,
                                 .repo = f->repo,
                                 .commit = f->result->commit,
                                 .n_connections = f->options->n_connections,
                                 .lock_ms = f->options->has_lock_ms ? f->options->lock_ms : PML_HUB_DEFAULT_LOCK_MS,
                                 .progress = f->options->progress,
                                 .user = f->options->user};
    status = pml_hub_download_run(&download, missing, n_missing, error);
    f->result->received_bytes += download.received_bytes;
    PML_TRY(status);
done:
    pml_free(missing);
    return status;
}

/* The index is here: which shards does it name? */
static pml_status add_shards(fetch *f, pml_error *error) {
    pml_status status = PML_OK;
    char path[PML_HUB_MAX_PATH_BYTES + 128];
    char *bytes = NULL;
    size_t size_bytes = 0;
    const pml_hub_file *index = f->result->choice.index;
    if (f->cache.blobs_fd >= 0) {
        (void)snprintf(path, sizeof path, "blobs/%s", index->hash);
        status = pml_hub_folder_read(f->cache.repo_fd, path, PML_MAX_JSON_BYTES, &bytes, &size_bytes, error);
    }
    if (bytes == NULL && (status == PML_OK || status == PML_E_NOT_FOUND)) { /* snapshots without links */
        (void)snprintf(path, sizeof path, "snapshots/%s/%s", f->result->commit, index->path);
        status = pml_hub_folder_read(f->cache.repo_fd, path, PML_MAX_JSON_BYTES, &bytes, &size_bytes, error);
    }
    PML_TRY(status);
    status = pml_hub_choice_add_shards(&f->result->listing, bytes, size_bytes, &f->result->choice, error);
    if (status != PML_OK) {
        PML_TRY(pml_error_prefix(error, status, "%s", f->repo));
    }
done:
    pml_free(bytes);
    return status;
}

static pml_status bring_all(fetch *f, pml_error *error) {
    pml_status status = PML_OK;
    const pml_hub_choice *choice = &f->result->choice;
    PML_TRY(bring(f, 0, error));
    if (choice->index != NULL && !f->options->only_plan) {
        const size_t n_known = choice->count;
        PML_TRY(add_shards(f, error));
        PML_TRY(bring(f, n_known, error));
    }
    for (size_t i = 0; i < choice->count; i++) {
        f->result->total_bytes += choice->files[i]->size_bytes;
    }
done:
    return status;
}

static pml_status open_cache(fetch *f, pml_error *error) {
    const bool create = !f->environment.is_offline && !f->options->only_plan;
    pml_status status = pml_hub_cache_open(&f->environment, f->repo, create, &f->cache, error);
    f->has_cache = status == PML_OK;
    return status == PML_E_NOT_FOUND && !create ? PML_OK : status;
}

static pml_status run(fetch *f, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t unused = 0;
    const char *revision = f->revision != NULL ? f->revision : DEFAULT_REVISION;
    PML_TRY(pml_hub_repo_check(f->repo, error));
    PML_TRY(pml_hub_revision_check(revision, error));
    PML_TRY(pml_hub_environment_read(&f->options->given, &f->environment, error));
    if (!f->environment.is_offline) {
        PML_TRY(pml_hub_session_init(&f->session, &f->environment, f->options->n_tries, error));
    }
    if (f->environment.is_offline || (f->revision != NULL && pml_hub_is_commit(f->revision))) {
        PML_TRY(open_cache(f, error));
        PML_TRY(find_commit(f, error));
    } else { /* what does not exist leaves no folder */
        PML_TRY(find_commit(f, error));
        PML_TRY(open_cache(f, error));
    }
    PML_TRY(find_listing(f, error));
    PML_TRY(choose(f, error));
    status = bring_all(f, error);
    if ((status == PML_E_FORMAT || status == PML_E_IO) && !f->environment.is_offline && !f->options->only_plan) {
        pml_hub_cache_forget_listing(&f->cache, f->result->commit); /* hashes or sizes in it may be what was wrong */
    }
    PML_TRY(status);
    if (!f->environment.is_offline && !f->options->only_plan) {
        if (!pml_hub_is_commit(revision)) {
            PML_TRY(pml_hub_cache_write_ref(&f->cache, revision, f->result->commit, error));
        }
        /* Also when nothing was missing: a process that was killed may have left a reference half written. */
        pml_hub_partial_sweep(&f->cache, NULL, 0, &unused);
    }
    if (f->has_cache) {
        PML_TRY(pml_hub_cache_snapshot_path(&f->cache, f->result->commit, &f->result->path, error));
    }
done:
    return status;
}

pml_status pml_hub_fetch(const char *repo, const char *revision, const pml_hub_fetch_options *options,
                         pml_hub_fetched *fetched, pml_error *error) {
    static const pml_hub_fetch_options defaults;
    pml_hub_fetched made = {0};
    pml_error unused = {0};
    fetch f = {.repo = repo, .revision = revision, .options = options != NULL ? options : &defaults, .result = &made};
    const pml_status status = run(&f, error != NULL ? error : &unused);
    pml_hub_cache_close(&f.cache);
    pml_hub_session_deinit(&f.session);
    pml_hub_environment_deinit(&f.environment);
    if (status == PML_OK) {
        *fetched = made;
    } else {
        pml_hub_fetched_deinit(&made);
    }
    return status;
}

void pml_hub_fetched_deinit(pml_hub_fetched *fetched) {
    pml_free(fetched->path);
    pml_hub_listing_deinit(&fetched->listing);
    pml_hub_choice_deinit(&fetched->choice);
    *fetched = (pml_hub_fetched){0};
}
