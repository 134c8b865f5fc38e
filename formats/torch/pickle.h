/* Pickles as trees of values: a machine for the opcodes that checkpoints are written with. Nothing is ever looked up,
 * called or imported: a call becomes a value that says what would be called, with what.
 *
 * The values form a graph that a hostile file may close into circles or share without end: whoever walks it marks what
 * it has seen, or counts. */
#ifndef PML_FORMATS_TORCH_PICKLE_H
#define PML_FORMATS_TORCH_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/error.h"

typedef enum pml_pickle_kind {
    PML_PICKLE_NONE,
    PML_PICKLE_BOOL,    /* integer: 0 or 1 */
    PML_PICKLE_INTEGER, /* integer */
    PML_PICKLE_LONG,    /* an integer beyond 64 bits: text holds its `count` bytes, little-endian */
    PML_PICKLE_REAL,    /* real */
    PML_PICKLE_TEXT,    /* text, `count` bytes, usually UTF-8, not terminated */
    PML_PICKLE_BYTES,   /* the same for bytes */
    PML_PICKLE_TUPLE,   /* items, `count` */
    PML_PICKLE_LIST,
    PML_PICKLE_SET,
    PML_PICKLE_DICT,    /* items: key, value, key, value ...; `count` is even */
    PML_PICKLE_GLOBAL,  /* global; text and count: its name; origin: its module, a TEXT */
    PML_PICKLE_TENSOR,  /* global: which of the rebuilding functions; origin: its arguments, a TUPLE */
    PML_PICKLE_STORAGE, /* origin: the persistent id */
    PML_PICKLE_OPAQUE,  /* what an unknown global (origin) would make; items that were put into it, its `state` */
} pml_pickle_kind;

/* What is known of a global: see the table in globals.c. */
typedef enum pml_pickle_global {
    PML_GLOBAL_UNKNOWN,
    PML_GLOBAL_ORDERED_DICT,
    PML_GLOBAL_TENSOR_V2,
    PML_GLOBAL_TENSOR_V3,
    PML_GLOBAL_PARAMETER,
    PML_GLOBAL_SIZE,
    PML_GLOBAL_ENCODE,
    PML_GLOBAL_STORAGE, /* of an element type */
    PML_GLOBAL_DTYPE,   /* an element type */
} pml_pickle_global;

typedef struct pml_pickle_value {
    uint8_t kind;    /* pml_pickle_kind */
    uint8_t global;  /* pml_pickle_global */
    uint8_t element; /* pml_torch_element of a STORAGE or DTYPE global */
    bool is_ordered : 1;
    bool is_seen : 1; /* free for whoever walks the graph */
    uint32_t count;
    uint32_t capacity;
    uint32_t origin;
    uint32_t state; /* of an OPAQUE: what BUILD gave it; 0: nothing */
    union {
        int64_t integer;
        double real;
        const uint8_t *text; /* in the pickle's bytes */
        uint32_t *items;     /* owned */
    };
} pml_pickle_value;

typedef struct pml_pickle { /* all zero = empty, safe to deinit */
    const char *shown;      /* what messages call the pickle's file; borrowed */
    uint64_t base_offset;   /* of the pickle in that file */
    pml_pickle_value **chunks;
    size_t n_chunks, chunk_capacity;
    uint32_t n_values;
    uint32_t *storages; /* every STORAGE, in order of appearance */
    size_t n_storages, storage_capacity;
} pml_pickle;

/* Runs the pickle at the front of `bytes`, which stay borrowed as long as the values are used; *root is its value and
 * *used_bytes its length. The caller deinits `pickle` also after an error. Errors: FORMAT (malformed), UNSUPPORTED (an
 * opcode that no checkpoint needs), MEMORY. */
pml_status pml_pickle_run(pml_pickle *pickle, const uint8_t *bytes, size_t size_bytes, uint64_t base_offset,
                          const char *shown, uint32_t *root, size_t *used_bytes, pml_error *error) PML_WARN_UNUSED;
void pml_pickle_deinit(pml_pickle *pickle);

/* Values are named by index, which is what items, origin and state hold. */
pml_pickle_value *pml_pickle_at(const pml_pickle *pickle, uint32_t index);
/* A new value of a kind, otherwise zero. For the machine and its parts. */
pml_status pml_pickle_add(pml_pickle *pickle, pml_pickle_kind kind, uint32_t *index, pml_error *error) PML_WARN_UNUSED;
/* Appends items. */
pml_status pml_pickle_append(pml_pickle_value *container, const uint32_t *items, size_t n_items,
                             pml_error *error) PML_WARN_UNUSED;

/* What "callable(*arguments)" stands for. NULL in *cause, or what is wrong with it. Errors: MEMORY. */
pml_status pml_pickle_reduce(pml_pickle *pickle, uint32_t callable, uint32_t arguments, uint32_t *result,
                             const char **cause, pml_error *error) PML_WARN_UNUSED;

/* True when `value` is a TEXT of just these characters. */
bool pml_pickle_is_text(const pml_pickle_value *value, const char *text);

#endif
