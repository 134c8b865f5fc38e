/* Arena: storage with one lifetime. Allocation is a pointer bump; reset forgets everything at once.
 *
 * An arena may outgrow its first block: it then takes further blocks, and the next reset joins them into one block
 * of the greatest size seen, so that a step of a repeated computation allocates nothing from its second run on. */
#ifndef PML_RUNTIME_BASE_ARENA_H
#define PML_RUNTIME_BASE_ARENA_H

#include "runtime/base/error.h"

typedef struct pml_arena_block pml_arena_block;

typedef struct pml_arena {   /* all zero = valid, empty, safe to deinit */
    pml_arena_block *blocks; /* newest first */
    size_t used_bytes;       /* since the last reset, padding included */
    size_t peak_bytes;       /* greatest used_bytes ever */
} pml_arena;

/* Reserves a first block of `reserve_bytes` (0: none yet). Errors: PML_E_MEMORY. */
pml_status pml_arena_init(pml_arena *arena, size_t reserve_bytes, pml_error *error) PML_WARN_UNUSED;

/* `count` elements of `each_bytes`, 64-byte aligned, not initialised, valid until reset or deinit.
 * Errors: PML_E_MEMORY (also when the product overflows). */
#define pml_arena_alloc(arena, count, each_bytes, out, error)                                                          \
    pml_arena_alloc_raw((arena), (count), (each_bytes), (void **)(out), (error))
pml_status pml_arena_alloc_raw(pml_arena *arena, size_t count, size_t each_bytes, void **out,
                               pml_error *error) PML_WARN_UNUSED;

/* Forgets all allocations; keeps the memory. Errors: PML_E_MEMORY when joining blocks fails; the arena is then
 * empty and usable. */
pml_status pml_arena_reset(pml_arena *arena, pml_error *error) PML_WARN_UNUSED;

void pml_arena_deinit(pml_arena *arena);

#endif
