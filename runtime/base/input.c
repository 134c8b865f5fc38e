#include "runtime/base/input.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

static const char *kind_of(mode_t mode) {
    return S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

pml_status pml_input_failure(const char *path, int code, pml_error *error) {
    bool is_absent = code == ENOENT || code == ENOTDIR;
    return PML_FAIL(error, is_absent ? PML_E_NOT_FOUND : PML_E_IO, "%s: %s", path,
                    is_absent ? "no such file or directory" : strerror(code));
}

static pml_status check(int fd, const char *shown, pml_status not_regular, uint64_t *size_bytes, pml_error *error) {
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return PML_FAIL(error, PML_E_IO, "%s: %s", shown, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return PML_FAIL(error, not_regular, "%s: is %s, not a regular file", shown, kind_of(info.st_mode));
    }
    *size_bytes = (uint64_t)info.st_size;
    return PML_OK;
}

pml_status pml_input_open(const char *path, pml_status not_regular, int *fd, uint64_t *size_bytes, pml_error *error) {
    int opened = open(path, PML_INPUT_FLAGS);
    if (opened < 0) {
        return pml_input_failure(path, errno, error);
    }
    pml_status status = check(opened, path, not_regular, size_bytes, error);
    if (status == PML_OK) {
        *fd = opened;
    } else {
        (void)close(opened);
    }
    return status;
}

static pml_status read_all(int fd, const char *path, char *bytes, size_t size_bytes, pml_error *error) {
    for (size_t used = 0; used < size_bytes;) {
        ssize_t n = read(fd, bytes + used, size_bytes - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return PML_FAIL(error, PML_E_IO, "%s: %s", path, n < 0 ? strerror(errno) : "the file became shorter");
        }
        used += (size_t)n;
    }
    return PML_OK;
}

pml_status pml_input_read(const char *path, pml_status not_regular, uint64_t most_bytes, char **bytes,
                          size_t *size_bytes, pml_error *error) {
    pml_status status;
    int fd = -1;
    char *text = NULL;
    uint64_t file_bytes = 0;
    PML_TRY(pml_input_open(path, not_regular, &fd, &file_bytes, error));
    if (file_bytes > most_bytes || file_bytes >= SIZE_MAX) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: %llu bytes, where at most %llu bytes are read", path,
                         (unsigned long long)file_bytes, (unsigned long long)most_bytes));
    }
    PML_TRY(pml_alloc((size_t)file_bytes + 1, 1, &text, error));
    PML_TRY(read_all(fd, path, text, (size_t)file_bytes, error));
    *bytes = text;
    *size_bytes = (size_t)file_bytes;
    text = NULL;
done:
    pml_free(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

pml_status pml_file_map_take(int fd, const char *shown, pml_status not_regular, pml_file_map *map, pml_error *error) {
    pml_status status;
    uint64_t file_bytes = 0;
    size_t size_bytes = 0;
    PML_TRY(check(fd, shown, not_regular, &file_bytes, error));
    if (!pml_ck_size(file_bytes, &size_bytes)) {
        PML_TRY(PML_FAIL(error, PML_E_MEMORY, "%s: does not fit into the address space", shown));
    }
    if (size_bytes == 0) {
        *map = (pml_file_map){.data = (const uint8_t *)""};
        goto done;
    }
    void *data = mmap(NULL, size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        PML_TRY(PML_FAIL(error, errno == ENOMEM ? PML_E_MEMORY : PML_E_IO, "%s: cannot be mapped: %s", shown,
                         strerror(errno)));
    }
    *map = (pml_file_map){.data = data, .size_bytes = size_bytes, .is_mapped = true};
done:
    (void)close(fd);
    return status;
}

pml_status pml_file_map_open(const char *path, pml_status not_regular, pml_file_map *map, pml_error *error) {
    int fd = open(path, PML_INPUT_FLAGS);
    return fd < 0 ? pml_input_failure(path, errno, error) : pml_file_map_take(fd, path, not_regular, map, error);
}

void pml_file_map_close(pml_file_map *map) {
    if (map->is_mapped) {
        (void)munmap((void *)(uintptr_t)map->data, map->size_bytes);
    }
    *map = (pml_file_map){0};
}
