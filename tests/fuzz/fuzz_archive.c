/* An archive of any kind: what is accepted holds distinct names that stay inside, in order, each with bytes that can be
 * read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formats/archive.h"
#include "runtime/base/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void check(const pml_archive *archive) {
    volatile uint8_t last = 0;
    for (size_t i = 0; i < pml_archive_n_members(archive); i++) {
        const char *name = pml_archive_name_at(archive, i);
        const uint8_t *data;
        uint64_t n;
        require(name[0] != '\0' && name[0] != '/' && strstr(name, "//") == NULL && strchr(name, '\\') == NULL);
        require(strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0 && strstr(name, "/../") == NULL);
        require(i == 0 || strcmp(pml_archive_name_at(archive, i - 1), name) < 0);
        require(pml_archive_find(archive, name, &data, &n));
        for (uint64_t k = 0; k < n; k += 4096) {
            last = data[k];
        }
        if (n > 0) {
            last = data[n - 1];
        }
    }
    (void)last;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    char path[64];
    pml_archive *archive = NULL;
    const int fd = memfd_create("archive", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, bytes, size_bytes) == (ssize_t)size_bytes);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (pml_archive_open(path, &archive, NULL) == PML_OK) {
        check(archive);
    }
    pml_archive_close(archive);
    (void)close(fd);
    return 0;
}
