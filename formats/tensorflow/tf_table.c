#include "formats/tensorflow/tf_table.h"

#include <string.h>

#include "runtime/base/bytes.h"
#include "runtime/base/checked.h"
#include "runtime/base/crc32c.h"

#define MAGIC UINT64_C(0xdb4775248b80fb57)

enum { TRAILER_BYTES = 5, BLOCK_PLAIN = 0, BLOCK_SNAPPY = 1 };

typedef struct block_handle {
    uint64_t offset_bytes, size_bytes;
} block_handle;

typedef struct table_key {
    uint8_t bytes[PML_TF_MAX_KEY_BYTES];
    size_t size_bytes;
    bool is_set;
} table_key;

typedef struct table_walk {
    pml_tf_span table;
    const char *path;
    pml_tf_entry_fn *visit; /* of the caller */
    void *user;
    uint64_t next_block_bytes; /* where the next data block may begin at the earliest */
    table_key index_key, key;  /* the last ones of the index block and of all data blocks */
} table_walk;

int pml_tf_key_compare(pml_tf_span a, pml_tf_span b) {
    size_t common = a.size_bytes < b.size_bytes ? a.size_bytes : b.size_bytes;
    int order = common == 0 ? 0 : memcmp(a.bytes, b.bytes, common);
    return order != 0 ? order : (a.size_bytes > b.size_bytes) - (a.size_bytes < b.size_bytes);
}

static pml_status damage(const table_walk *w, uint64_t offset_bytes, const char *cause, pml_error *error) {
    return PML_FAIL_AT(error, PML_E_FORMAT, offset_bytes, "%s: at byte %llu: %s", w->path,
                       (unsigned long long)offset_bytes, cause);
}

static bool take_handle(pml_tf_span *span, block_handle *handle) {
    return pml_tf_take_varint(span, &handle->offset_bytes) && pml_tf_take_varint(span, &handle->size_bytes);
}

/* The contents of a block, its checksum compared. */
static pml_status open_block(const table_walk *w, block_handle handle, pml_tf_span *block, pml_error *error) {
    uint64_t blocks_bytes = w->table.size_bytes - PML_TF_FOOTER_BYTES, stored_bytes;
    if (!pml_ck_add(handle.size_bytes, TRAILER_BYTES, &stored_bytes) ||
        !pml_ck_range(handle.offset_bytes, stored_bytes, blocks_bytes)) {
        return PML_FAIL_AT(error, PML_E_FORMAT, handle.offset_bytes,
                           "%s: a block of %llu bytes at byte %llu reaches past the end of the blocks (%llu bytes)",
                           w->path, (unsigned long long)handle.size_bytes, (unsigned long long)handle.offset_bytes,
                           (unsigned long long)blocks_bytes);
    }
    const uint8_t *bytes = w->table.bytes + handle.offset_bytes;
    size_t size_bytes = (size_t)handle.size_bytes;
    uint32_t crc = pml_crc32c_mask(pml_crc32c_extend(0, bytes, size_bytes + 1));
    if (crc != pml_load_u32(bytes + size_bytes + 1)) {
        return damage(w, handle.offset_bytes, "the checksum of the block is wrong", error);
    }
    if (bytes[size_bytes] != BLOCK_PLAIN) {
        return PML_FAIL_AT(error, PML_E_UNSUPPORTED, handle.offset_bytes,
                           "%s: at byte %llu: the block is compressed (%s); TensorFlow itself writes plain blocks",
                           w->path, (unsigned long long)handle.offset_bytes,
                           bytes[size_bytes] == BLOCK_SNAPPY ? "snappy" : "by an unknown method");
    }
    *block = (pml_tf_span){bytes, size_bytes};
    return PML_OK;
}

/* Divides a block into its entries and its restart points; the latter are n_restarts numbers of 4 bytes. */
static pml_status split_block(const table_walk *w, pml_tf_span block, uint64_t offset_bytes, pml_tf_span *entries,
                              size_t *n_restarts, pml_error *error) {
    uint64_t n = 0, restarts_bytes = 0;
    if (block.size_bytes >= 4) {
        n = pml_load_u32(block.bytes + block.size_bytes - 4);
    }
    if (block.size_bytes < 4 || !pml_ck_mul(n, 4, &restarts_bytes) || restarts_bytes > block.size_bytes - 4 || n == 0) {
        return damage(w, offset_bytes, "the restart points do not fit the block", error);
    }
    *entries = (pml_tf_span){block.bytes, block.size_bytes - 4 - (size_t)restarts_bytes};
    *n_restarts = (size_t)n;
    return PML_OK;
}

/* Takes one entry; its key is what *key becomes. */
static pml_status take_entry(const table_walk *w, pml_tf_span *entries, bool is_restart, table_key *key,
                             pml_tf_span *value, pml_error *error) {
    uint64_t offset_bytes = (uint64_t)(entries->bytes - w->table.bytes), n_shared, n_own, n_value, n_key;
    pml_tf_span own;
    if (!pml_tf_take_varint(entries, &n_shared) || !pml_tf_take_varint(entries, &n_own) ||
        !pml_tf_take_varint(entries, &n_value) || !pml_tf_take_bytes(entries, n_own, &own) ||
        !pml_tf_take_bytes(entries, n_value, value)) {
        return damage(w, offset_bytes, "an entry reaches past the end of its block", error);
    }
    if (n_shared > (is_restart ? 0 : key->size_bytes)) {
        return damage(w, offset_bytes, "a key shares more than there is of the key before it", error);
    }
    if (!pml_ck_add(n_shared, n_own, &n_key) || n_key > PML_TF_MAX_KEY_BYTES) {
        return damage(w, offset_bytes, "a key is longer than 4096 bytes", error);
    }
    pml_tf_span before = {key->bytes + n_shared, key->size_bytes - (size_t)n_shared};
    if (key->is_set && pml_tf_key_compare(before, own) >= 0) {
        return damage(w, offset_bytes, "the keys are not in ascending order", error);
    }
    memcpy(key->bytes + n_shared, own.bytes, own.size_bytes);
    key->size_bytes = (size_t)n_key;
    key->is_set = true;
    return PML_OK;
}

/* Visits the entries of one block; *key carries the order over from block to block. */
static pml_status walk_block(const table_walk *w, block_handle handle, table_key *key, pml_tf_entry_fn *visit,
                             void *user, pml_error *error) {
    pml_status status = PML_OK;
    pml_tf_span block, entries, value;
    size_t n_restarts = 0, i_restart = 0;
    PML_TRY(open_block(w, handle, &block, error));
    PML_TRY(split_block(w, block, handle.offset_bytes, &entries, &n_restarts, error));
    const uint8_t *restarts = entries.bytes + entries.size_bytes;
    const bool is_empty = entries.size_bytes == 0;
    for (bool is_first = true; entries.size_bytes > 0; is_first = false) {
        uint64_t at = (uint64_t)(entries.bytes - block.bytes);
        uint64_t offset_bytes = (uint64_t)(entries.bytes - w->table.bytes);
        bool is_restart = i_restart < n_restarts && pml_load_u32(restarts + i_restart * sizeof(uint32_t)) == at;
        if (is_first && !is_restart) {
            PML_TRY(damage(w, handle.offset_bytes, "the restart points are not places of entries", error));
        }
        i_restart += is_restart;
        PML_TRY(take_entry(w, &entries, is_restart, key, &value, error));
        PML_TRY(visit(user, (pml_tf_span){key->bytes, key->size_bytes}, value, offset_bytes, error));
    }
    if (is_empty ? n_restarts != 1 || pml_load_u32(restarts) != 0 : i_restart != n_restarts) {
        PML_TRY(damage(w, handle.offset_bytes, "the restart points are not places of entries", error));
    }
done:
    return status;
}

/* One entry of the index block: a data block, whose keys are at most this one. */
static pml_status visit_handle(void *user, pml_tf_span key, pml_tf_span value, uint64_t offset_bytes,
                               pml_error *error) {
    pml_status status = PML_OK;
    table_walk *w = user;
    block_handle handle;
    if (!take_handle(&value, &handle) || value.size_bytes != 0) {
        PML_TRY(damage(w, offset_bytes, "is no place of a block", error));
    }
    if (handle.offset_bytes < w->next_block_bytes) {
        PML_TRY(damage(w, offset_bytes, "the blocks overlap or are not in ascending order", error));
    }
    PML_TRY(walk_block(w, handle, &w->key, w->visit, w->user, error));
    w->next_block_bytes = handle.offset_bytes + handle.size_bytes + TRAILER_BYTES; /* inside the file */
    if (w->key.is_set && pml_tf_key_compare((pml_tf_span){w->key.bytes, w->key.size_bytes}, key) > 0) {
        PML_TRY(damage(w, offset_bytes, "a block holds greater keys than the index says", error));
    }
done:
    return status;
}

pml_status pml_tf_table_walk(pml_tf_span table, const char *path, pml_tf_entry_fn *visit, void *user,
                             pml_error *error) {
    pml_status status = PML_OK;
    table_walk w = {.table = table, .path = path, .visit = visit, .user = user};
    block_handle metaindex, index;
    pml_tf_span block;
    if (table.size_bytes < PML_TF_FOOTER_BYTES ||
        pml_load_u64(table.bytes + table.size_bytes - sizeof(uint64_t)) != MAGIC) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, table.size_bytes,
                            "%s: does not end as the index of a TensorFlow checkpoint (it may be cut off)", path));
    }
    uint64_t footer_bytes = table.size_bytes - PML_TF_FOOTER_BYTES;
    pml_tf_span footer = {table.bytes + footer_bytes, PML_TF_FOOTER_BYTES - sizeof(uint64_t)};
    if (!take_handle(&footer, &metaindex) || !take_handle(&footer, &index)) {
        PML_TRY(damage(&w, footer_bytes, "the footer is damaged", error));
    }
    PML_TRY(open_block(&w, metaindex, &block, error));
    PML_TRY(walk_block(&w, index, &w.index_key, visit_handle, &w, error));
done:
    return status;
}
