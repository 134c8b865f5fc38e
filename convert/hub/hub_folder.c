#include "convert/hub/hub_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"
#include "runtime/base/names.h"
#include "runtime/base/quote.h"

enum { MAX_ENTRIES = 10000000, MAX_DEPTH = 64 };

static pml_status fail(const char *path, int code, pml_error *error) {
    pml_quoted quoted;
    const pml_status status = code == ENOENT ? PML_E_NOT_FOUND : PML_E_IO;
    return PML_FAIL(error, status, "the hub's cache: %s: %s", pml_quote(&quoted, path),
                    code == ELOOP ? "a symbolic link stands where a folder or file must be" : strerror(code));
}

/* One step down; *fd is closed and replaced. */
static int step(int *fd, const char *name, bool create) {
    int code = 0;
    if (create && mkdirat(*fd, name, 0777) != 0 && errno != EEXIST) {
        return errno;
    }
    const int next = openat(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    code = next < 0 ? errno : 0;
    (void)close(*fd);
    *fd = next;
    return code;
}

/* Goes down the first `length` bytes of a path. */
static pml_status walk(int folder_fd, const char *path, size_t length, bool create, int *fd, pml_error *error) {
    char name[NAME_MAX + 1];
    *fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 3);
    int code = *fd < 0 ? errno : length > 0 && path[length - 1] == '/' ? EINVAL : 0;
    for (size_t at = 0; code == 0 && at < length;) {
        const size_t n = strcspn(path + at, "/");
        if (n == 0 || n > NAME_MAX) {
            code = n == 0 ? EINVAL : ENAMETOOLONG;
            break;
        }
        memcpy(name, path + at, n);
        name[n] = '\0';
        code = strcmp(name, "..") == 0 || strcmp(name, ".") == 0 ? EINVAL : step(fd, name, create);
        at += n + 1;
    }
    if (code != 0 && *fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
    return code == 0 ? PML_OK : fail(path, code, error);
}

pml_status pml_hub_folder_parent(int folder_fd, const char *path, bool create, int *parent_fd, const char **base,
                                 pml_error *error) {
    const char *slash = strrchr(path, '/');
    *base = slash != NULL ? slash + 1 : path;
    if (**base == '\0' || strcmp(*base, ".") == 0 || strcmp(*base, "..") == 0) {
        return fail(path, EINVAL, error);
    }
    return walk(folder_fd, path, slash != NULL ? (size_t)(slash - path) : 0, create, parent_fd, error);
}

pml_status pml_hub_folder_open(int folder_fd, const char *path, bool create, int *fd, pml_error *error) {
    return walk(folder_fd, path, strlen(path), create, fd, error);
}

pml_status pml_hub_folder_read(int folder_fd, const char *path, size_t most_bytes, char **bytes, size_t *size_bytes,
                               pml_error *error) {
    pml_status status = PML_OK;
    int parent_fd = -1, fd = -1;
    const char *base = NULL;
    char *made = NULL;
    struct stat info;
    size_t length = 0;
    PML_TRY(pml_hub_folder_parent(folder_fd, path, false, &parent_fd, &base, error));
    fd = openat(parent_fd, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &info) != 0) {
        PML_TRY(fail(path, errno, error));
    }
    if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > most_bytes) {
        pml_quoted quoted;
        PML_TRY(
            PML_FAIL(error, PML_E_FORMAT, "the hub's cache: %s is no small regular file", pml_quote(&quoted, path)));
    }
    PML_TRY(pml_alloc((size_t)info.st_size + 1, 1, &made, error));
    for (ssize_t n = 1; length < (size_t)info.st_size && n > 0; length += n > 0 ? (size_t)n : 0) {
        do {
            n = pread(fd, made + length, (size_t)info.st_size - length, (off_t)length);
        } while (n < 0 && errno == EINTR);
        if (n < 0) {
            PML_TRY(fail(path, errno, error));
        }
    }
    *bytes = made;
    *size_bytes = length;
    made = NULL;
done:
    pml_free(made);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (parent_fd >= 0) {
        (void)close(parent_fd);
    }
    return status;
}

static pml_status write_all(int fd, const char *path, const char *bytes, size_t size_bytes, pml_error *error) {
    while (size_bytes > 0) {
        const ssize_t n = write(fd, bytes, size_bytes);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return fail(path, n == 0 ? EIO : errno, error);
        }
        bytes += n;
        size_bytes -= (size_t)n;
    }
    return PML_OK;
}

pml_status pml_hub_folder_write(int folder_fd, const char *path, const void *bytes, size_t size_bytes, int scratch_fd,
                                const char *scratch, pml_error *error) {
    pml_status status = PML_OK;
    int parent_fd = -1, fd = -1;
    bool exists = false;
    const char *base = NULL;
    PML_TRY(pml_hub_folder_parent(folder_fd, path, true, &parent_fd, &base, error));
    fd = openat(scratch_fd, scratch, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) {
        PML_TRY(fail(scratch, errno, error));
    }
    exists = true;
    PML_TRY(write_all(fd, path, bytes, size_bytes, error));
    int code = fsync(fd) != 0 ? errno : 0;
    code = close(fd) != 0 && code == 0 ? errno : code;
    fd = -1;
    code = code == 0 && renameat(scratch_fd, scratch, parent_fd, base) != 0 ? errno : code;
    if (code != 0) {
        PML_TRY(fail(path, code, error));
    }
    exists = false;
    if (fsync(parent_fd) != 0 && errno != EINVAL) {
        PML_TRY(fail(path, errno, error));
    }
done:
    if (fd >= 0) {
        (void)close(fd);
    }
    if (exists) {
        (void)unlinkat(scratch_fd, scratch, 0);
    }
    if (parent_fd >= 0) {
        (void)close(parent_fd);
    }
    return status;
}

/* ---- walking ---- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a folder; they stay the set's. */
static pml_status read_names(int folder_fd, pml_names *names, pml_error *error) {
    pml_status status = PML_OK;
    const int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        const int code = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return fail("a folder", code, error);
    }
    for (struct dirent *entry = readdir(stream); entry != NULL && status == PML_OK; entry = readdir(stream)) {
        size_t i_name;
        bool is_new;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            status = pml_names_add(names, entry->d_name, strlen(entry->d_name), MAX_ENTRIES, "files in a folder",
                                   &i_name, &is_new, error);
        }
    }
    (void)closedir(stream);
    return status;
}

pml_status pml_hub_folder_each(int folder_fd, pml_hub_visit_fn *visit, void *user, pml_error *error) {
    pml_status status = PML_OK;
    pml_names names = {0};
    const char **sorted = NULL;
    PML_TRY(read_names(folder_fd, &names, error));
    const size_t count = pml_names_count(&names);
    PML_TRY(pml_alloc(count, sizeof *sorted, &sorted, error));
    for (size_t i = 0; i < count; i++) {
        sorted[i] = pml_names_at(&names, i);
    }
    if (count > 0) {
        qsort(sorted, count, sizeof *sorted, compare_names);
    }
    for (size_t i = 0; i < count; i++) {
        struct stat info;
        PML_TRY(pml_cancel_check(error));
        if (fstatat(folder_fd, sorted[i], &info, AT_SYMLINK_NOFOLLOW) == 0) { /* otherwise it is gone by now */
            PML_TRY(visit(user, folder_fd, sorted[i], &info, error));
        }
    }
done:
    pml_free(sorted);
    pml_names_deinit(&names);
    return status;
}

pml_status pml_hub_folder_each_below(int folder_fd, const char *path, pml_hub_visit_fn *visit, void *user,
                                     pml_error *error) {
    int fd = -1;
    pml_status status = pml_hub_folder_open(folder_fd, path, false, &fd, error);
    if (status == PML_OK) {
        status = pml_hub_folder_each(fd, visit, user, error);
        (void)close(fd);
        return status;
    }
    return status == PML_E_NOT_FOUND ? PML_OK : status;
}

static pml_status remove_entry(void *user, int folder_fd, const char *name, const struct stat *info, pml_error *error) {
    pml_status status = PML_OK;
    unsigned *depth = user;
    int fd = -1;
    if (S_ISDIR(info->st_mode)) {
        if (*depth == MAX_DEPTH) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "the hub's cache: folders are nested too deeply"));
        }
        fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno != ENOENT) {
            PML_TRY(fail(name, errno, error));
        }
        if (fd >= 0) {
            ++*depth;
            PML_TRY(pml_hub_folder_each(fd, remove_entry, user, error));
            --*depth;
        }
    }
    if (unlinkat(folder_fd, name, S_ISDIR(info->st_mode) ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT) {
        PML_TRY(fail(name, errno, error));
    }
done:
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

pml_status pml_hub_folder_remove(int folder_fd, const char *name, pml_error *error) {
    struct stat info;
    unsigned depth = 0;
    return fstatat(folder_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0
               ? PML_OK
               : remove_entry(&depth, folder_fd, name, &info, error);
}
