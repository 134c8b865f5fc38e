/* A slice's key is its tensor's name and extents in an order-preserving code: numbers as a length and big-endian bytes,
 * texts with their zeros escaped, signed numbers with the length in their leading bits (strings/ordered_code and
 * saved_tensor_slice_util of TensorFlow). */
#include "formats/tensorflow/tf_slices.h"

#include <stdlib.h>
#include <string.h>

#include "formats/tensorflow/tf_table.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"

typedef struct slice_extent {
    uint64_t start, length;
    bool is_whole; /* the message leaves the length out */
} slice_extent;

typedef struct slice_key {
    uint8_t bytes[PML_TF_MAX_KEY_BYTES];
    size_t size_bytes;
    bool is_cut; /* it did not fit; no key of a table is so long */
} slice_key;

static void put_byte(slice_key *key, unsigned byte) {
    if (key->size_bytes < sizeof key->bytes) {
        key->bytes[key->size_bytes++] = (uint8_t)byte;
    } else {
        key->is_cut = true;
    }
}

static void put_number(slice_key *key, uint64_t number) {
    uint8_t bytes[8];
    unsigned n_bytes = 0;
    for (; number != 0; number >>= 8) {
        bytes[n_bytes++] = (uint8_t)number;
    }
    put_byte(key, n_bytes);
    while (n_bytes > 0) {
        put_byte(key, bytes[--n_bytes]);
    }
}

static void put_text(slice_key *key, pml_tf_span text) {
    for (size_t i = 0; i < text.size_bytes; i++) {
        put_byte(key, text.bytes[i]);
        if (text.bytes[i] == 0 || text.bytes[i] == 0xff) {
            put_byte(key, text.bytes[i] ^ 0xffu);
        }
    }
    put_byte(key, 0);
    put_byte(key, 1);
}

/* Not negative, but for the -1 that stands for a whole extent. n bytes carry 7n - 1 bits; the first n of them are 1,
 * and the next is 0. */
static void put_signed(slice_key *key, uint64_t number) {
    unsigned n_bytes = 1;
    for (unsigned n_bits = 6; n_bits < 64 && number >> n_bits != 0; n_bits += 7) {
        n_bytes++;
    }
    uint8_t bytes[10] = {0};
    for (unsigned i = n_bytes; i > 0; i--, number >>= 8) {
        bytes[i - 1] = (uint8_t)number;
    }
    bytes[0] = (uint8_t)(bytes[0] ^ (n_bytes >= 8 ? 0xff : 0xff00u >> n_bytes));
    bytes[1] = (uint8_t)(bytes[1] ^ (n_bytes == 9 ? 0x80 : n_bytes == 10 ? 0xc0 : 0));
    for (unsigned i = 0; i < n_bytes; i++) {
        put_byte(key, bytes[i]);
    }
}

static void make_key(const pml_tf_entry *entry, const slice_extent *extents, slice_key *key) {
    *key = (slice_key){.size_bytes = 0};
    put_number(key, 0);
    put_text(key, entry->key);
    put_number(key, entry->rank);
    for (unsigned i = 0; i < entry->rank; i++) {
        put_signed(key, extents[i].start);
        if (extents[i].is_whole) {
            put_byte(key, 0x7f);
        } else {
            put_signed(key, extents[i].length);
        }
    }
}

/* One slice's message: an extent for each axis. */
static bool take_extents(pml_tf_span message, unsigned rank, slice_extent *extents) {
    pml_tf_field field, part;
    unsigned n = 0;
    while (pml_tf_take_field(&message, &field)) {
        if (field.number != 1 || field.type != PML_TF_BYTES) {
            continue;
        }
        if (n == rank) {
            return false;
        }
        extents[n] = (slice_extent){.is_whole = true};
        while (pml_tf_take_field(&field.span, &part)) {
            if (part.type != PML_TF_VARINT || part.value > INT64_MAX) {
                return false;
            }
            extents[n].start = part.number == 1 ? part.value : extents[n].start;
            extents[n].length = part.number == 2 ? part.value : extents[n].length;
            extents[n].is_whole = extents[n].is_whole && part.number != 2;
        }
        if (field.span.size_bytes != 0 || (extents[n].is_whole && extents[n].start != 0)) {
            return false;
        }
        n++;
    }
    return message.size_bytes == 0 && n == rank;
}

/* Finds the slice's own entry, and what part of the tensor it is. `axis` is the one divided so far, or the rank. */
static pml_status place_slice(const pml_tf_bundle *bundle, const pml_tf_entry *entry, const slice_extent *extents,
                              pml_tf_division *division, unsigned *axis, pml_error *error) {
    pml_status status = PML_OK;
    slice_key key;
    uint64_t shape[PML_MAX_RANK];
    make_key(entry, extents, &key);
    pml_tf_entry *slice = key.is_cut ? NULL : pml_tf_bundle_find(bundle, (pml_tf_span){key.bytes, key.size_bytes});
    if (slice == NULL) {
        PML_TRY(pml_tf_entry_fail(bundle, entry, PML_E_FORMAT, "one of its slices is missing", error));
    }
    for (unsigned i = 0; i < entry->rank; i++) {
        shape[i] = extents[i].is_whole ? entry->shape[i] : extents[i].length;
        if (!pml_ck_range(extents[i].start, shape[i], entry->shape[i])) {
            PML_TRY(pml_tf_entry_fail(bundle, entry, PML_E_FORMAT, "a slice reaches past its end", error));
        }
        if (shape[i] != entry->shape[i] && *axis != i) {
            if (*axis < entry->rank) {
                PML_TRY(pml_tf_entry_fail(bundle, entry, PML_E_UNSUPPORTED, "is divided along two axes", error));
            }
            *axis = i;
        }
    }
    if (slice->is_claimed || slice->is_divided || slice->type != entry->type || slice->rank != entry->rank ||
        memcmp(slice->shape, shape, entry->rank * sizeof shape[0]) != 0) {
        PML_TRY(pml_tf_entry_fail(bundle, entry, PML_E_FORMAT,
                                  "a slice stands twice, or has another shape or type than the tensor says", error));
    }
    slice->is_claimed = true;
    PML_TRY(pml_grow(&division->items, &division->capacity, division->count + 1, sizeof *division->items,
                     PML_MAX_TENSORS, "slices", error));
    division->items[division->count++] = (pml_tf_slice){.entry = slice};
    if (*axis < entry->rank) {
        division->items[division->count - 1].first = extents[*axis].start;
        division->items[division->count - 1].count = shape[*axis];
    }
done:
    return status;
}

static int compare_slices(const void *left, const void *right) {
    const pml_tf_slice *a = left, *b = right;
    return (a->first > b->first) - (a->first < b->first);
}

pml_status pml_tf_division_read(const pml_tf_bundle *bundle, const pml_tf_entry *entry, pml_tf_division *division,
                                pml_error *error) {
    pml_status status = PML_OK;
    pml_tf_span message = entry->slices;
    pml_tf_field field;
    unsigned axis = entry->rank;
    uint64_t end = 0;
    bool has_whole = false;
    while (pml_tf_take_field(&message, &field)) { /* the bundle has seen that all fields are whole */
        slice_extent extents[PML_MAX_RANK];
        if (field.number != 7) {
            continue;
        }
        if (!take_extents(field.span, entry->rank, extents)) {
            PML_TRY(pml_tf_entry_fail(bundle, entry, PML_E_FORMAT, "the extents of a slice are damaged", error));
        }
        PML_TRY(place_slice(bundle, entry, extents, division, &axis, error));
        has_whole = has_whole || axis == entry->rank;
    }
    if (has_whole && division->count > 1) {
        PML_TRY(pml_tf_entry_fail(bundle, entry, PML_E_FORMAT, "its slices overlap", error));
    }
    qsort(division->items, division->count, sizeof *division->items, compare_slices);
    for (size_t i = 0; axis < entry->rank && i < division->count; i++) {
        if (division->items[i].first != end) {
            PML_TRY(pml_tf_entry_fail(bundle, entry, PML_E_FORMAT,
                                      division->items[i].first < end ? "its slices overlap" : "its slices leave a gap",
                                      error));
        }
        end = division->items[i].first + division->items[i].count; /* inside the shape */
    }
    if (axis < entry->rank && end != entry->shape[axis]) {
        PML_TRY(pml_tf_entry_fail(bundle, entry, PML_E_FORMAT, "its slices leave a gap", error));
    }
    division->axis = axis;
done:
    return status;
}

void pml_tf_division_deinit(pml_tf_division *division) {
    pml_free(division->items);
    *division = (pml_tf_division){0};
}
