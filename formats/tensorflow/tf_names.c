#include "formats/tensorflow/tf_names.h"

#include <string.h>

#include "runtime/base/alloc.h"
#include "runtime/base/bytes.h"
#include "runtime/base/checked.h"
#include "runtime/base/crc32c.h"

static pml_status damage(const pml_tf_bundle *bundle, const pml_tf_entry *entry, const char *cause, pml_error *error) {
    return pml_tf_entry_fail(bundle, entry, PML_E_FORMAT, cause, error);
}

/* The one text of a scalar: its length, the checksum of the length, the bytes. The entry's checksum counts the length
 * as four bytes. */
static pml_status read_text(const pml_tf_bundle *bundle, const pml_tf_entry *entry, pml_tf_span shard,
                            pml_tf_span *text, pml_error *error) {
    pml_status status = PML_OK;
    uint64_t length;
    pml_tf_span checksum;
    uint8_t counted[4];
    if (entry->type != PML_TF_STRING || entry->rank != 0 || entry->is_divided) {
        PML_TRY(damage(bundle, entry, "is no single text", error));
    }
    if (!pml_ck_range(entry->offset_bytes, entry->size_bytes, shard.size_bytes)) {
        PML_TRY(damage(bundle, entry, "reaches past the end of its data file", error));
    }
    *text = (pml_tf_span){shard.bytes + entry->offset_bytes, (size_t)entry->size_bytes};
    if (!pml_tf_take_varint(text, &length) || length > UINT32_MAX || !pml_tf_take_bytes(text, 4, &checksum) ||
        text->size_bytes != length) {
        PML_TRY(damage(bundle, entry, "its length does not fit its bytes", error));
    }
    pml_store_u32(counted, (uint32_t)length);
    uint32_t crc = pml_crc32c_extend(0, counted, sizeof counted);
    if (pml_crc32c_mask(crc) != pml_load_u32(checksum.bytes)) {
        PML_TRY(damage(bundle, entry, "the checksum of its length is wrong", error));
    }
    crc = pml_crc32c_extend(pml_crc32c_extend(crc, checksum.bytes, 4), text->bytes, text->size_bytes);
    if (pml_crc32c_mask(crc) != entry->crc) {
        PML_TRY(damage(bundle, entry, "the checksum of its bytes is wrong", error));
    }
done:
    return status;
}

static bool is_text(pml_tf_span span) {
    return span.size_bytes > 0 && span.size_bytes <= PML_MAX_NAME_BYTES &&
           memchr(span.bytes, 0, span.size_bytes) == NULL;
}

/* One SerializedTensor: its full name and its key. Those without either say nothing. */
static pml_status add_attribute(pml_tf_span message, pml_tf_names *names, bool *is_whole, pml_error *error) {
    pml_status status = PML_OK;
    pml_tf_field field;
    pml_tf_span name = {0}, key = {0};
    size_t i_key, i_name;
    bool is_new, is_new_name;
    while (pml_tf_take_field(&message, &field)) {
        name = field.number == 2 && field.type == PML_TF_BYTES ? field.span : name;
        key = field.number == 3 && field.type == PML_TF_BYTES ? field.span : key;
    }
    *is_whole = message.size_bytes == 0;
    if (!*is_whole || !is_text(name) || !is_text(key)) {
        goto done;
    }
    PML_TRY(pml_grow(&names->i_names, &names->capacity, pml_names_count(&names->keys) + 1, sizeof *names->i_names,
                     PML_MAX_TENSORS, "variables", error));
    PML_TRY(pml_grow(&names->is_shared, &names->shared_capacity, pml_names_count(&names->names) + 1,
                     sizeof *names->is_shared, PML_MAX_TENSORS, "variables", error));
    PML_TRY(pml_names_add(&names->names, (const char *)name.bytes, name.size_bytes, PML_MAX_TENSORS, "variables",
                          &i_name, &is_new_name, error));
    if (is_new_name) {
        names->is_shared[i_name] = false;
    }
    PML_TRY(pml_names_add(&names->keys, (const char *)key.bytes, key.size_bytes, PML_MAX_TENSORS, "variables", &i_key,
                          &is_new, error));
    if (is_new) {
        names->i_names[i_key] = (uint32_t)i_name;
        names->is_shared[i_name] = !is_new_name;
    }
done:
    return status;
}

/* One node: of its fields, the attributes. */
static pml_status add_node(pml_tf_span message, pml_tf_names *names, bool *is_whole, pml_error *error) {
    pml_status status = PML_OK;
    pml_tf_field field;
    *is_whole = true;
    while (*is_whole && pml_tf_take_field(&message, &field)) {
        if (field.number == 2 && field.type == PML_TF_BYTES) {
            PML_TRY(add_attribute(field.span, names, is_whole, error));
        }
    }
    *is_whole = *is_whole && message.size_bytes == 0;
done:
    return status;
}

pml_status pml_tf_names_read(const pml_tf_bundle *bundle, const pml_tf_entry *entry, pml_tf_span shard,
                             pml_tf_names *names, pml_error *error) {
    pml_status status = PML_OK;
    pml_tf_span message;
    pml_tf_field field;
    bool is_whole = true;
    PML_TRY(read_text(bundle, entry, shard, &message, error));
    while (is_whole && pml_tf_take_field(&message, &field)) {
        if (field.number == 1 && field.type == PML_TF_BYTES) {
            status = add_node(field.span, names, &is_whole, error);
            PML_TRY(status == PML_E_FORMAT ? pml_error_prefix(error, status, "%s", bundle->path) : status);
        }
    }
    if (!is_whole || message.size_bytes != 0) {
        PML_TRY(damage(bundle, entry, "the graph of objects in it is damaged", error));
    }
done:
    return status;
}

void pml_tf_names_deinit(pml_tf_names *names) {
    pml_names_deinit(&names->keys);
    pml_names_deinit(&names->names);
    pml_free(names->i_names);
    pml_free(names->is_shared);
    *names = (pml_tf_names){0};
}

const char *pml_tf_names_find(const pml_tf_names *names, const char *key) {
    size_t i_key;
    if (!pml_names_find(&names->keys, key, strlen(key), &i_key) || names->is_shared[names->i_names[i_key]]) {
        return key;
    }
    return pml_names_at(&names->names, names->i_names[i_key]);
}
