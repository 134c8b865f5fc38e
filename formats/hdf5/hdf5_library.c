/* Datasets are found by walking links, not by the attributes that Keras writes (layer_names, weight_names): a dataset's
 * path is GROUP/WEIGHT_NAME either way, and attributes of variable length are one more thing to get wrong. */
#include "formats/hdf5/hdf5_library.h"

#include <errno.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "formats/hdf5/hdf5_record.h"
#include "runtime/base/alloc.h"
#include "runtime/base/checked.h"
#include "runtime/base/dtype.h"
#include "runtime/base/quote.h"

enum { MAX_TYPES = 24 };

typedef struct known_type {
    hid_t id;    /* as it lies in a file */
    hid_t plain; /* the same, little-endian */
    pml_dtype dtype;
} known_type;

typedef struct reader {
    const pml_hdf5_job *job;
    int fd;
    bool has_failed; /* REFUSED was said */
    unsigned depth, n_links, n_types;
    known_type types[MAX_TYPES];
    char path[PML_MAX_NAME_BYTES + 1]; /* of what is looked at */
    size_t path_bytes;
} reader;

/* ---- saying ---- */
static void say_bytes(const reader *r, const void *bytes, size_t size_bytes) {
    const char *at = bytes;
    while (size_bytes > 0) {
        ssize_t n = write(r->fd, at, size_bytes);
        if (n < 0 && errno != EINTR) {
            _Exit(1); /* nobody listens */
        }
        at += n > 0 ? n : 0;
        size_bytes -= n > 0 ? (size_t)n : 0;
    }
}

static void say(const reader *r, pml_hdf5_record record, const char *text) {
    record.text_bytes = (uint32_t)strlen(text);
    say_bytes(r, &record, sizeof record);
    say_bytes(r, text, record.text_bytes);
}

static herr_t take_first(unsigned n, const H5E_error2_t *entry, void *text) {
    if (n == 0 && entry->desc != NULL) {
        (void)snprintf(text, 160, "%s", entry->desc);
    }
    return 0;
}

/* Says once why this file is not read. */
static void refuse(reader *r, pml_status status, const char *cause) {
    char text[PML_HDF5_MAX_TEXT_BYTES];
    pml_quoted quoted;
    if (!r->has_failed) {
        (void)snprintf(text, sizeof text, "%s%s%s", r->path_bytes > 0 ? pml_quote(&quoted, r->path) : "",
                       r->path_bytes > 0 ? ": " : "", cause);
        say(r, (pml_hdf5_record){.kind = PML_HDF5_REFUSED, .code = (uint32_t)status}, text);
    }
    r->has_failed = true;
}

/* A call of the library failed: with its own innermost reason. */
static void refuse_damage(reader *r, const char *what) {
    char reason[160] = "no reason given", text[256];
    pml_quoted quoted;
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, reason);
    (void)snprintf(text, sizeof text, "%s (libhdf5: %s)", what, pml_quote(&quoted, reason));
    refuse(r, PML_E_FORMAT, text);
}

/* ---- types ---- */
static void know(reader *r, hid_t id, hid_t plain, pml_dtype dtype) {
    if (id >= 0 && plain >= 0 && r->n_types < MAX_TYPES) {
        r->types[r->n_types++] = (known_type){id, plain, dtype};
    }
}

/* IEEE half precision, which the library has no name for. */
static hid_t make_half(bool is_big_endian) {
    hid_t type = H5Tcopy(is_big_endian ? H5T_IEEE_F32BE : H5T_IEEE_F32LE);
    bool is_made = type >= 0 && H5Tset_fields(type, 15, 10, 5, 0, 10) >= 0 && H5Tset_size(type, 2) >= 0 &&
                   H5Tset_ebias(type, 15) >= 0;
    return is_made ? type : H5I_INVALID_HID;
}

static void know_types(reader *r) {
    hid_t half = make_half(false);
    know(r, H5T_IEEE_F32LE, H5T_IEEE_F32LE, PML_DTYPE_F32);
    know(r, H5T_IEEE_F32BE, H5T_IEEE_F32LE, PML_DTYPE_F32);
    know(r, H5T_IEEE_F64LE, H5T_IEEE_F64LE, PML_DTYPE_F64);
    know(r, H5T_IEEE_F64BE, H5T_IEEE_F64LE, PML_DTYPE_F64);
    know(r, half, half, PML_DTYPE_F16);
    know(r, make_half(true), half, PML_DTYPE_F16);
    know(r, H5T_STD_I8LE, H5T_STD_I8LE, PML_DTYPE_I8);
    know(r, H5T_STD_U8LE, H5T_STD_U8LE, PML_DTYPE_U8);
    know(r, H5T_STD_I8BE, H5T_STD_I8LE, PML_DTYPE_I8);
    know(r, H5T_STD_U8BE, H5T_STD_U8LE, PML_DTYPE_U8);
    know(r, H5T_STD_I16LE, H5T_STD_I16LE, PML_DTYPE_I16);
    know(r, H5T_STD_I16BE, H5T_STD_I16LE, PML_DTYPE_I16);
    know(r, H5T_STD_U16LE, H5T_STD_U16LE, PML_DTYPE_U16);
    know(r, H5T_STD_U16BE, H5T_STD_U16LE, PML_DTYPE_U16);
    know(r, H5T_STD_I32LE, H5T_STD_I32LE, PML_DTYPE_I32);
    know(r, H5T_STD_I32BE, H5T_STD_I32LE, PML_DTYPE_I32);
    know(r, H5T_STD_U32LE, H5T_STD_U32LE, PML_DTYPE_U32);
    know(r, H5T_STD_U32BE, H5T_STD_U32LE, PML_DTYPE_U32);
    know(r, H5T_STD_I64LE, H5T_STD_I64LE, PML_DTYPE_I64);
    know(r, H5T_STD_I64BE, H5T_STD_I64LE, PML_DTYPE_I64);
    know(r, H5T_STD_U64LE, H5T_STD_U64LE, PML_DTYPE_U64);
    know(r, H5T_STD_U64BE, H5T_STD_U64LE, PML_DTYPE_U64);
}

static const known_type *find_type(const reader *r, hid_t type) {
    for (unsigned i = 0; i < r->n_types; i++) {
        if (H5Tequal(type, r->types[i].id) > 0) {
            return &r->types[i];
        }
    }
    return NULL;
}

/* ---- datasets ---- */
/* Storage that leads out of the file, or through code that is not part of the library. */
static bool check_storage(reader *r, hid_t plan) {
    static const H5Z_filter_t allowed[] = {H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE, H5Z_FILTER_FLETCHER32};
    bool is_used[sizeof allowed / sizeof allowed[0]] = {false};
    const int n_filters = H5Pget_nfilters(plan);
    if (H5Pget_external_count(plan) != 0) {
        refuse(r, PML_E_UNSUPPORTED, "its data lie in other files (external storage)");
        return false;
    }
    for (int i = 0; i < n_filters; i++) {
        unsigned flags, config, values[16];
        size_t n_values = sizeof values / sizeof values[0], k = 0;
        H5Z_filter_t filter = H5Pget_filter2(plan, (unsigned)i, &flags, &n_values, values, 0, NULL, &config);
        while (k < sizeof allowed / sizeof allowed[0] && allowed[k] != filter) {
            k++;
        }
        if (k == sizeof allowed / sizeof allowed[0] || is_used[k]) {
            char cause[128];
            (void)snprintf(cause, sizeof cause,
                           "its data went through filter %d; deflate, shuffle and fletcher32 are read, each once",
                           (int)filter);
            refuse(r, PML_E_UNSUPPORTED, cause);
            return false;
        }
        is_used[k] = true;
    }
    return true;
}

/* Every chunk must be there: one that is not would be a fill value, and a file of no size could claim any. */
static bool check_chunks(reader *r, hid_t dataset, hid_t space, hid_t plan, const pml_hdf5_record *record) {
    hsize_t chunk[PML_MAX_RANK], n_found = 0;
    uint64_t n_chunks = 1;
    if (H5Pget_chunk(plan, PML_MAX_RANK, chunk) != (int)record->rank ||
        H5Dget_num_chunks(dataset, space, &n_found) < 0) {
        refuse_damage(r, "its chunks cannot be counted");
        return false;
    }
    for (uint32_t i = 0; i < record->rank; i++) {
        uint64_t n_along = chunk[i] == 0 ? 0 : record->shape[i] / chunk[i] + (record->shape[i] % chunk[i] != 0);
        n_chunks = pml_ck_mul(n_chunks, n_along, &n_chunks) ? n_chunks : UINT64_MAX;
    }
    if (n_found != n_chunks) {
        refuse(r, PML_E_FORMAT, "not all of its data are there (the rest is a fill value)");
        return false;
    }
    return true;
}

static bool place(reader *r, hid_t dataset, hid_t space, hid_t plan, bool is_swapped, pml_hdf5_record *record) {
    const H5D_layout_t layout = H5Pget_layout(plan);
    const haddr_t offset = layout == H5D_CONTIGUOUS ? H5Dget_offset(dataset) : HADDR_UNDEF;
    if (layout == H5D_VIRTUAL) {
        refuse(r, PML_E_UNSUPPORTED, "its data lie in other datasets (a virtual dataset)");
        return false;
    }
    if (!check_storage(r, plan)) {
        return false;
    }
    if (record->size_bytes == 0) {
        return true;
    }
    if (layout == H5D_CHUNKED) {
        record->is_made = 1;
        return check_chunks(r, dataset, space, plan, record);
    }
    if (H5Dget_storage_size(dataset) < record->size_bytes || (layout == H5D_CONTIGUOUS && offset == HADDR_UNDEF)) {
        refuse(r, PML_E_FORMAT, "its data are not there (only a fill value)");
        return false;
    }
    record->is_made = is_swapped || layout != H5D_CONTIGUOUS;
    record->offset_bytes = record->is_made ? 0 : offset;
    return true;
}

/* Fills the record of a dataset. False: it holds texts and is left out, or it was refused. */
static bool describe(reader *r, hid_t dataset, pml_hdf5_record *record, hid_t *plain) {
    hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset), plan = H5Dget_create_plist(dataset);
    const H5T_class_t kind = H5Tget_class(type);
    const known_type *known = find_type(r, type);
    const int rank = H5Sget_simple_extent_ndims(space);
    hsize_t shape[H5S_MAX_RANK] = {0};
    bool is_good = false;
    *record = (pml_hdf5_record){.kind = PML_HDF5_TENSOR, .rank = (uint32_t)rank};
    if (space < 0 || type < 0 || plan < 0 || rank < 0 || H5Sget_simple_extent_dims(space, shape, NULL) != rank) {
        refuse_damage(r, "its description is damaged");
    } else if (kind == H5T_STRING) {
        is_good = false; /* texts are no weights */
    } else if (known == NULL) {
        refuse(r, PML_E_UNSUPPORTED, "its elements are not plain numbers of a known size");
    } else if (rank > (int)PML_MAX_RANK || H5Sget_simple_extent_type(space) == H5S_NULL) {
        refuse(r, PML_E_UNSUPPORTED, "has more than 8 dimensions, or no extent");
    } else {
        for (int i = 0; i < rank; i++) {
            record->shape[i] = shape[i];
        }
        record->code = (uint32_t)known->dtype;
        *plain = known->plain;
        if (!pml_ck_product(record->shape, record->rank, &record->size_bytes) ||
            !pml_ck_mul(record->size_bytes, pml_dtype_bits(known->dtype) / 8, &record->size_bytes)) {
            refuse(r, PML_E_FORMAT, "the size of its shape overflows 64 bits");
        } else {
            is_good = place(r, dataset, space, plan, H5Tequal(known->id, known->plain) <= 0, record);
        }
    }
    (void)H5Pclose(plan);
    (void)H5Tclose(type);
    (void)H5Sclose(space);
    return is_good;
}

/* ---- groups ---- */
static void walk_group(reader *r, hid_t group);

static void visit_object(reader *r, hid_t object) {
    const H5I_type_t kind = H5Iget_type(object);
    pml_hdf5_record record;
    hid_t plain;
    if (kind == H5I_GROUP && r->depth == PML_MAX_HDF5_DEPTH) {
        refuse(r, PML_E_FORMAT, "groups lie in each other more than 32 deep (or in themselves)");
    } else if (kind == H5I_GROUP) {
        r->depth++;
        walk_group(r, object);
        r->depth--;
    } else if (kind == H5I_DATASET && describe(r, object, &record, &plain)) {
        say(r, record, r->path);
    }
}

static herr_t visit_link(hid_t group, const char *name, const H5L_info_t *link, void *user) {
    reader *r = user;
    const size_t length = r->path_bytes;
    int n = snprintf(r->path + length, sizeof r->path - length, "%s%s", length > 0 ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof r->path - length) {
        r->path[length] = '\0';
        refuse(r, PML_E_FORMAT, "a name is longer than 1024 bytes");
        return -1;
    }
    r->path_bytes += (size_t)n;
    if (link->type == H5L_TYPE_EXTERNAL) {
        refuse(r, PML_E_UNSUPPORTED, "is a link into another file");
    } else if (link->type != H5L_TYPE_HARD) {
        refuse(r, PML_E_UNSUPPORTED, "is a soft link; only what lies in the file under its own name is read");
    } else if (++r->n_links > PML_MAX_HDF5_LINKS) {
        refuse(r, PML_E_FORMAT, "the file has more than a million links (or one into itself)");
    } else {
        hid_t object = H5Oopen(group, name, H5P_DEFAULT);
        if (object < 0) {
            refuse_damage(r, "cannot be opened");
        } else {
            visit_object(r, object);
            (void)H5Oclose(object);
        }
    }
    r->path_bytes = length;
    r->path[length] = '\0';
    return r->has_failed ? -1 : 0;
}

static void walk_group(reader *r, hid_t group) {
    hsize_t position = 0;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &position, visit_link, r) < 0) {
        refuse_damage(r, "the group cannot be read");
    }
}

/* ---- the file, as it is mapped ---- */
static const pml_hdf5_job *current; /* a process reads one file */

static void *give_image(size_t size_bytes, H5FD_file_image_op_t operation, void *user) {
    (void)operation;
    (void)user;
    return size_bytes <= current->size_bytes ? (void *)(uintptr_t)current->bytes : NULL;
}

static void *keep_image(void *to, const void *from, size_t size_bytes, H5FD_file_image_op_t operation, void *user) {
    (void)from;
    (void)size_bytes;
    (void)operation;
    (void)user;
    return to; /* the same bytes: nothing is copied */
}

static void *refuse_growth(void *image, size_t size_bytes, H5FD_file_image_op_t operation, void *user) {
    (void)image;
    (void)size_bytes;
    (void)operation;
    (void)user;
    return NULL;
}

static herr_t leave_image(void *image, H5FD_file_image_op_t operation, void *user) {
    (void)image;
    (void)operation;
    (void)user;
    return 0;
}

static hid_t open_image(reader *r) {
    H5FD_file_image_callbacks_t callbacks = {.image_malloc = give_image,
                                             .image_memcpy = keep_image,
                                             .image_realloc = refuse_growth,
                                             .image_free = leave_image};
    current = r->job;
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    (void)H5PLset_loading_state(0); /* no plug-ins */
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), file = H5I_INVALID_HID;
    if (access >= 0 && H5Pset_fapl_core(access, 65536, 0) >= 0 &&
        H5Pset_file_image_callbacks(access, &callbacks) >= 0 &&
        H5Pset_file_image(access, (void *)(uintptr_t)r->job->bytes, r->job->size_bytes) >= 0) {
        file = H5Fopen("image", H5F_ACC_RDONLY, access);
    }
    if (file < 0) {
        refuse_damage(r, "is no HDF5 file that can be read");
    } else {
        know_types(r);
    }
    return file;
}

void pml_hdf5_list(const void *job, int fd) {
    reader r = {.job = job, .fd = fd};
    hid_t file = open_image(&r);
    if (file >= 0) {
        hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
        if (root < 0) {
            refuse_damage(&r, "its root group is damaged");
        } else {
            walk_group(&r, root);
        }
    }
    if (!r.has_failed) {
        say(&r, (pml_hdf5_record){.kind = PML_HDF5_END}, "");
    }
}

void pml_hdf5_read(const void *job, int fd) {
    reader r = {.job = job, .fd = fd};
    pml_hdf5_record record;
    hid_t plain = H5I_INVALID_HID, file = open_image(&r);
    void *bytes = NULL;
    if (file < 0) {
        return;
    }
    r.path_bytes = (size_t)snprintf(r.path, sizeof r.path, "%s", r.job->name);
    hid_t dataset = H5Dopen2(file, r.job->name, H5P_DEFAULT);
    if (dataset < 0) {
        refuse_damage(&r, "cannot be opened");
    } else if (describe(&r, dataset, &record, &plain)) {
        if (pml_alloc_aligned((size_t)record.size_bytes, &bytes, NULL) != PML_OK) {
            refuse(&r, PML_E_MEMORY, "is too large for this machine");
        } else if (H5Dread(dataset, plain, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) < 0) {
            refuse_damage(&r, "its data cannot be read");
        } else {
            say(&r, (pml_hdf5_record){.kind = PML_HDF5_DATA, .size_bytes = record.size_bytes}, "");
            say_bytes(&r, bytes, (size_t)record.size_bytes);
        }
    } else {
        refuse(&r, PML_E_FORMAT, "is not what it was");
    }
    pml_free(bytes);
}
