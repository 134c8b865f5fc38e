#include "formats/file_map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/quote.h"

enum { MAX_LINK_BYTES = 512, MAX_FILE_NAME_BYTES = 255, MAX_LFS_POINTER_BYTES = 1024 };

/* A repository cloned without its large files holds such a text in place of each. */
static bool is_lfs_pointer(const uint8_t *bytes, uint64_t size_bytes) {
    static const char start[] = "version https://git-lfs.github.com/spec/";
    return size_bytes >= sizeof start - 1 && size_bytes < MAX_LFS_POINTER_BYTES &&
           memcmp(bytes, start, sizeof start - 1) == 0;
}

pml_status pml_foreign_check(const char *shown, pml_file_map *map, pml_error *error) {
    if (!is_lfs_pointer(map->data, map->size_bytes)) {
        return PML_OK;
    }
    pml_file_map_close(map);
    return PML_FAIL(error, PML_E_FORMAT,
                    "%s: is a Git LFS pointer, not the file it stands for ('git lfs pull' fetches that)", shown);
}

pml_status pml_foreign_map(const char *path, pml_file_map *map, pml_error *error) {
    pml_status status = pml_file_map_open(path, PML_E_IO, map, error);
    return status == PML_OK ? pml_foreign_check(path, map, error) : status;
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
    *fd = openat(blobs_fd, hash, PML_INPUT_FLAGS | O_NOFOLLOW);
    int code = errno;
    (void)close(blobs_fd);
    errno = code;
    return PML_OK;
}

static pml_status missing(const char *shown, const char *directory, int code, pml_error *error) {
    return code == ENOENT ? PML_FAIL(error, PML_E_NOT_FOUND, "%s: is missing in %s", shown, directory)
                          : pml_input_failure(shown, code, error);
}

/* Opens the folder that the last part of `name` lies in, part by part from `directory`, without following a link. *fd
 * is the caller's, also after an error (-1: none). */
static pml_status enter_folders(const char *directory, const char *name, const char *shown, int *fd,
                                const char **base_name, pml_error *error) {
    *fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *base_name = name;
    if (*fd < 0) {
        return pml_input_failure(directory, errno, error);
    }
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        char part[MAX_FILE_NAME_BYTES + 1];
        struct stat info;
        const size_t length = (size_t)(slash - *base_name);
        (void)snprintf(part, sizeof part, "%.*s", (int)(length < sizeof part ? length : 0), *base_name);
        if (!pml_is_base_name(part)) {
            return PML_FAIL(error, PML_E_FORMAT, "%s: only files of the same directory may be named", shown);
        }
        const int inner = openat(*fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        const int code = errno;
        const bool is_link = inner < 0 && fstatat(*fd, part, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
        (void)close(*fd);
        *fd = inner;
        *base_name = slash + 1;
        if (inner < 0) {
            return is_link ? PML_FAIL(error, PML_E_FORMAT, "%s: its folder is a symbolic link, which is not followed",
                                      shown)
                           : missing(shown, directory, code, error);
        }
    }
    return PML_OK;
}

pml_status pml_file_map_open_sibling(const char *directory, const char *name, const char *named_by, pml_file_map *map,
                                     pml_error *error) {
    pml_status status = PML_OK;
    int directory_fd = -1;
    const char *base_name;
    pml_quoted quoted;
    pml_quote(&quoted, name);
    char shown[sizeof quoted + 512];
    (void)snprintf(shown, sizeof shown, "%.500s: the file %s", named_by, quoted.text);
    const char *slash = strrchr(name, '/');
    if (!pml_is_base_name(slash != NULL ? slash + 1 : name)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: only files of the same directory may be named", shown));
    }
    PML_TRY(enter_folders(directory, name, shown, &directory_fd, &base_name, error));
    int fd = openat(directory_fd, base_name, PML_INPUT_FLAGS | O_NOFOLLOW);
    if (fd < 0 && errno == ELOOP) {
        PML_TRY(open_blob(directory_fd, base_name, shown, &fd, error));
    }
    if (fd < 0) {
        PML_TRY(missing(shown, directory, errno, error));
    }
    PML_TRY(pml_file_map_take(fd, shown, PML_E_IO, map, error));
    PML_TRY(pml_foreign_check(shown, map, error));
done:
    if (directory_fd >= 0) {
        (void)close(directory_fd);
    }
    return status;
}
