#include "runtime/base/arena.h"

#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

#define ALIGNMENT_BYTES 64u
#define SMALLEST_BLOCK_BYTES 65536u

struct pml_arena_block {
    pml_arena_block *next;
    size_t size_bytes; /* of the payload that follows this header */
    size_t used_bytes;
    char padding[ALIGNMENT_BYTES - sizeof(void *) - 2 * sizeof(size_t)];
};

static pml_status add_block(pml_arena *arena, size_t size_bytes, pml_error *error) {
    uint64_t total_bytes;
    if (!pml_ck_add(size_bytes, sizeof(pml_arena_block), &total_bytes)) {
        return PML_FAIL(error, PML_E_MEMORY, "an arena block of %zu bytes is too large", size_bytes);
    }
    void *storage;
    pml_status status = pml_alloc_aligned((size_t)total_bytes, &storage, error);
    if (status != PML_OK) {
        return status;
    }
    pml_arena_block *block = storage;
    block->next = arena->blocks;
    block->size_bytes = size_bytes;
    block->used_bytes = 0;
    arena->blocks = block;
    return PML_OK;
}

pml_status pml_arena_init(pml_arena *arena, size_t reserve_bytes, pml_error *error) {
    *arena = (pml_arena){0};
    return reserve_bytes == 0 ? PML_OK : add_block(arena, reserve_bytes, error);
}

pml_status pml_arena_alloc_raw(pml_arena *arena, size_t count, size_t each_bytes, void **out, pml_error *error) {
    *out = NULL;
    uint64_t size_bytes;
    if (!pml_ck_mul(count, each_bytes, &size_bytes) || !pml_ck_pad(size_bytes, ALIGNMENT_BYTES, &size_bytes) ||
        size_bytes > SIZE_MAX / 2) {
        return PML_FAIL(error, PML_E_MEMORY, "%zu elements of %zu bytes overflow", count, each_bytes);
    }
    pml_arena_block *block = arena->blocks;
    if (block == NULL || block->size_bytes - block->used_bytes < size_bytes) {
        size_t wanted = block == NULL ? SMALLEST_BLOCK_BYTES : block->size_bytes;
        pml_status status = add_block(arena, wanted > size_bytes ? wanted : (size_t)size_bytes, error);
        if (status != PML_OK) {
            return status;
        }
        block = arena->blocks;
    }
    *out = (char *)(block + 1) + block->used_bytes;
    block->used_bytes += (size_t)size_bytes;
    arena->used_bytes += (size_t)size_bytes;
    if (arena->used_bytes > arena->peak_bytes) {
        arena->peak_bytes = arena->used_bytes;
    }
    return PML_OK;
}

pml_status pml_arena_reset(pml_arena *arena, pml_error *error) {
    arena->used_bytes = 0;
    if (arena->blocks == NULL || arena->blocks->next == NULL) {
        if (arena->blocks != NULL) {
            arena->blocks->used_bytes = 0;
        }
        return PML_OK;
    }
    size_t peak_bytes = arena->peak_bytes;
    pml_arena_deinit(arena);
    arena->peak_bytes = peak_bytes;
    return add_block(arena, peak_bytes, error);
}

void pml_arena_deinit(pml_arena *arena) {
    while (arena->blocks != NULL) {
        pml_arena_block *next = arena->blocks->next;
        pml_free(arena->blocks);
        arena->blocks = next;
    }
    *arena = (pml_arena){0};
}
