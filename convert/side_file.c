#include "convert/side_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/alloc.h"

pml_status pml_side_file_read(const char *path, uint64_t most_bytes, char **bytes, size_t *size_bytes,
                              pml_error *error) {
    pml_status status = PML_OK;
    struct stat info;
    char *text = NULL;
    size_t used = 0;
    /* Not blocking: a FIFO of that name must not hang the program. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    *bytes = NULL;
    if (fd < 0) {
        const pml_status code = errno == ENOENT || errno == ENOTDIR ? PML_E_NOT_FOUND : PML_E_IO;
        PML_TRY(PML_FAIL(error, code, "%s: %s", path, strerror(errno)));
    }
    if (fstat(fd, &info) != 0) {
        PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", path, strerror(errno)));
    }
    if (!S_ISREG(info.st_mode)) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: not a regular file", path));
    }
    if ((uint64_t)info.st_size > most_bytes) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: %lld bytes; at most %llu are read", path, (long long)info.st_size,
                         (unsigned long long)most_bytes));
    }
    const size_t size = (size_t)info.st_size;
    PML_TRY(pml_alloc(size + 1, 1, &text, error));
    while (used < size) {
        const ssize_t n = read(fd, text + used, size - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            PML_TRY(PML_FAIL(error, PML_E_IO, "%s: %s", path, n < 0 ? strerror(errno) : "the file became shorter"));
        }
        used += (size_t)n;
    }
    *bytes = text;
    *size_bytes = size;
    text = NULL;
done:
    pml_free(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}
