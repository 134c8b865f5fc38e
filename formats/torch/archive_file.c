/* The archive: PREFIX/data.pkl, and each storage as an entry PREFIX/data/KEY. */
#include <stdio.h>
#include <string.h>

#include "formats/torch/container.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/quote.h"

static const char pickle_name[] = "data.pkl";

/* A deflated pickle may be this long in any case, and this many times as long as the file. */
enum { SMALL_PICKLE_BYTES = 1 << 20, MOST_GROWTH = 4 };

/* The entry PREFIX/`rest`, or NULL. */
static const pml_zip_entry *find(const pml_torch_container *container, const char *rest) {
    char name[PML_MAX_NAME_BYTES + 1];
    int length = snprintf(name, sizeof name, "%.*s%s", (int)container->prefix_bytes, container->prefix, rest);
    return length < 0 || (size_t)length >= sizeof name ? NULL : pml_zip_find(&container->zip, name);
}

/* Finds the one data.pkl in a folder at the top, which gives the prefix. */
static pml_status find_pickle(pml_torch_container *container, const pml_zip_entry **pickle, pml_error *error) {
    *pickle = NULL;
    for (size_t i = 0; i < container->zip.n_entries; i++) {
        const pml_zip_entry *entry = &container->zip.entries[i];
        const char *slash = strchr(entry->name, '/');
        if (slash == NULL || strcmp(slash + 1, pickle_name) != 0) {
            continue;
        }
        if (*pickle != NULL) {
            return PML_FAIL(error, PML_E_FORMAT, "%s: the archive holds two data.pkl", container->path);
        }
        *pickle = entry;
        container->prefix = entry->name;
        container->prefix_bytes = (size_t)(slash + 1 - entry->name);
    }
    if (*pickle == NULL) {
        return PML_FAIL(error, PML_E_UNSUPPORTED,
                        "%s: the archive holds no data.pkl, so that torch.save did not write it", container->path);
    }
    return PML_OK;
}

/* A program, not a checkpoint, also has code and constants. */
static pml_status refuse_script(const pml_torch_container *container, pml_error *error) {
    bool is_script = find(container, "constants.pkl") != NULL;
    for (size_t i = 0; i < container->zip.n_entries && !is_script; i++) {
        const char *name = container->zip.entries[i].name;
        is_script = strncmp(name, container->prefix, container->prefix_bytes) == 0 &&
                    strncmp(name + container->prefix_bytes, "code/", 5) == 0;
    }
    return is_script ? PML_FAIL(error, PML_E_UNSUPPORTED,
                                "%s: is a TorchScript program (it has code/): save the state_dict with torch.save",
                                container->path)
                     : PML_OK;
}

static pml_status check_byte_order(const pml_torch_container *container, pml_error *error) {
    pml_status status = PML_OK;
    char order[8] = {0};
    const pml_zip_entry *entry = find(container, "byteorder");
    if (entry == NULL) {
        goto done;
    }
    if (entry->size_bytes < sizeof order) {
        PML_TRY(pml_zip_read(&container->zip, entry, order, error));
    }
    if (strcmp(order, "little") != 0) {
        PML_TRY(PML_FAIL(error, PML_E_UNSUPPORTED, "%s: its byte order is not little-endian", container->path));
    }
done:
    return status;
}

/* Values take more memory than the bytes that they are read from: few bytes may not become many. */
static pml_status check_pickle_size(const pml_torch_container *container, const pml_zip_entry *entry,
                                    pml_error *error) {
    uint64_t most_bytes = PML_MAX_PICKLE_BYTES, grown_bytes;
    if (entry->method != PML_ZIP_STORED && pml_ck_mul(container->size_bytes, MOST_GROWTH, &grown_bytes) &&
        grown_bytes < most_bytes - SMALL_PICKLE_BYTES) {
        most_bytes = grown_bytes + SMALL_PICKLE_BYTES;
    }
    return entry->size_bytes <= most_bytes
               ? PML_OK
               : PML_FAIL(error, PML_E_FORMAT, "%s: a pickle of %llu bytes, more than allowed (%llu)", container->path,
                          (unsigned long long)entry->size_bytes, (unsigned long long)most_bytes);
}

pml_status pml_torch_archive_open(pml_torch_container *container, pml_error *error) {
    pml_status status = PML_OK;
    pml_zip *zip = &container->zip;
    const pml_zip_entry *entry;
    const uint8_t *bytes;
    size_t used_bytes;
    PML_TRY(pml_zip_open(container->data, container->size_bytes, container->path, zip, error));
    PML_TRY(find_pickle(container, &entry, error));
    PML_TRY(refuse_script(container, error));
    PML_TRY(check_byte_order(container, error));
    PML_TRY(pml_alloc(zip->n_entries, sizeof *container->is_checked, &container->is_checked, error));
    PML_TRY(check_pickle_size(container, entry, error));
    bytes = container->data + entry->data_offset;
    if (entry->method == PML_ZIP_STORED) {
        PML_TRY(pml_zip_check(zip, entry, error));
    } else {
        PML_TRY(pml_alloc((size_t)entry->size_bytes, 1, &container->inflated, error));
        PML_TRY(pml_zip_read(zip, entry, container->inflated, error));
        bytes = container->inflated;
    }
    PML_TRY(pml_pickle_run(&container->pickle, bytes, (size_t)entry->size_bytes, 0, container->path, &container->root,
                           &used_bytes, error));
    if (used_bytes != entry->size_bytes) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: something follows the end of the pickle", container->path));
    }
done:
    return status;
}

pml_status pml_torch_archive_place(pml_torch_container *container, const char *key, uint64_t size_bytes,
                                   pml_torch_place *place, pml_error *error) {
    pml_status status = PML_OK;
    char rest[PML_MAX_NAME_BYTES + 8];
    (void)snprintf(rest, sizeof rest, "data/%s", key);
    const pml_zip_entry *entry = find(container, rest);
    if (entry == NULL) {
        pml_quoted quoted;
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "its storage %s is missing in the archive", pml_quote(&quoted, key)));
        goto done;
    }
    if (entry->size_bytes != size_bytes) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "its storage holds %llu bytes, not the %llu that are declared",
                         (unsigned long long)entry->size_bytes, (unsigned long long)size_bytes));
    }
    bool *is_checked = &container->is_checked[entry - container->zip.entries];
    if (entry->method == PML_ZIP_STORED && !*is_checked) {
        PML_TRY(pml_zip_check(&container->zip, entry, error));
        *is_checked = true;
    }
    *place = (pml_torch_place){
        .data_offset = entry->data_offset,
        .deflated = entry->method == PML_ZIP_STORED ? NULL : entry,
    };
done:
    return status;
}
