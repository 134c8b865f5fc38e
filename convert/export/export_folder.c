#include "convert/export/export_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/process_mark.h"
#include "runtime/base/publish.h"
#include "runtime/base/quote.h"

#define PATH_BYTES 4096u

static bool is_dots(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* ---- what a folder holds ---- */
typedef bool visit_fn(int directory_fd, const char *name, const char *folder, const void *user);

/* Calls `visit` for every entry; false as soon as it says so, or where the folder cannot be read. */
static bool visit_all(int parent_fd, const char *path, const char *folder, visit_fn *visit, const void *user,
                      char *last, size_t last_bytes) {
    const int fd = openat(parent_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    bool is_well = stream != NULL;
    if (stream == NULL && fd >= 0) {
        (void)close(fd);
    }
    for (const struct dirent *entry; is_well && (entry = readdir(stream)) != NULL;) {
        if (!is_dots(entry->d_name)) {
            is_well = visit(dirfd(stream), entry->d_name, folder, user);
            if (!is_well && last != NULL) {
                (void)snprintf(last, last_bytes, "%.200s", entry->d_name);
            }
        }
    }
    if (stream != NULL) {
        (void)closedir(stream);
    }
    return is_well;
}

static bool is_folder_at(int fd, const char *name) {
    struct stat info;
    return fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

/* Whether an export may have written it; a folder: whether all in it. */
static bool is_known(int fd, const char *name, const char *folder, const void *user) {
    const char *const *known = user;
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name);
    if (is_folder_at(fd, name)) {
        return folder[0] == '\0' && visit_all(fd, name, name, is_known, user, NULL, 0);
    }
    for (; *known != NULL; known++) {
        if (strcmp(*known, path) == 0) {
            return true;
        }
    }
    return false;
}

/* Folders are at most one deep here: what lies deeper was not made by an export and stays. */
static bool remove_entry(int fd, const char *name, const char *folder, const void *user) {
    if (is_folder_at(fd, name)) {
        return folder[0] == '\0' && visit_all(fd, name, name, remove_entry, user, NULL, 0) &&
               unlinkat(fd, name, AT_REMOVEDIR) == 0;
    }
    return unlinkat(fd, name, 0) == 0;
}

static bool never(int fd, const char *name, const char *folder, const void *user) {
    (void)fd;
    (void)name;
    (void)folder;
    (void)user;
    return false;
}

static void remove_folder(const char *path) {
    if (visit_all(AT_FDCWD, path, "", remove_entry, NULL, NULL, 0)) {
        (void)rmdir(path);
    }
}

/* ---- what killed processes left ---- */
typedef struct leftover {
    const char *name; /* the target's base name: ".<name>.tmp." begins the names that pml_publish_scratch_path gives */
    char host[PML_PROCESS_HOST_BYTES];
} leftover;

static bool sweep_entry(int fd, const char *name, const char *folder, const void *user) {
    const leftover *of = user;
    char host[PML_PROCESS_HOST_BYTES];
    long pid;
    size_t n_before = 0;
    struct stat info;
    const size_t length = strlen(of->name);
    (void)folder;
    if (name[0] == '.' && strncmp(name + 1, of->name, length) == 0 && strncmp(name + 1 + length, ".tmp.", 5) == 0 &&
        pml_process_mark_read(name, strlen(name), &n_before, host, &pid) && strcmp(host, of->host) == 0 &&
        pml_process_has_ended(pid) && fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode) &&
        info.st_uid == geteuid() && visit_all(fd, name, "", remove_entry, NULL, NULL, 0)) {
        (void)unlinkat(fd, name, AT_REMOVEDIR);
    }
    return true;
}

static void sweep(const char *parent, const char *name) {
    leftover of = {.name = name};
    pml_process_host(of.host);
    (void)visit_all(AT_FDCWD, parent, "", sweep_entry, &of, NULL, 0);
}

/* ---- publishing ---- */
/* The folder that holds `path`. */
static void parent_of(const char *path, char parent[PATH_BYTES]) {
    const char *slash = strrchr(path, '/');
    (void)snprintf(parent, PATH_BYTES, "%.*s",
                   slash == NULL   ? 1
                   : slash == path ? 1
                                   : (int)(slash - path),
                   slash == NULL ? "." : path);
}

static pml_status check_target(const pml_export_folder *folder, bool replace, const char *const *known, bool *is_empty,
                               pml_error *error) {
    struct stat info;
    pml_quoted quoted, other;
    char name[256] = "";
    *is_empty = true;
    if (lstat(folder->target, &info) != 0) {
        return errno == ENOENT
                   ? PML_OK
                   : PML_FAIL(error, PML_E_IO, "%s: %s", pml_quote(&quoted, folder->target), strerror(errno));
    }
    if (!S_ISDIR(info.st_mode)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s is there and no folder", pml_quote(&quoted, folder->target));
    }
    if (visit_all(AT_FDCWD, folder->target, "", never, NULL, NULL, 0)) {
        return PML_OK;
    }
    *is_empty = false;
    if (!replace) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s holds something; --force replaces an earlier export",
                        pml_quote(&quoted, folder->target));
    }
    if (!visit_all(AT_FDCWD, folder->target, "", is_known, known, name, sizeof name)) {
        return PML_FAIL(error, PML_E_ARGUMENT, "%s holds %s, which no export wrote: name another folder",
                        pml_quote(&quoted, folder->target), pml_quote(&other, name));
    }
    return PML_OK;
}

pml_status pml_export_folder_begin(const char *target, bool replace, const char *const *known,
                                   pml_export_folder *folder, pml_error *error) {
    pml_status status = PML_OK;
    pml_quoted quoted;
    char parent[PATH_BYTES];
    size_t length = strlen(target);
    bool is_empty;
    *folder = (pml_export_folder){0};
    while (length > 1 && target[length - 1] == '/') {
        length--;
    }
    PML_TRY(pml_string_copy(target, length, &folder->target, error));
    const char *slash = strrchr(folder->target, '/');
    const char *name = slash != NULL ? slash + 1 : folder->target;
    if (name[0] == '\0' || is_dots(name)) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "-o %s: name a folder that can be put in place as a whole",
                         pml_quote(&quoted, target)));
    }
    PML_TRY(check_target(folder, replace, known, &is_empty, error));
    folder->replaces = !is_empty;
    parent_of(folder->target, parent);
    sweep(parent, name);
    PML_TRY(pml_publish_scratch_path(folder->target, &folder->temporary, error));
    if (mkdir(folder->temporary, 0777) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot make a folder beside %s: %s", pml_quote(&quoted, folder->target),
                         strerror(errno)));
    }
    folder->exists = true;
done:
    if (status != PML_OK) {
        pml_export_folder_deinit(folder);
    }
    return status;
}

pml_status pml_export_folder_path(const pml_export_folder *folder, const char *name, char **path, pml_error *error) {
    pml_status status = PML_OK;
    char text[PATH_BYTES];
    const char *slash = strchr(name, '/');
    if (slash != NULL) {
        (void)snprintf(text, sizeof text, "%s/%.*s", folder->temporary, (int)(slash - name), name);
        if (mkdir(text, 0777) != 0 && errno != EEXIST) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", text, strerror(errno)));
        }
    }
    const int n = snprintf(text, sizeof text, "%s/%s", folder->temporary, name);
    if (n < 0 || (size_t)n >= sizeof text) {
        PML_TRY(PML_FAIL(error, PML_E_ARGUMENT, "%.200s...: the path is too long", folder->target));
    }
    PML_TRY(pml_string_copy(text, (size_t)n, path, error));
done:
    return status;
}

static pml_status sync_folder(const char *path, pml_error *error) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_synced = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    const int cause = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_synced ? PML_OK : PML_FAIL(error, PML_E_IO, "%s: %s", path, strerror(cause));
}

/* Puts what was at the target where the temporary is. File systems that cannot exchange two names leave a moment in
 * which the target is not there. */
static bool exchange(const pml_export_folder *folder) {
    char aside[PATH_BYTES];
    if (renameat2(AT_FDCWD, folder->temporary, AT_FDCWD, folder->target, RENAME_EXCHANGE) == 0) {
        return true;
    }
    const int n = snprintf(aside, sizeof aside, "%s.old", folder->temporary);
    if (n < 0 || (size_t)n >= sizeof aside || rename(folder->target, aside) != 0) {
        return false;
    }
    if (rename(folder->temporary, folder->target) != 0) {
        const int cause = errno;
        (void)rename(aside, folder->target);
        errno = cause;
        return false;
    }
    (void)rename(aside, folder->temporary);
    return true;
}

pml_status pml_export_folder_commit(pml_export_folder *folder, pml_error *error) {
    pml_status status = PML_OK;
    char parent[PATH_BYTES];
    pml_quoted quoted;
    PML_TRY(sync_folder(folder->temporary, error));
    const bool is_placed = folder->replaces ? exchange(folder) : rename(folder->temporary, folder->target) == 0;
    if (!is_placed) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "cannot put %s in place: %s", pml_quote(&quoted, folder->target),
                         strerror(errno)));
    }
    folder->exists = folder->replaces; /* the temporary now is what was there before */
    parent_of(folder->target, parent);
    PML_TRY(sync_folder(parent, error));
done:
    return status;
}

void pml_export_folder_deinit(pml_export_folder *folder) {
    if (folder->exists) {
        remove_folder(folder->temporary);
    }
    pml_free(folder->target);
    pml_free(folder->temporary);
    *folder = (pml_export_folder){0};
}
