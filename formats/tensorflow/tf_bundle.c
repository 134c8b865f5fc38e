/* Messages and their fields are those of tensor_bundle.proto, tensor_shape.proto and versions.proto of TensorFlow. */
#include "formats/tensorflow/tf_bundle.h"

#include <stdio.h>
#include <string.h>

#include "formats/tensorflow/tf_table.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/quote.h"

enum { READER_VERSION = 1, LITTLE_ENDIAN_BYTES = 0 };

static const pml_dtype dtypes[] = {
    /* by number in types.proto; the others have no counterpart or are no numbers */
    [1] = PML_DTYPE_F32,   [2] = PML_DTYPE_F64,   [3] = PML_DTYPE_I32,      [4] = PML_DTYPE_U8,
    [5] = PML_DTYPE_I16,   [6] = PML_DTYPE_I8,    [8] = PML_DTYPE_C64,      [9] = PML_DTYPE_I64,
    [10] = PML_DTYPE_BOOL, [14] = PML_DTYPE_BF16, [17] = PML_DTYPE_U16,     [19] = PML_DTYPE_F16,
    [22] = PML_DTYPE_U32,  [23] = PML_DTYPE_U64,  [24] = PML_DTYPE_F8_E5M2, [25] = PML_DTYPE_F8_E4M3,
};

pml_dtype pml_tf_dtype(uint32_t type) {
    return type < sizeof dtypes / sizeof dtypes[0] ? dtypes[type] : PML_DTYPE_NONE;
}

pml_status pml_tf_entry_fail(const pml_tf_bundle *bundle, const pml_tf_entry *entry, pml_status code, const char *cause,
                             pml_error *error) {
    char name[PML_MAX_NAME_BYTES + 1];
    pml_quoted quoted;
    size_t n = 0;
    for (; n < entry->key.size_bytes && n < sizeof name - 1; n++) {
        name[n] = entry->key.bytes[n] == 0 ? '.' : (char)entry->key.bytes[n];
    }
    name[n] = '\0';
    return PML_FAIL(error, code, "%s: tensor %s: %s", bundle->path, pml_quote(&quoted, name), cause);
}

typedef struct reading {
    pml_tf_bundle *bundle;
    uint64_t offset_bytes; /* of the entry that is read */
} reading;

static pml_status damage(const reading *r, const char *cause, pml_error *error) {
    return PML_FAIL_AT(error, PML_E_FORMAT, r->offset_bytes, "%s: the entry at byte %llu: %s", r->bundle->path,
                       (unsigned long long)r->offset_bytes, cause);
}

/* A field of another type than its number has is damage, not an unknown field. */
static bool is_typed(const pml_tf_field *field, const uint8_t *types, size_t n_types) {
    return field->number >= n_types || types[field->number] == UINT8_MAX || types[field->number] == field->type;
}

static pml_status read_version(const reading *r, pml_tf_span message, pml_error *error) {
    pml_status status = PML_OK;
    pml_tf_field field;
    while (pml_tf_take_field(&message, &field)) {
        if (field.number == 2 && field.type == PML_TF_VARINT && field.value > READER_VERSION) {
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: asks for readers of version %llu; this one has version %d",
                             r->bundle->path, (unsigned long long)field.value, READER_VERSION));
        }
    }
    if (message.size_bytes != 0) {
        PML_TRY(damage(r, "the version in the header is damaged", error));
    }
done:
    return status;
}

static pml_status read_header(reading *r, pml_tf_span message, pml_error *error) {
    pml_status status = PML_OK;
    static const uint8_t types[] = {UINT8_MAX, PML_TF_VARINT, PML_TF_VARINT, PML_TF_BYTES};
    pml_tf_field field;
    uint64_t n_shards = 0;
    while (pml_tf_take_field(&message, &field)) {
        if (!is_typed(&field, types, sizeof types)) {
            PML_TRY(damage(r, "the header is damaged", error));
        }
        if (field.number == 1) {
            n_shards = field.value;
        } else if (field.number == 2 && field.value != LITTLE_ENDIAN_BYTES) {
            PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED,
                             "%s: was written on a big-endian machine; little-endian checkpoints are read",
                             r->bundle->path));
        } else if (field.number == 3) {
            PML_TRY(read_version(r, field.span, error));
        }
    }
    if (message.size_bytes != 0) {
        PML_TRY(damage(r, "the header is damaged", error));
    }
    if (n_shards == 0 || n_shards >= PML_MAX_SHARDS) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, r->offset_bytes, "%s: names %llu data files; 1 to %u are possible",
                            r->bundle->path, (unsigned long long)n_shards, PML_MAX_SHARDS - 1));
    }
    r->bundle->n_shards = (uint32_t)n_shards;
    r->bundle->has_header = true;
done:
    return status;
}

static pml_status read_size(const reading *r, pml_tf_span message, uint64_t *size, pml_error *error) {
    pml_tf_field field;
    *size = 0;
    while (pml_tf_take_field(&message, &field)) {
        if (field.number == 1 && field.type == PML_TF_VARINT) {
            *size = field.value;
        }
    }
    if (message.size_bytes != 0 || *size > INT64_MAX) {
        return damage(r, "a dimension is damaged or negative", error);
    }
    return PML_OK;
}

static pml_status read_shape(const reading *r, pml_tf_span message, pml_tf_entry *entry, pml_error *error) {
    pml_status status = PML_OK;
    pml_tf_field field;
    while (pml_tf_take_field(&message, &field)) {
        if (field.number == 3 && field.value != 0) {
            PML_TRY(damage(r, "the shape is not known", error));
        }
        if (field.number != 2 || field.type != PML_TF_BYTES) {
            continue;
        }
        if (entry->rank == PML_MAX_RANK) {
            PML_TRY(pml_tf_entry_fail(r->bundle, entry, PML_E_UNSUPPORTED, "has more than 8 dimensions", error));
        }
        PML_TRY(read_size(r, field.span, &entry->shape[entry->rank], error));
        entry->rank++;
    }
    if (message.size_bytes != 0) {
        PML_TRY(damage(r, "the shape is damaged", error));
    }
done:
    return status;
}

static pml_status read_entry(const reading *r, pml_tf_span message, pml_tf_entry *entry, pml_error *error) {
    pml_status status = PML_OK;
    static const uint8_t types[] = {UINT8_MAX,     PML_TF_VARINT, PML_TF_BYTES,   PML_TF_VARINT,
                                    PML_TF_VARINT, PML_TF_VARINT, PML_TF_FIXED32, PML_TF_BYTES};
    uint64_t numbers[sizeof types] = {0};
    for (;;) {
        pml_tf_field field;
        pml_tf_span here = message;
        if (!pml_tf_take_field(&message, &field)) {
            break;
        }
        if (!is_typed(&field, types, sizeof types)) {
            PML_TRY(damage(r, "is damaged", error));
        }
        if (field.number == 2) {
            PML_TRY(read_shape(r, field.span, entry, error));
        } else if (field.number == 7 && !entry->is_divided) {
            entry->slices = here;
            entry->is_divided = true;
        } else if (field.number < sizeof types) {
            numbers[field.number] = field.value;
        }
    }
    if (message.size_bytes != 0) {
        PML_TRY(damage(r, "is damaged", error));
    }
    if (numbers[1] > UINT32_MAX || numbers[4] > INT64_MAX || numbers[5] > INT64_MAX) {
        PML_TRY(damage(r, "a number in it is negative or too large", error));
    }
    if (numbers[3] >= r->bundle->n_shards) {
        char cause[96];
        (void)snprintf(cause, sizeof cause, "is in data file %llu of %u", (unsigned long long)numbers[3],
                       (unsigned)r->bundle->n_shards);
        PML_TRY(pml_tf_entry_fail(r->bundle, entry, PML_E_FORMAT, cause, error));
    }
    entry->type = (uint32_t)numbers[1];
    entry->i_shard = (uint32_t)numbers[3];
    entry->offset_bytes = numbers[4];
    entry->size_bytes = numbers[5];
    entry->crc = (uint32_t)numbers[6];
done:
    return status;
}

static pml_status visit(void *user, pml_tf_span key, pml_tf_span value, uint64_t offset_bytes, pml_error *error) {
    pml_status status = PML_OK;
    reading *r = user;
    pml_tf_bundle *b = r->bundle;
    r->offset_bytes = offset_bytes;
    if (key.size_bytes == 0) { /* it sorts before every other key */
        PML_TRY(read_header(r, value, error));
        goto done;
    }
    if (!b->has_header) {
        PML_TRY(PML_FAIL_AT(error, PML_E_FORMAT, offset_bytes, "%s: has no header", b->path));
    }
    status =
        pml_grow(&b->entries, &b->capacity, b->n_entries + 1, sizeof *b->entries, PML_MAX_TENSORS, "entries", error);
    PML_TRY(status == PML_E_FORMAT ? pml_error_prefix(error, status, "%s", b->path) : status);
    pml_tf_entry *entry = &b->entries[b->n_entries];
    uint8_t *copy;
    PML_TRY(pml_arena_alloc(&b->keys, key.size_bytes, 1, &copy, error));
    memcpy(copy, key.bytes, key.size_bytes);
    *entry = (pml_tf_entry){.key = {copy, key.size_bytes}, .is_slice = copy[0] == 0};
    PML_TRY(read_entry(r, value, entry, error));
    b->n_entries++;
done:
    return status;
}

pml_status pml_tf_bundle_read(pml_tf_span index, const char *path, pml_tf_bundle *bundle, pml_error *error) {
    pml_status status = PML_OK;
    bundle->path = path;
    reading r = {.bundle = bundle};
    PML_TRY(pml_arena_init(&bundle->keys, 0, error));
    PML_TRY(pml_tf_table_walk(index, path, visit, &r, error));
    if (!bundle->has_header) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: has no header", path));
    }
done:
    return status;
}

void pml_tf_bundle_deinit(pml_tf_bundle *bundle) {
    pml_free(bundle->entries);
    pml_arena_deinit(&bundle->keys);
    *bundle = (pml_tf_bundle){0};
}

pml_tf_entry *pml_tf_bundle_find(const pml_tf_bundle *bundle, pml_tf_span key) {
    size_t low = 0, high = bundle->n_entries;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = pml_tf_key_compare(bundle->entries[middle].key, key);
        if (order == 0) {
            return &bundle->entries[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}
