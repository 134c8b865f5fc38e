/* Open addressing over indexes; the texts lie in chunks that never move. */
#include "runtime/base/names.h"

#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/base/alloc.h"

struct pml_names_slot {
    uint32_t hash;
    uint32_t i_name_plus_1; /* 0: free */
};

struct pml_names_chunk {
    pml_names_chunk *next;
    size_t used_bytes, capacity_bytes;
    char text[];
};

enum { FIRST_SLOTS = 64, FIRST_CHUNK_BYTES = 4096, GREATEST_CHUNK_BYTES = 1 << 20 };

static uint32_t hash_of(const pml_names *names, const char *text, size_t length) {
    return (uint32_t)XXH3_64bits_withSeed(text, length, names->seed);
}

/* The slot that holds the text, or the free one where it belongs. n_slots > 0 and one slot is always free. */
static pml_names_slot *slot_of(const pml_names *names, const char *text, size_t length, uint32_t hash) {
    size_t mask = names->n_slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        pml_names_slot *slot = &names->slots[i];
        if (slot->i_name_plus_1 == 0) {
            return slot;
        }
        const char *item = names->items[slot->i_name_plus_1 - 1];
        if (slot->hash == hash && strncmp(item, text, length) == 0 && item[length] == '\0') {
            return slot;
        }
    }
}

/* Doubles the table when it is half full. */
static pml_status make_room(pml_names *names, pml_error *error) {
    if (names->count < names->n_slots / 2) {
        return PML_OK;
    }
    pml_names_slot *slots;
    size_t n_slots = names->n_slots == 0 ? FIRST_SLOTS : names->n_slots * 2;
    pml_status status = pml_alloc(n_slots, sizeof *slots, &slots, error);
    if (status != PML_OK) {
        return status;
    }
    for (size_t i = 0; i < names->n_slots; i++) {
        if (names->slots[i].i_name_plus_1 != 0) {
            size_t j = names->slots[i].hash & (n_slots - 1);
            while (slots[j].i_name_plus_1 != 0) {
                j = (j + 1) & (n_slots - 1);
            }
            slots[j] = names->slots[i];
        }
    }
    pml_free(names->slots);
    names->slots = slots;
    names->n_slots = n_slots;
    return PML_OK;
}

static pml_status keep_text(pml_names *names, const char *text, size_t length, const char **kept, pml_error *error) {
    pml_names_chunk *chunk = names->chunks;
    if (chunk == NULL || chunk->capacity_bytes - chunk->used_bytes <= length) {
        size_t capacity_bytes = chunk == NULL ? FIRST_CHUNK_BYTES : chunk->capacity_bytes * 2;
        capacity_bytes = capacity_bytes > GREATEST_CHUNK_BYTES ? GREATEST_CHUNK_BYTES : capacity_bytes;
        capacity_bytes = capacity_bytes <= length ? length + 1 : capacity_bytes;
        pml_names_chunk *fresh;
        pml_status status = pml_alloc(1, sizeof *fresh + capacity_bytes, &fresh, error);
        if (status != PML_OK) {
            return status;
        }
        fresh->capacity_bytes = capacity_bytes;
        fresh->next = chunk;
        names->chunks = chunk = fresh;
    }
    char *copy = chunk->text + chunk->used_bytes;
    if (length > 0) {
        memcpy(copy, text, length);
    }
    copy[length] = '\0';
    chunk->used_bytes += length + 1;
    *kept = copy;
    return PML_OK;
}

pml_status pml_names_add(pml_names *names, const char *text, size_t length, size_t limit, const char *what,
                         size_t *i_name, bool *is_new, pml_error *error) {
    pml_status status = PML_OK;
    if (names->n_slots == 0 && getrandom(&names->seed, sizeof names->seed, GRND_NONBLOCK) < 0) {
        /* No entropy yet (early boot): where the stack lies is random enough to slow an attacker down. */
        names->seed = (uint64_t)(uintptr_t)&status;
    }
    PML_TRY(make_room(names, error));
    uint32_t hash = hash_of(names, text, length);
    pml_names_slot *slot = slot_of(names, text, length, hash);
    if (slot->i_name_plus_1 != 0) {
        *i_name = slot->i_name_plus_1 - 1;
        *is_new = false;
        goto done;
    }
    /* Indexes are kept in 32 bits. */
    limit = limit < UINT32_MAX - 1 ? limit : UINT32_MAX - 1;
    PML_TRY(pml_grow(&names->items, &names->capacity, names->count + 1, sizeof *names->items, limit, what, error));
    PML_TRY(keep_text(names, text, length, &names->items[names->count], error));
    *i_name = names->count++;
    *is_new = true;
    slot->hash = hash;
    slot->i_name_plus_1 = (uint32_t)names->count;
done:
    return status;
}

bool pml_names_find(const pml_names *names, const char *text, size_t length, size_t *i_name) {
    if (names->n_slots == 0) {
        return false;
    }
    const pml_names_slot *slot = slot_of(names, text, length, hash_of(names, text, length));
    if (slot->i_name_plus_1 == 0) {
        return false;
    }
    *i_name = slot->i_name_plus_1 - 1;
    return true;
}

size_t pml_names_count(const pml_names *names) {
    return names->count;
}

const char *pml_names_at(const pml_names *names, size_t i_name) {
    return names->items[i_name];
}

void pml_names_deinit(pml_names *names) {
    while (names->chunks != NULL) {
        pml_names_chunk *next = names->chunks->next;
        pml_free(names->chunks);
        names->chunks = next;
    }
    pml_free(names->slots);
    pml_free(names->items);
    *names = (pml_names){0};
}
