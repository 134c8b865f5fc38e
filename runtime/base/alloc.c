#include "runtime/base/alloc.h"

#include "runtime/base/checked.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void *(*allocate_hook)(size_t, size_t);
static void (*release_hook)(void *);
static atomic_uint_fast64_t n_allocations;

static pml_status allocate(size_t alignment, uint64_t size_bytes, void **out, pml_error *error) {
    *out = NULL;
    uint64_t padded_bytes;
    if (!pml_ck_pad(size_bytes == 0 ? 1 : size_bytes, alignment, &padded_bytes) || padded_bytes > SIZE_MAX / 2) {
        return PML_FAIL(error, PML_E_MEMORY, "an allocation of %llu bytes is too large",
                        (unsigned long long)size_bytes);
    }
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
    void *pointer = allocate_hook != NULL ? allocate_hook(alignment, (size_t)padded_bytes)
                                          : aligned_alloc(alignment, (size_t)padded_bytes);
    if (pointer == NULL) {
        return PML_FAIL(error, PML_E_MEMORY, "out of memory: %llu bytes", (unsigned long long)size_bytes);
    }
    *out = pointer;
    return PML_OK;
}

pml_status pml_alloc_raw(size_t count, size_t each_bytes, void **out, pml_error *error) {
    *out = NULL;
    uint64_t size_bytes;
    if (!pml_ck_mul(count, each_bytes, &size_bytes)) {
        return PML_FAIL(error, PML_E_MEMORY, "%zu elements of %zu bytes overflow", count, each_bytes);
    }
    pml_status status = allocate(16, size_bytes, out, error);
    if (status == PML_OK) {
        memset(*out, 0, size_bytes == 0 ? 1 : (size_t)size_bytes);
    }
    return status;
}

pml_status pml_alloc_aligned(size_t size_bytes, void **out, pml_error *error) {
    return allocate(64, size_bytes, out, error);
}

pml_status pml_grow_raw(void **items, size_t *capacity, size_t needed, size_t each_bytes, size_t limit,
                        const char *what, pml_error *error) {
    if (needed <= *capacity) {
        return PML_OK;
    }
    if (needed > limit) {
        return PML_FAIL(error, PML_E_FORMAT, "more than %zu %s", limit, what);
    }
    size_t wanted = *capacity < 8 ? 8 : *capacity;
    while (wanted < needed) {
        wanted = wanted > limit / 2 ? limit : wanted * 2;
    }
    uint64_t size_bytes;
    if (!pml_ck_mul(wanted, each_bytes, &size_bytes)) {
        return PML_FAIL(error, PML_E_MEMORY, "%zu elements of %zu bytes overflow", wanted, each_bytes);
    }
    void *grown;
    pml_status status = allocate(16, size_bytes, &grown, error);
    if (status != PML_OK) {
        return status;
    }
    if (*items != NULL) {
        memcpy(grown, *items, *capacity * each_bytes);
        pml_free(*items);
    }
    *items = grown;
    *capacity = wanted;
    return PML_OK;
}

pml_status pml_string_copy(const char *text, size_t length, char **out, pml_error *error) {
    void *copy;
    pml_status status = pml_alloc_raw(length + 1, 1, &copy, error);
    *out = copy;
    if (status == PML_OK && length > 0) {
        memcpy(copy, text, length);
    }
    return status;
}

void pml_free(void *pointer) {
    if (pointer == NULL) {
        return;
    }
    if (release_hook != NULL) {
        release_hook(pointer);
    } else {
        free(pointer);
    }
}

void pml_allocator_set(void *(*allocate_bytes)(size_t, size_t), void (*release)(void *)) {
    allocate_hook = allocate_bytes;
    release_hook = release;
}

uint64_t pml_allocation_count(void) {
    return atomic_load_explicit(&n_allocations, memory_order_relaxed);
}
