/* Names of checkpoints are a prefix, the step and a suffix: what looks otherwise is nobody's business here. */
#include "runtime/train/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "runtime/base/alloc.h"

#define PREFIX "checkpoint-"
#define SUFFIX ".pml"
#define MOST_CHECKPOINTS 1000000u

pml_status pml_run_folder_path(const char *folder, const char *name, char *path, pml_error *error) {
    const int length = snprintf(path, PML_RUN_PATH_BYTES, "%s/%s", folder, name);
    return length < 0 || (size_t)length >= PML_RUN_PATH_BYTES
               ? PML_FAIL(error, PML_E_ARGUMENT, "the path of '%s' in the run's folder is too long", name)
               : PML_OK;
}

pml_status pml_run_folder_checkpoint(const char *folder, uint64_t step, char *path, pml_error *error) {
    char name[64];
    (void)snprintf(name, sizeof name, PREFIX "%" PRIu64 SUFFIX, step);
    return pml_run_folder_path(folder, name, path, error);
}

/* Whether it is a checkpoint's name, as written above. */
static bool parse(const char *name, uint64_t *step) {
    char again[64];
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0) {
        return false;
    }
    *step = strtoull(name + strlen(PREFIX), NULL, 10);
    (void)snprintf(again, sizeof again, PREFIX "%" PRIu64 SUFFIX, *step);
    return strcmp(name, again) == 0;
}

static int descending(const void *a, const void *b) {
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left > right ? -1 : left < right;
}

/* Steps of all checkpoints, the newest first; the caller's to free. */
static pml_status list(const char *folder, uint64_t **steps, size_t *count, pml_error *error) {
    pml_status status = PML_OK;
    size_t capacity = 0;
    *steps = NULL;
    *count = 0;
    DIR *open = opendir(folder);
    if (open == NULL) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", folder, strerror(errno)));
    }
    for (const struct dirent *entry = readdir(open); entry != NULL; entry = readdir(open)) {
        uint64_t step;
        if (parse(entry->d_name, &step)) {
            PML_TRY(pml_grow(steps, &capacity, *count + 1, sizeof **steps, MOST_CHECKPOINTS, "checkpoints", error));
            (*steps)[(*count)++] = step;
        }
    }
    if (*count > 0) {
        qsort(*steps, *count, sizeof **steps, descending);
    }

done:
    if (open != NULL) {
        (void)closedir(open);
    }
    return status;
}

pml_status pml_run_folder_newest(const char *folder, char *path, bool *is_there, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t *steps;
    size_t count;
    PML_TRY(list(folder, &steps, &count, error));
    *is_there = count > 0;
    if (count > 0) {
        PML_TRY(pml_run_folder_checkpoint(folder, steps[0], path, error));
    }

done:
    pml_free(steps);
    return status;
}

pml_status pml_run_folder_prune(const char *folder, uint64_t n_keep, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t *steps;
    size_t count;
    char path[PML_RUN_PATH_BYTES];
    PML_TRY(list(folder, &steps, &count, error));
    for (size_t i = (size_t)n_keep; i < count; i++) {
        PML_TRY(pml_run_folder_checkpoint(folder, steps[i], path, error));
        if (unlink(path) != 0 && errno != ENOENT) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", path, strerror(errno)));
        }
    }

done:
    pml_free(steps);
    return status;
}

pml_status pml_run_folder_refuse(const char *folder, pml_error *error) {
    pml_status status = PML_OK;
    char path[PML_RUN_PATH_BYTES];
    bool is_there = false;
    PML_TRY(pml_run_folder_newest(folder, path, &is_there, error));
    if (is_there) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT,
                         "%s is of an earlier run: --resume goes on with it; otherwise choose "
                         "another folder",
                         path));
    }

done:
    return status;
}

pml_status pml_run_folder_lock(const char *folder, int *lock, pml_error *error) {
    pml_status status = PML_OK;
    *lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", folder, strerror(errno)));
    }
    if (flock(*lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) { /* where there are no locks, it goes without */
        PML_TRY(PML_FAIL(error, PML_E_BUSY, "%s: another run is at work here", folder));
    }

done:
    if (status != PML_OK && *lock >= 0) {
        (void)close(*lock);
        *lock = -1;
    }
    return status;
}
