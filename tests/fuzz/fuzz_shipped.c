/* A packed file, or a delta against a fixed old file: opened and restored piece by piece without a crash, within the
 * memory that its pieces may take. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "convert/ship/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

static const char *memory_file(const void *bytes, size_t size_bytes, int *fd, char path[64]) {
    *fd = memfd_create("shipped", MFD_CLOEXEC);
    if (*fd < 0 || write(*fd, bytes, size_bytes) != (ssize_t)size_bytes) {
        abort();
    }
    (void)snprintf(path, 64, "/proc/self/fd/%d", *fd);
    return path;
}

static void make_all(pml_pieces *pieces) {
    uint64_t content_bytes = 0;
    if (pieces->most_bytes > PML_FRAME_BYTES) {
        abort();
    }
    uint8_t *content = malloc((size_t)pieces->most_bytes + 1);
    for (size_t i = 0; content != NULL && i < pieces->count && i < 64; i++) {
        if (pieces->make(pieces, i, content, NULL) == PML_OK) {
            (void)pieces->is_intact(pieces, i, content);
        }
    }
    for (size_t i = 0; i < pieces->count; i++) {
        content_bytes += pieces->items[i].size_bytes;
    }
    if (content_bytes != pieces->content_bytes) {
        abort();
    }
    free(content);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes) {
    static const char old_text[] = "the old file that a delta was made against";
    char path[64], old_path[64];
    int fd, old_fd;
    pml_pieces pieces = {0};
    (void)memory_file(bytes, size_bytes, &fd, path);
    (void)memory_file(old_text, sizeof old_text - 1, &old_fd, old_path);
    if (pml_packed_open(path, &pieces, NULL) == PML_OK) {
        make_all(&pieces);
    }
    pml_pieces_close(&pieces);
    if (pml_delta_open(path, old_path, &pieces, NULL) == PML_OK) {
        make_all(&pieces);
    }
    pml_pieces_close(&pieces);
    (void)close(fd);
    (void)close(old_fd);
    return 0;
}
