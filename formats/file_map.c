/* Opening and mapping, with the rules for names and links that a file, not the user, gave. */
#include "formats/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/quote.h"

enum { MAX_LINK_BYTES = 512, MAX_FILE_NAME_BYTES = 255, MAX_LFS_POINTER_BYTES = 1024 };

/* Not waiting for a writer of a FIFO, not becoming a terminal's owner. */
enum { OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY };

static pml_status open_failure(const char *shown, int code, pml_error *error) {
    bool is_absent = code == ENOENT || code == ENOTDIR;
    return PML_FAIL(error, is_absent ? PML_E_NOT_FOUND : PML_E_IO, "%s: %s", shown,
                    is_absent ? "no such file or directory" : strerror(code));
}

static const char *kind_of(mode_t mode) {
    return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

/* A repository cloned without its large files holds such a text in place of each. */
static bool is_lfs_pointer(const uint8_t *bytes, uint64_t size_bytes) {
    static const char start[] = "version https://git-lfs.github.com/spec/";
    return size_bytes >= sizeof start - 1 && size_bytes < MAX_LFS_POINTER_BYTES &&
           memcmp(bytes, start, sizeof start - 1) == 0;
}

/* Takes `fd` over. */
static pml_status map_descriptor(int fd, const char *shown, pml_file_map *map, pml_error *error) {
    pml_status status = PML_OK;
    struct stat info;
    if (fstat(fd, &info) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", shown, strerror(errno)));
    }
    if (!S_ISREG(info.st_mode)) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: is %s, not a regular file", shown, kind_of(info.st_mode)));
    }
    if (info.st_size == 0) {
        *map = (pml_file_map){.data = (const uint8_t *)"", .size_bytes = 0, .is_mapped = false};
        goto done;
    }
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        PML_TRY(PML_FAIL(error, errno == ENOMEM ? PML_E_MEMORY : PML_E_IO, "%s: cannot be mapped: %s", shown,
                         strerror(errno)));
    }
    pml_file_map mapped = {.data = data, .size_bytes = (uint64_t)info.st_size, .is_mapped = true};
    if (is_lfs_pointer(mapped.data, mapped.size_bytes)) {
        pml_file_map_close(&mapped);
        PML_TRY(PML_FAIL(error, PML_E_FORMAT,
                         "%s: is a Git LFS pointer, not the file it stands for ('git lfs pull' fetches that)", shown));
    }
    *map = mapped;
done:
    (void)close(fd);
    return status;
}

pml_status pml_file_map_open(const char *path, pml_file_map *map, pml_error *error) {
    int fd = open(path, OPEN_FLAGS);
    if (fd < 0) {
        return open_failure(path, errno, error);
    }
    return map_descriptor(fd, path, map, error);
}

bool pml_name_ends_with(const char *name, const char *ending) {
    size_t name_bytes = strlen(name), ending_bytes = strlen(ending);
    return name_bytes >= ending_bytes && strcmp(name + name_bytes - ending_bytes, ending) == 0;
}

bool pml_is_base_name(const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) {
            return false;
        }
    }
    return length > 0 && length <= MAX_FILE_NAME_BYTES && strpbrk(name, "/\\") == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 && !(length >= 2 && name[1] == ':');
}

/* Splits "(../)+blobs/<hex>" into the folder, left in `link`, and the hash, returned; NULL for any other text. */
static const char *split_blob_link(char *link) {
    char *rest = link;
    while (strncmp(rest, "../", 3) == 0) {
        rest += 3;
    }
    if (rest == link || strncmp(rest, "blobs/", 6) != 0) {
        return NULL;
    }
    char *hash = rest + 6;
    size_t n_digits = strspn(hash, "0123456789abcdef");
    if (hash[n_digits] != '\0' || (n_digits != 40 && n_digits != 64)) {
        return NULL;
    }
    hash[-1] = '\0';
    return hash;
}

/* Opens the blob that a hub cache's link leads to; *fd is -1 with errno set when the system refuses. */
static pml_status open_blob(int directory_fd, const char *base_name, const char *shown, int *fd, pml_error *error) {
    char link[MAX_LINK_BYTES];
    ssize_t length = readlinkat(directory_fd, base_name, link, sizeof link - 1);
    if (length < 0) {
        *fd = -1;
        return PML_OK;
    }
    link[length] = '\0';
    const char *hash = split_blob_link(link);
    if (hash == NULL) {
        return PML_FAIL(error, PML_E_FORMAT,
                        "%s: is a symbolic link; only those of a hub cache, to its blobs folder, are followed", shown);
    }
    int blobs_fd = openat(directory_fd, link, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (blobs_fd < 0) {
        *fd = -1;
        return PML_OK;
    }
    *fd = openat(blobs_fd, hash, OPEN_FLAGS | O_NOFOLLOW);
    int code = errno;
    (void)close(blobs_fd);
    errno = code;
    return PML_OK;
}

pml_status pml_file_map_open_sibling(const char *directory, const char *base_name, const char *named_by,
                                     pml_file_map *map, pml_error *error) {
    pml_status status = PML_OK;
    int directory_fd = -1;
    pml_quoted quoted;
    pml_quote(&quoted, base_name);
    char shown[sizeof quoted + 512];
    (void)snprintf(shown, sizeof shown, "%.500s: the file %s", named_by, quoted.text);
    if (!pml_is_base_name(base_name)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: only files of the same directory may be named", shown));
    }
    directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0) {
        PML_TRY(open_failure(directory, errno, error));
    }
    int fd = openat(directory_fd, base_name, OPEN_FLAGS | O_NOFOLLOW);
    if (fd < 0 && errno == ELOOP) {
        PML_TRY(open_blob(directory_fd, base_name, shown, &fd, error));
    }
    if (fd < 0) {
        int code = errno;
        PML_TRY(code == ENOENT ? PML_FAIL(error, PML_E_NOT_FOUND, "%s: is missing in %s", shown, directory)
                               : open_failure(shown, code, error));
    }
    PML_TRY(map_descriptor(fd, shown, map, error));
done:
    if (directory_fd >= 0) {
        (void)close(directory_fd);
    }
    return status;
}

void pml_file_map_close(pml_file_map *map) {
    if (map->is_mapped) {
        (void)munmap((void *)(uintptr_t)map->data, (size_t)map->size_bytes);
    }
    *map = (pml_file_map){0};
}
