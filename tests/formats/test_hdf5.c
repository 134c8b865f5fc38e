/* Files that Keras and h5py wrote, files that lead astray, and the process that has to read them. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/source.h"
#include "tests/formats/conformance.h"

#ifndef PML_WITH_HDF5
static void refuses_by_name(void) {
    static const uint8_t head[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0, 0, 0, 0};
    const char *path = pml_test_path("%s/weights.h5", pml_test_temporary_dir());
    pml_source *source = NULL;
    pml_error error;
    pml_test_write_file(path, head, sizeof head);
    PML_ASSERT_FAILS(pml_source_open(path, &source, &error), PML_E_UNSUPPORTED, &error, "built without HDF5");
}

PML_TESTS("formats/hdf5", PML_TEST(refuses_by_name))
#else
#include <hdf5.h>

#include "formats/hdf5/hdf5_child.h"

#define KERAS "providers/keras-h5/"

static void reads_keras(void) {
    static const char *const names[] = {"tf_model.h5", "tf_model-old.h5", "tf_model-latest.h5", "tf_model-chunked.h5"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        pml_conform_golden(pml_test_path(KERAS "%s", names[i]), KERAS "expected.safetensors");
    }
}

/* ---- files of our own ---- */
static const float values[] = {1, -2, 3.5f, 0.25f, 5, 6};

static hid_t create(const char *name, const char **path) {
    *path = pml_test_path("%s/%s.h5", pml_test_temporary_dir(), name);
    hid_t file = H5Fcreate(*path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    CU_ASSERT_TRUE_FATAL(file >= 0);
    return file;
}

static void put(hid_t group, const char *name, hid_t type, unsigned rank, const hsize_t *shape, hid_t plan,
                hid_t memory_type, const void *bytes) {
    hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple((int)rank, shape, NULL);
    hid_t dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    CU_ASSERT_TRUE(space >= 0 && dataset >= 0);
    if (bytes != NULL) {
        CU_ASSERT_TRUE(H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0);
    }
    (void)H5Dclose(dataset);
    (void)H5Sclose(space);
}

static const hsize_t two_by_three[] = {2, 3};

/* Opens the file and views every tensor. */
static pml_status open_all(const char *path, pml_error *error) {
    pml_status status = PML_OK;
    pml_source *source = NULL;
    PML_TRY(pml_source_open(path, &source, error));
    for (size_t i = 0; i < pml_source_n_tensors(source); i++) {
        const void *bytes;
        PML_TRY(pml_source_tensor_view(source, pml_source_tensor_at(source, i), &bytes, error));
    }
done:
    pml_source_close(source);
    return status;
}

static void reads_every_storage(void) {
    pml_source *source = NULL;
    pml_error error;
    const char *path;
    static const hsize_t none[] = {0, 4};
    static const hsize_t chunk[] = {1, 2};
    hid_t file = create("storage", &path), text = H5Tcopy(H5T_C_S1);
    hid_t compact = H5Pcreate(H5P_DATASET_CREATE), chunked = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_layout(compact, H5D_COMPACT);
    (void)H5Pset_chunk(chunked, 2, chunk);
    (void)H5Pset_shuffle(chunked);
    (void)H5Pset_deflate(chunked, 6);
    (void)H5Pset_fletcher32(chunked);
    put(file, "plain", H5T_IEEE_F32LE, 2, two_by_three, H5P_DEFAULT, H5T_IEEE_F32LE, values);
    put(file, "big", H5T_IEEE_F32BE, 2, two_by_three, H5P_DEFAULT, H5T_IEEE_F32LE, values);
    put(file, "compact", H5T_IEEE_F32LE, 2, two_by_three, compact, H5T_IEEE_F32LE, values);
    put(file, "chunked", H5T_IEEE_F32LE, 2, two_by_three, chunked, H5T_IEEE_F32LE, values);
    put(file, "wide", H5T_IEEE_F64LE, 0, NULL, H5P_DEFAULT, H5T_IEEE_F32LE, values);
    put(file, "empty", H5T_STD_I64LE, 2, none, H5P_DEFAULT, H5T_STD_I64LE, NULL);
    put(file, "text", text, 0, NULL, H5P_DEFAULT, text, "x");
    (void)H5Fclose(file);
    PML_ASSERT_OK(pml_source_open(path, &source, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    CU_ASSERT_EQUAL(pml_source_n_tensors(source), 6); /* texts are no weights */
    static const char *const names[] = {"plain", "big", "compact", "chunked"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const pml_source_tensor *tensor = pml_source_tensor_find(source, names[i]);
        const void *bytes = NULL;
        CU_ASSERT_FATAL(tensor != NULL && tensor->is_made == (i > 0) && tensor->dtype == PML_DTYPE_F32);
        PML_ASSERT_OK(pml_source_tensor_view(source, tensor, &bytes, &error), &error);
        CU_ASSERT(bytes != NULL && memcmp(bytes, values, sizeof values) == 0);
    }
    const pml_source_tensor *wide = pml_source_tensor_find(source, "wide");
    const pml_source_tensor *empty = pml_source_tensor_find(source, "empty");
    CU_ASSERT(wide != NULL && wide->dtype == PML_DTYPE_F64 && wide->rank == 0 && wide->size_bytes == 8);
    CU_ASSERT(empty != NULL && empty->dtype == PML_DTYPE_I64 && empty->size_bytes == 0 && empty->shape[1] == 4);
    pml_source_close(source);
}

/* ---- what leads astray ---- */
static void make_external_link(hid_t file) {
    (void)H5Lcreate_external("/etc/passwd", "/x", file, "out", H5P_DEFAULT, H5P_DEFAULT);
}
static void make_soft_link(hid_t file) {
    (void)H5Lcreate_soft("/loop", file, "loop", H5P_DEFAULT, H5P_DEFAULT);
}
static void make_own_parent(hid_t file) {
    (void)H5Lcreate_hard(file, "/", file, "self", H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Lcreate_hard(file, "/", file, "again", H5P_DEFAULT, H5P_DEFAULT);
}
static void make_external_storage(hid_t file) {
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_external(plan, "/etc/passwd", 0, 24);
    put(file, "leak", H5T_IEEE_F32LE, 2, two_by_three, plan, H5T_IEEE_F32LE, NULL);
}
static void make_virtual(hid_t file) {
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(2, two_by_three, NULL);
    (void)H5Pset_virtual(plan, space, "/etc/passwd", "x", space);
    put(file, "virtual", H5T_IEEE_F32LE, 2, two_by_three, plan, H5T_IEEE_F32LE, NULL);
}
static void make_filtered(hid_t file, H5Z_filter_t filter, unsigned n_times) {
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_chunk(plan, 2, two_by_three);
    for (unsigned i = 0; i < n_times; i++) {
        (void)H5Pset_filter(plan, filter, H5Z_FLAG_OPTIONAL, 0, NULL);
    }
    put(file, "filtered", H5T_IEEE_F32LE, 2, two_by_three, plan, H5T_IEEE_F32LE, values);
}
static void make_plugin(hid_t file) {
    make_filtered(file, 32001, 1);
}
static void make_filter_chain(hid_t file) {
    make_filtered(file, H5Z_FILTER_SHUFFLE, 32);
}
static void make_nbit(hid_t file) {
    make_filtered(file, H5Z_FILTER_NBIT, 1);
}
static void make_fill_value(hid_t file) {
    put(file, "unwritten", H5T_IEEE_F32LE, 2, two_by_three, H5P_DEFAULT, H5T_IEEE_F32LE, NULL);
}
static void make_huge(hid_t file) {
    static const hsize_t shape[] = {UINT64_C(1000000000000000000)};
    put(file, "huge", H5T_STD_I8LE, 1, shape, H5P_DEFAULT, H5T_STD_I8LE, NULL);
}
static void make_huge_chunks(hid_t file) {
    static const hsize_t shape[] = {UINT64_C(1000000000000000000)}, chunk[] = {UINT32_MAX};
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    (void)H5Pset_chunk(plan, 1, chunk);
    put(file, "huge", H5T_STD_I8LE, 1, shape, plan, H5T_STD_I8LE, NULL);
}
static void make_bomb(hid_t file) {
    static const hsize_t shape[] = {24 << 20}, chunk[] = {1 << 20};
    hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    float *zeros = calloc((size_t)shape[0], sizeof *zeros);
    (void)H5Pset_chunk(plan, 1, chunk);
    (void)H5Pset_deflate(plan, 1);
    put(file, "bomb", H5T_IEEE_F32LE, 1, shape, plan, H5T_IEEE_F32LE, zeros);
    free(zeros);
}
static void make_compound(hid_t file) {
    hid_t type = H5Tcreate(H5T_COMPOUND, 8);
    (void)H5Tinsert(type, "r", 0, H5T_IEEE_F32LE);
    (void)H5Tinsert(type, "i", 4, H5T_IEEE_F32LE);
    put(file, "pairs", type, 1, two_by_three, H5P_DEFAULT, type, values);
}
static void make_deep(hid_t file) {
    hid_t group = file;
    for (int i = 0; i < 40; i++) {
        group = H5Gcreate2(group, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    }
}

static const struct {
    const char *name;
    void (*make)(hid_t file);
    pml_status status;
    const char *part;
} astray[] = {
    {"external_link", make_external_link, PML_E_UNSUPPORTED, "'out': is a link into another file"},
    {"soft_link_loop", make_soft_link, PML_E_UNSUPPORTED, "'loop': is a soft link"},
    {"own_parent", make_own_parent, PML_E_FORMAT, "more than 32 deep"},
    {"external_storage", make_external_storage, PML_E_UNSUPPORTED, "'leak': its data lie in other files"},
    {"virtual_dataset", make_virtual, PML_E_UNSUPPORTED, "'virtual': its data lie in other datasets"},
    {"plugin_filter", make_plugin, PML_E_UNSUPPORTED, "'filtered': its data went through filter 32001"},
    {"filter_chain", make_filter_chain, PML_E_UNSUPPORTED, "each once"},
    {"nbit_filter", make_nbit, PML_E_UNSUPPORTED, "went through filter 5"},
    {"fill_value_only", make_fill_value, PML_E_FORMAT, "'unwritten': its data are not there"},
    {"dimensions_1e18", make_huge, PML_E_FORMAT, "'huge': its data are not there"},
    {"chunks_4e9", make_huge_chunks, PML_E_FORMAT, "'huge': not all of its data are there"},
    {"gzip_bomb", make_bomb, PML_E_FORMAT, "'bomb': the file grows more than 64fold"},
    {"compound", make_compound, PML_E_UNSUPPORTED, "'pairs': its elements are not plain numbers"},
    {"deep", make_deep, PML_E_FORMAT, "more than 32 deep"},
};

static void refuses_what_leads_astray(void) {
    for (size_t i = 0; i < sizeof astray / sizeof astray[0]; i++) {
        const char *path;
        pml_error error = {0};
        hid_t file = create(astray[i].name, &path);
        put(file, "good", H5T_IEEE_F32LE, 2, two_by_three, H5P_DEFAULT, H5T_IEEE_F32LE, values);
        astray[i].make(file);
        (void)H5Fflush(file, H5F_SCOPE_GLOBAL);
        (void)H5Fclose(file);
        pml_status status = open_all(path, &error);
        const bool is_right = status == astray[i].status && strstr(error.message, astray[i].part) != NULL &&
                              strstr(error.message, path) != NULL;
        if (!is_right) {
            printf("\n%s: %s: %s\n", astray[i].name, pml_status_name(status), error.message);
        }
        CU_ASSERT_TRUE(is_right);
    }
}

static void survives_every_failing_allocation(void) {
    const char *path;
    hid_t file = create("scarce", &path);
    put(file, "plain", H5T_IEEE_F32LE, 2, two_by_three, H5P_DEFAULT, H5T_IEEE_F32LE, values);
    put(file, "big", H5T_IEEE_F32BE, 2, two_by_three, H5P_DEFAULT, H5T_IEEE_F32LE, values);
    (void)H5Fclose(file);
    pml_status status = PML_E_MEMORY;
    for (unsigned long n = 1; status == PML_E_MEMORY && n < 200; n++) {
        pml_error error;
        pml_test_fail_allocation(n, false);
        status = open_all(path, &error);
        pml_test_fail_allocation(0, false);
    }
    CU_ASSERT_EQUAL(status, PML_OK);
}

/* ---- damage ---- */
/* A file of every storage, flipped byte by byte and cut at each length (samples of both): whatever the library makes of
 * it, this process goes on, and what it accepts it can view. */
static void survives_damage(void) {
#ifdef PML_TEST_SANITIZED
    enum { N_SAMPLES = 60 };
#else
    enum { N_SAMPLES = 400 };
#endif
    size_t size_bytes;
    const char *good, *path = pml_test_path("%s/damaged.h5", pml_test_temporary_dir());
    static const hsize_t chunk[] = {1, 2};
    hid_t file = create("undamaged", &good), plan = H5Pcreate(H5P_DATASET_CREATE);
    hid_t group = H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Pset_chunk(plan, 2, chunk);
    (void)H5Pset_deflate(plan, 6);
    put(group, "plain", H5T_IEEE_F32LE, 2, two_by_three, H5P_DEFAULT, H5T_IEEE_F32LE, values);
    put(group, "chunked", H5T_IEEE_F32LE, 2, two_by_three, plan, H5T_IEEE_F32LE, values);
    (void)H5Gclose(group);
    (void)H5Fclose(file);
    unsigned char *bytes = pml_test_read_file(good, &size_bytes);
    size_t n_refused = 0;
    uint32_t random = 1;
    for (size_t i = 0; i < N_SAMPLES; i++) {
        pml_error error = {0};
        random = random * 1664525u + 1013904223u;
        const size_t at = (random >> 8) % size_bytes;
        const unsigned char before = bytes[at];
        bytes[at] = (unsigned char)(i % 3 == 0 ? 0xff : i % 3 == 1 ? before ^ (1u << (random & 7)) : random);
        pml_test_write_file(path, bytes, i % 4 == 3 ? at : size_bytes);
        bytes[at] = before;
        pml_status status = open_all(path, &error);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_FORMAT || status == PML_E_UNSUPPORTED);
        CU_ASSERT_TRUE(status == PML_OK || strstr(error.message, path) != NULL);
        n_refused += status != PML_OK;
    }
    CU_ASSERT_TRUE(n_refused > N_SAMPLES / 8);
    free(bytes);
}

/* ---- the process ---- */
static void try_to_escape(const void *context, int fd) {
    uint8_t succeeded = 0;
    void *volatile memory = malloc((size_t)1 << 33);
    (void)context;
    succeeded = (uint8_t)(succeeded | (open("/etc/passwd", O_RDONLY) >= 0 ? 1 : 0));
    succeeded = (uint8_t)(succeeded | (socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 2 : 0));
    succeeded = (uint8_t)(succeeded | (memory != NULL ? 4 : 0));
    succeeded = (uint8_t)(succeeded | (dup(2) >= 0 ? 8 : 0));
    succeeded = (uint8_t)(succeeded | (getppid() > 0 ? 16 : 0)); /* harmless, but nothing that computing needs */
    (void)!write(fd, &succeeded, 1);
}

static void crash(const void *context, int fd) {
    (void)context;
    (void)fd;
    (void)raise(SIGSEGV);
}

static void loop_for_ever(const void *context, int fd) {
    volatile uint64_t n = 0;
    (void)context;
    (void)fd;
    for (;;) {
        n++;
    }
}

static void confines_the_process(void) {
    static const pml_hdf5_limits limits = {.memory_bytes = 1 << 30, .seconds = 1};
    pml_hdf5_child child = {0};
    pml_error error;
    uint8_t succeeded = 0xff;
    PML_ASSERT_OK(pml_hdf5_child_start("x.h5", &limits, try_to_escape, NULL, &child, &error), &error);
    PML_ASSERT_OK(pml_hdf5_child_read(&child, &succeeded, 1, &error), &error);
    /* Descriptors, sockets and memory are a matter of limits; the filter of system calls needs a kernel that has it. */
    CU_ASSERT_EQUAL(succeeded & ~16, 0);
    CU_ASSERT_TRUE((succeeded & 16) == 0 || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0);
    PML_ASSERT_FAILS(pml_hdf5_child_read(&child, &succeeded, 1, &error), PML_E_FORMAT, &error, "ended before its time");
    pml_hdf5_child_end(&child);
    PML_ASSERT_OK(pml_hdf5_child_start("x.h5", &limits, loop_for_ever, NULL, &child, &error), &error);
    PML_ASSERT_FAILS(pml_hdf5_child_read(&child, &succeeded, 1, &error), PML_E_FORMAT, &error, "more than 1 s");
    pml_hdf5_child_end(&child);
    PML_ASSERT_OK(pml_hdf5_child_start("x.h5", &limits, loop_for_ever, NULL, &child, &error), &error);
    pml_hdf5_child_end(&child); /* without waiting for its time */
    pml_hdf5_child_end(&child);
    PML_ASSERT_OK(pml_hdf5_child_start("x.h5", &limits, crash, NULL, &child, &error), &error);
    PML_ASSERT_FAILS(pml_hdf5_child_read(&child, &succeeded, 1, &error), PML_E_FORMAT, &error, "x.h5: ");
    pml_hdf5_child_end(&child);
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
}

PML_TESTS("formats/hdf5", PML_TEST(reads_keras), PML_TEST(reads_every_storage), PML_TEST(refuses_what_leads_astray),
          PML_TEST(survives_every_failing_allocation), PML_TEST(survives_damage), PML_TEST(confines_the_process))
#endif
