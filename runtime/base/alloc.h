/* The one allocator of pml. Replaceable, so that tests can fail the Nth allocation and count the rest. */
#ifndef PML_RUNTIME_BASE_ALLOC_H
#define PML_RUNTIME_BASE_ALLOC_H

#include "runtime/base/error.h"

/* Zeroed storage for `count` elements of `each_bytes`, at least 16-byte aligned; *out must be released with
 * pml_free. count * each_bytes == 0 gives a valid pointer that must be released too.
 * Errors: PML_E_MEMORY (also when the product overflows); *out is then NULL. */
#define pml_alloc(count, each_bytes, out, error) pml_alloc_raw((count), (each_bytes), (void **)(out), (error))
pml_status pml_alloc_raw(size_t count, size_t each_bytes, void **out, pml_error *error) PML_WARN_UNUSED;

/* As pml_alloc, for `size_bytes` bytes aligned to 64, not zeroed. Release with pml_free. */
pml_status pml_alloc_aligned(size_t size_bytes, void **out, pml_error *error) PML_WARN_UNUSED;

/* Grows an array of `each_bytes` elements so that it holds at least `needed` of them, doubling; new space is not
 * initialised. *items may be NULL with *capacity 0. `limit` is the greatest number allowed: beyond it the result
 * is PML_E_FORMAT ("more than <limit> <what>"). On error the array is unchanged. */
#define pml_grow(items, capacity, needed, each_bytes, limit, what, error)                                              \
    pml_grow_raw((void **)(items), (capacity), (needed), (each_bytes), (limit), (what), (error))
pml_status pml_grow_raw(void **items, size_t *capacity, size_t needed, size_t each_bytes, size_t limit,
                        const char *what, pml_error *error) PML_WARN_UNUSED;

/* An owned copy of `length` bytes of text plus a terminating zero. */
pml_status pml_string_copy(const char *text, size_t length, char **out, pml_error *error) PML_WARN_UNUSED;

/* Releases what the functions above gave; NULL is allowed. */
void pml_free(void *pointer);

/* Replaces the base allocator of the whole process; NULL restores libc's. Call while nothing is allocated or
 * with functions that understand libc's pointers. `allocate_bytes` has aligned_alloc's contract. */
void pml_allocator_set(void *(*allocate_bytes)(size_t alignment, size_t size_bytes), void (*release)(void *));

/* How many allocations the process has made through this file: tests read it around a step. */
uint64_t pml_allocation_count(void);

#endif
