/* A set of distinct strings, each with the index of its first addition: how duplicates in foreign files are found in
 * linear time. The hash is keyed at random, so that a file cannot choose names that collide. */
#ifndef PML_RUNTIME_BASE_NAMES_H
#define PML_RUNTIME_BASE_NAMES_H

#include "runtime/base/error.h"

typedef struct pml_names_slot pml_names_slot;
typedef struct pml_names_chunk pml_names_chunk;

typedef struct pml_names { /* all zero = valid, empty, safe to deinit; the fields are private */
    const char **items;
    size_t count, capacity;
    pml_names_slot *slots; /* open addressing, n_slots a power of two */
    size_t n_slots;
    uint64_t seed;
    pml_names_chunk *chunks; /* the texts; newest first */
} pml_names;

/* Adds a copy of `text` (no zero byte inside) unless it is there; *i_name is its index, *is_new whether it was added.
 * Errors: FORMAT ("more than <limit> <what>"), MEMORY; the set is then unchanged. */
pml_status pml_names_add(pml_names *names, const char *text, size_t length, size_t limit, const char *what,
                         size_t *i_name, bool *is_new, pml_error *error) PML_WARN_UNUSED;
/* True and *i_name when `text` is in the set. */
bool pml_names_find(const pml_names *names, const char *text, size_t length, size_t *i_name);
size_t pml_names_count(const pml_names *names);
/* The i-th name in order of addition, zero-terminated, valid until deinit. */
const char *pml_names_at(const pml_names *names, size_t i_name);
void pml_names_deinit(pml_names *names);

#endif
