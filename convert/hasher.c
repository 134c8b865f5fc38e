#include "convert/hasher.h"

#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/alloc.h"
#include "runtime/base/cancel.h"

/* Hashed at a time: small enough to answer Ctrl-C at once. */
#define PIECE_BYTES ((uint64_t)4 << 20)
/* Pages are given back in pieces of at least this size: each call has its price. */
#define RELEASE_BYTES ((uint64_t)8 << 20)

typedef struct hashed_file {
    pml_hash *hash;
    uint64_t hashed_bytes, released_bytes;
} hashed_file;

struct pml_hasher {
    pml_source *source;
    hashed_file *files;
    size_t n_files;
    uint64_t done_bytes, page_bytes;
    pml_hasher_progress_fn *progress;
    void *user;
};

pml_status pml_hasher_create(pml_source *source, pml_hasher_progress_fn *progress, void *user, pml_hasher **hasher,
                             pml_error *error) {
    pml_status status = PML_OK;
    pml_hasher *made = NULL;
    *hasher = NULL;
    PML_TRY(pml_alloc(1, sizeof *made, &made, error));
    made->source = source;
    made->progress = progress;
    made->user = user;
    const long page_bytes = sysconf(_SC_PAGESIZE);
    made->page_bytes = page_bytes > 0 ? (uint64_t)page_bytes : 65536u;
    made->n_files = pml_source_n_files(source);
    PML_TRY(pml_alloc(made->n_files, sizeof *made->files, &made->files, error));
    *hasher = made;
    made = NULL;
done:
    pml_hasher_destroy(made);
    return status;
}

void pml_hasher_destroy(pml_hasher *hasher) {
    if (hasher != NULL) {
        for (size_t i = 0; hasher->files != NULL && i < hasher->n_files; i++) {
            pml_hash_destroy(hasher->files[i].hash);
        }
        pml_free(hasher->files);
        pml_free(hasher);
    }
}

pml_status pml_hasher_advance(pml_hasher *hasher, size_t i_file, uint64_t end_bytes, pml_error *error) {
    pml_status status = PML_OK;
    hashed_file *file = &hasher->files[i_file];
    const uint64_t size_bytes = pml_source_file_size(hasher->source, i_file);
    const uint8_t *bytes = pml_source_file_data(hasher->source, i_file);
    if (file->hash == NULL) {
        PML_TRY(pml_hash_create(&file->hash, error));
    }
    end_bytes = end_bytes < size_bytes ? end_bytes : size_bytes;
    while (file->hashed_bytes < end_bytes) {
        const uint64_t left = end_bytes - file->hashed_bytes;
        const uint64_t n = left < PIECE_BYTES ? left : PIECE_BYTES;
        PML_TRY(pml_cancel_check(error));
        PML_TRY(pml_hash_update(file->hash, bytes + file->hashed_bytes, (size_t)n, error));
        file->hashed_bytes += n;
        hasher->done_bytes += n;
        if (hasher->progress != NULL) {
            hasher->progress(hasher->user, hasher->done_bytes);
        }
    }
done:
    return status;
}

void pml_hasher_release(pml_hasher *hasher, size_t i_file, uint64_t end_bytes) {
    hashed_file *file = &hasher->files[i_file];
    end_bytes = end_bytes < file->hashed_bytes ? end_bytes : file->hashed_bytes;
    end_bytes -= end_bytes % hasher->page_bytes;
    if (end_bytes < file->released_bytes + RELEASE_BYTES) {
        return;
    }
    /* Mapped for reading only: the pages stay in the page cache and come back when they are read again. A refusal costs
     * nothing. */
    uintptr_t address = (uintptr_t)pml_source_file_data(hasher->source, i_file) + file->released_bytes;
    if (address % hasher->page_bytes == 0) {
        (void)madvise((void *)address, (size_t)(end_bytes - file->released_bytes), MADV_DONTNEED);
    }
    file->released_bytes = end_bytes;
}

pml_status pml_hasher_finish(pml_hasher *hasher, char (**hashes)[PML_SHA256_TEXT_BYTES], pml_error *error) {
    pml_status status = PML_OK;
    char(*texts)[PML_SHA256_TEXT_BYTES] = NULL;
    *hashes = NULL;
    PML_TRY(pml_alloc(hasher->n_files, sizeof *texts, &texts, error));
    for (size_t i = 0; i < hasher->n_files; i++) {
        PML_TRY(pml_hasher_advance(hasher, i, UINT64_MAX, error));
        PML_TRY(pml_hash_finish(hasher->files[i].hash, texts[i], error));
    }
    *hashes = texts;
    texts = NULL;
done:
    pml_free(texts);
    return status;
}
