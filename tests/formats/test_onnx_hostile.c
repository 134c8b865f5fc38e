/* Hostile ONNX models: damaged messages, lying tensors, external data that leads elsewhere. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/onnx/onnx_open.h"
#include "formats/source.h"
#include "tests/harness.h"

/* ---- building models: numbers of fields as in formats/onnx/onnx.proto --------------------------------------- */
enum { MAX_MESSAGE_BYTES = 1 << 16 };
typedef struct message {
    uint8_t bytes[MAX_MESSAGE_BYTES];
    size_t n_bytes;
} message;

static void put_varint(message *m, uint64_t value) {
    do {
        m->bytes[m->n_bytes++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value > 0);
}

static void put_number(message *m, unsigned field, uint64_t value) {
    put_varint(m, field << 3);
    put_varint(m, value);
}

static void put_bytes(message *m, unsigned field, const void *bytes, size_t n_bytes) {
    CU_ASSERT_FATAL(m->n_bytes + n_bytes + 16 < MAX_MESSAGE_BYTES);
    put_varint(m, field << 3 | 2);
    put_varint(m, n_bytes);
    memcpy(m->bytes + m->n_bytes, bytes, n_bytes);
    m->n_bytes += n_bytes;
}

static void put_text(message *m, unsigned field, const char *text) {
    put_bytes(m, field, text, strlen(text));
}

static void put_message(message *m, unsigned field, const message *inner) {
    put_bytes(m, field, inner->bytes, inner->n_bytes);
}

static void put_entry(message *tensor, const char *key, const char *value) {
    message entry = {.n_bytes = 0};
    put_text(&entry, 1, key);
    put_text(&entry, 2, value);
    put_message(tensor, 13, &entry);
}

enum { FLOAT = 1, INT8 = 3, INT64 = 7, STRING = 8, INT4 = 22 };

/* Name, type and dimensions; no elements yet. */
static message make_tensor(const char *name, uint64_t type, const int64_t *dims, size_t n_dims) {
    message t = {.n_bytes = 0};
    for (size_t i = 0; i < n_dims; i++) {
        put_number(&t, 1, (uint64_t)dims[i]);
    }
    put_number(&t, 2, type);
    put_text(&t, 8, name);
    return t;
}

/* A model of one graph; `opset` 0: none is named. */
static message make_model(const message *graph, uint64_t opset) {
    message model = {.n_bytes = 0}, set = {.n_bytes = 0};
    put_number(&model, 1, 8);
    put_message(&model, 7, graph);
    if (opset > 0) {
        put_number(&set, 2, opset);
        put_message(&model, 8, &set);
    }
    return model;
}

static message model_of_tensor(const message *tensor) {
    message graph = {.n_bytes = 0};
    put_message(&graph, 5, tensor);
    return make_model(&graph, 17);
}

/* ---- opening ------------------------------------------------------------------------------------------------ */
static const char *model_path(void) {
    return pml_test_path("%s/model.onnx", pml_test_temporary_dir());
}

static void write_model(const message *model) {
    pml_test_write_file(model_path(), model->bytes, model->n_bytes);
}

/* PML_OK, or the first error of opening it and viewing every tensor. */
static pml_status read_all(const char *path, pml_error *error) {
    pml_source *source = NULL;
    const void *view;
    pml_status status = pml_source_open(path, &source, error);
    for (size_t i = 0; status == PML_OK && i < pml_source_n_tensors(source); i++) {
        status = pml_source_tensor_view(source, pml_source_tensor_at(source, i), &view, error);
    }
    pml_source_close(source);
    return status;
}

static void refuse(const message *model, pml_status expected, const char *part) {
    pml_error error = {0};
    write_model(model);
    PML_ASSERT_FAILS(read_all(model_path(), &error), expected, &error, part);
}

static void accept(const message *model) {
    pml_error error = {0};
    write_model(model);
    PML_ASSERT_OK(read_all(model_path(), &error), &error);
}

static const int64_t TWO_BY_THREE[] = {2, 3};
static const uint8_t ZEROS[4096];

/* ---- messages ----------------------------------------------------------------------------------------------- */
static void wire_format_is_checked(void) {
    message tensor = make_tensor("a.weight", FLOAT, TWO_BY_THREE, 2), model, damaged;
    put_bytes(&tensor, 9, ZEROS, 24);
    model = model_of_tensor(&tensor);
    accept(&model);
    damaged = model;
    put_varint(&damaged, 7 << 3 | 2);
    put_varint(&damaged, 1000);
    refuse(&damaged, PML_E_FORMAT, "past the end");
    damaged = model;
    put_varint(&damaged, 20 << 3);
    memset(damaged.bytes + damaged.n_bytes, 0xff, 11);
    damaged.n_bytes += 11;
    refuse(&damaged, PML_E_FORMAT, "64 bits");
    damaged = model;
    put_varint(&damaged, 20 << 3 | 3); /* a group */
    refuse(&damaged, PML_E_FORMAT, "kind");
    damaged = model;
    put_varint(&damaged, 2); /* field 0 */
    put_varint(&damaged, 0);
    refuse(&damaged, PML_E_FORMAT, "number");
    damaged = model;
    put_number(&damaged, 7, 5); /* a number in the place of the graph */
    refuse(&damaged, PML_E_FORMAT, NULL);
    damaged = model;
    put_bytes(&damaged, 7, "", 0);
    refuse(&damaged, PML_E_FORMAT, "twice");
    damaged = model;
    put_text(&damaged, 2, "\xff\xfe");
    refuse(&damaged, PML_E_FORMAT, "UTF-8");
    damaged = model;
    put_bytes(&damaged, 2, "a\0b", 3);
    refuse(&damaged, PML_E_FORMAT, "zero byte");
}

static void truncation_is_refused_at_every_byte(void) {
    message tensor = make_tensor("a.weight", FLOAT, TWO_BY_THREE, 2);
    put_bytes(&tensor, 9, ZEROS, 24);
    const message model = model_of_tensor(&tensor);
    for (size_t cut = 1; cut < model.n_bytes; cut++) {
        pml_test_write_file(model_path(), model.bytes, cut);
        CU_ASSERT_NOT_EQUAL(read_all(model_path(), NULL), PML_OK);
    }
}

static void operator_sets(void) {
    message graph = {.n_bytes = 0}, model = make_model(&graph, 10);
    refuse(&model, PML_E_UNSUPPORTED, "operator set 10");
    model = make_model(&graph, 0);
    refuse(&model, PML_E_FORMAT, "no ONNX operator set");
    model = make_model(&graph, 11);
    accept(&model);
    model.n_bytes = 2;
    put_text(&model, 2, "only a producer");
    refuse(&model, PML_E_FORMAT, "no graph");
}

/* Subgraphs within subgraphs, ten thousand deep, are passed over without going into them. */
static void nested_subgraphs_are_passed_over(void) {
    message *inner = calloc(1, sizeof *inner), *outer = calloc(1, sizeof *outer);
    CU_ASSERT_FATAL(inner != NULL && outer != NULL);
    for (unsigned depth = 0; depth < 4000; depth++) {
        message *swap = inner;
        outer->n_bytes = 0;
        put_message(outer, depth % 3 == 0 ? 6 : depth % 3 == 1 ? 5 : 1, inner); /* graph, attribute, node */
        inner = outer;
        outer = swap;
    }
    message node = {.n_bytes = 0}, attribute = {.n_bytes = 0}, graph = {.n_bytes = 0};
    put_text(&attribute, 1, "then_branch");
    put_message(&attribute, 6, inner);
    put_text(&node, 4, "If");
    put_message(&node, 5, &attribute);
    put_message(&graph, 1, &node);
    const message model = make_model(&graph, 17);
    accept(&model);
    free(inner);
    free(outer);
}

/* ---- tensors ------------------------------------------------------------------------------------------------ */
static void shapes_and_elements_must_agree(void) {
    static const int64_t negative[] = {2, -3}, huge[] = {INT64_MAX, INT64_MAX}, wraps[] = {1LL << 62, 4},
                         many[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    message tensor = make_tensor("a.weight", FLOAT, TWO_BY_THREE, 2), model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, "no elements");
    put_bytes(&tensor, 9, ZEROS, 20);
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, "raw_data has 20");
    put_bytes(&tensor, 9, ZEROS, 24);
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, "twice");
    const struct {
        const int64_t *dims;
        size_t n_dims;
        pml_status status;
        const char *part;
    } shapes[] = {{negative, 2, PML_E_FORMAT, "negative"},
                  {huge, 2, PML_E_FORMAT, "overflows"},
                  {wraps, 2, PML_E_FORMAT, "overflows"},
                  {many, 9, PML_E_UNSUPPORTED, "dimensions"}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        tensor = make_tensor("a.weight", FLOAT, shapes[i].dims, shapes[i].n_dims);
        put_bytes(&tensor, 9, ZEROS, 24);
        model = model_of_tensor(&tensor);
        refuse(&model, shapes[i].status, shapes[i].part);
    }
}

static void typed_fields_are_checked(void) {
    static const int64_t three[] = {3};
    message tensor = make_tensor("a.weight", FLOAT, three, 1), model;
    put_bytes(&tensor, 9, ZEROS, 12);
    put_bytes(&tensor, 4, ZEROS, 12); /* float_data beside raw_data */
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, "raw_data and in a typed field");
    tensor = make_tensor("a.weight", FLOAT, three, 1);
    put_bytes(&tensor, 10, ZEROS, 24); /* double_data */
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, "another type");
    tensor = make_tensor("a.weight", FLOAT, three, 1);
    put_bytes(&tensor, 4, ZEROS, 8);
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, "another number");
    put_bytes(&tensor, 4, ZEROS, 4); /* a second run completes it */
    model = model_of_tensor(&tensor);
    accept(&model);
    put_bytes(&tensor, 4, ZEROS, 4);
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, "more elements");
    put_bytes(&tensor, 10, ZEROS, 8);
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, "two fields");
    tensor = make_tensor("a.weight", INT8, three, 1);
    for (unsigned i = 0; i < 3; i++) {
        put_number(&tensor, 5, 126 + i); /* 128 is no INT8; each with its own tag */
    }
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, "does not have");
    tensor = make_tensor("a.weight", FLOAT, three, 1);
    put_bytes(&tensor, 4, ZEROS, 12);
    put_bytes(&tensor, 4, ZEROS, 3);
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, NULL);
}

static void types_and_features_without_support(void) {
    message tensor = make_tensor("a.weight", INT4, TWO_BY_THREE, 2), model, graph = {.n_bytes = 0};
    put_bytes(&tensor, 9, ZEROS, 3);
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_UNSUPPORTED, "INT4");
    tensor = make_tensor("a.weight", 9999, TWO_BY_THREE, 2);
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_UNSUPPORTED, "9999");
    tensor = make_tensor("a.weight", FLOAT, TWO_BY_THREE, 2);
    put_bytes(&tensor, 3, "", 0);
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_UNSUPPORTED, "segments");
    put_bytes(&graph, 15, "", 0);
    model = make_model(&graph, 17);
    refuse(&model, PML_E_UNSUPPORTED, "sparse");
    message node = {.n_bytes = 0};
    graph.n_bytes = 0;
    put_text(&node, 4, "MatMulNBits");
    put_message(&graph, 1, &node);
    model = make_model(&graph, 17);
    refuse(&model, PML_E_UNSUPPORTED, "in blocks");
}

static void names_stand_once(void) {
    message tensor = make_tensor("a.weight", FLOAT, TWO_BY_THREE, 2), nameless = make_tensor("", FLOAT, NULL, 0),
            graph = {.n_bytes = 0}, model;
    put_bytes(&tensor, 9, ZEROS, 24);
    put_message(&graph, 5, &tensor);
    put_message(&graph, 5, &tensor);
    model = make_model(&graph, 17);
    refuse(&model, PML_E_FORMAT, "twice");
    put_bytes(&nameless, 9, ZEROS, 4);
    model = model_of_tensor(&nameless);
    refuse(&model, PML_E_FORMAT, "no name");
}

/* ---- graphs ------------------------------------------------------------------------------------------------- */
static message make_node(const char *op_type, const char *name, const char *first, const char *second,
                         const char *output) {
    message node = {.n_bytes = 0};
    put_text(&node, 1, first);
    put_text(&node, 1, second);
    put_text(&node, 2, output);
    put_text(&node, 3, name);
    put_text(&node, 4, op_type);
    return node;
}

/* A cycle of nodes that names are looked for through, and inputs that nothing gives. */
static void cycles_and_missing_inputs_do_no_harm(void) {
    message tensor = make_tensor("onnx::MatMul_1", FLOAT, TWO_BY_THREE, 2), graph = {.n_bytes = 0};
    put_bytes(&tensor, 9, ZEROS, 24);
    put_message(&graph, 5, &tensor);
    const message nodes[] = {make_node("Cast", "/a/Cast", "onnx::MatMul_1", "nowhere", "x"),
                             make_node("Cast", "/a/Cast_1", "x", "", "y"), make_node("Identity", "/a/I", "y", "", "x"),
                             make_node("Identity", "/a/J", "x", "", "y")};
    for (size_t i = 0; i < 4; i++) {
        put_message(&graph, 1, &nodes[i]);
    }
    const message model = make_model(&graph, 17);
    accept(&model);
}

static void constants_must_be_tensors(void) {
    message node = make_node("Constant", "c", "", "", "v"), attribute = {.n_bytes = 0}, graph = {.n_bytes = 0}, model;
    put_text(&attribute, 1, "value");
    put_number(&attribute, 20, 1); /* says that it is a number */
    put_message(&node, 5, &attribute);
    put_message(&graph, 1, &node);
    model = make_model(&graph, 17);
    refuse(&model, PML_E_FORMAT, "no single tensor");
}

/* The name of the only tensor of a model in which `stored` is the matrix of the node `node_name`. */
static void check_name(const char *stored, const char *node_name, const char *bias, const char *expected) {
    static const int64_t three[] = {3};
    message weight = make_tensor(stored, FLOAT, TWO_BY_THREE, 2), offset = make_tensor(bias, FLOAT, three, 1),
            product = make_node("MatMul", node_name, "x", stored, "p"), sum = make_node("Add", "", bias, "p", "y"),
            graph = {.n_bytes = 0};
    pml_source *source = NULL;
    pml_error error;
    put_bytes(&weight, 9, ZEROS, 24);
    put_bytes(&offset, 9, ZEROS, 12);
    put_message(&graph, 5, &weight);
    put_message(&graph, 5, &offset);
    put_message(&graph, 1, &product);
    put_message(&graph, 1, &sum);
    const message model = make_model(&graph, 17);
    write_model(&model);
    PML_ASSERT_OK(pml_source_open(model_path(), &source, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    const pml_source_tensor *found = pml_source_tensor_find(source, expected);
    CU_ASSERT_PTR_NOT_NULL(found);
    if (found != NULL) {
        const bool is_recovered = strcmp(expected, stored) != 0;
        CU_ASSERT(found->rank == 2 && found->shape[is_recovered ? 1 : 0] == 2 && found->is_made == is_recovered);
    } else {
        printf("\n%s of %s: not %s\n", stored, node_name, expected);
    }
    pml_source_close(source);
}

static void names_are_recovered_from_bias_or_module(void) {
    check_name("onnx::MatMul_5", "/a/b.0/q/MatMul", "m.q.bias", "m.q.weight"); /* the bias knows best */
    check_name("onnx::MatMul_5", "/a/b.0/q/MatMul", "m.q.offset", "a.b.0.q.weight");
    check_name("val_5", "MatMul_7", "m.q.bias", "m.q.weight");
    check_name("val_5", "MatMul_7", "m.q.offset", "val_5");            /* nothing tells */
    check_name("val_5", "/MatMul", "m.q.offset", "val_5");             /* the root has no name */
    check_name("m.q.kernel", "/a/q/MatMul", "m.q.bias", "m.q.kernel"); /* a name of its own */
    check_name("onnx::MatMul_5", "/a/q/MatMul", "a.q.weight.bias", "a.q.weight.weight");
}

/* Two matrices that the same module uses: one name, unless they are the same. */
static void one_name_is_given_once(void) {
    for (unsigned differs = 0; differs < 2; differs++) {
        static const char *const names[] = {"onnx::MatMul_1", "onnx::MatMul_2"};
        message graph = {.n_bytes = 0};
        pml_source *source = NULL;
        pml_error error;
        for (unsigned i = 0; i < 2; i++) {
            message tensor = make_tensor(names[i], FLOAT, TWO_BY_THREE, 2);
            const message node = make_node("MatMul", i == 0 ? "/m/MatMul" : "/m/MatMul_1", "x", names[i], "");
            uint8_t elements[24] = {0};
            elements[3] = i == 1 && differs ? 0x3f : 0;
            put_bytes(&tensor, 9, elements, sizeof elements);
            put_message(&graph, 5, &tensor);
            put_message(&graph, 1, &node);
        }
        const message model = make_model(&graph, 17);
        write_model(&model);
        PML_ASSERT_OK(pml_source_open(model_path(), &source, &error), &error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(source);
        CU_ASSERT_PTR_NOT_NULL(pml_source_tensor_find(source, "m.weight"));
        CU_ASSERT_EQUAL(pml_source_n_tensors(source), 1 + differs);
        CU_ASSERT_EQUAL(pml_source_tensor_find(source, names[1]) != NULL, differs == 1);
        pml_source_close(source);
    }
}

/* ---- external data ------------------------------------------------------------------------------------------ */
/* A model whose tensor lies in `location`, with further keys (NULL: none). */
static message external_model(const char *location, const char *offset, const char *length) {
    message tensor = make_tensor("a.weight", FLOAT, TWO_BY_THREE, 2);
    put_number(&tensor, 14, 1);
    if (location != NULL) {
        put_entry(&tensor, "location", location);
    }
    if (offset != NULL) {
        put_entry(&tensor, "offset", offset);
    }
    if (length != NULL) {
        put_entry(&tensor, "length", length);
    }
    return model_of_tensor(&tensor);
}

static void locations_stay_in_the_folder(void) {
    enum { N_NAMES = 5, N_TAILS = 4, N_ALL = N_NAMES + 15 * N_TAILS };
    static const char *const names[N_NAMES] = {"", ".", "..", "a/../../b", "blobs/../../x"};
    static const char *const heads[] = {"../", "/",   "./",   "a/",   "\\", "..\\", "C:",     "c:\\",
                                        "//",  "a\n", "\x1b", "\x7f", "~/", "w/",   "\\\\h\\"};
    static const char *const tails[N_TAILS] = {"", "w", "model.onnx", ".."};
    pml_test_write_file(pml_test_path("%s/w", pml_test_temporary_dir()), ZEROS, 24);
    for (size_t i = 0; i < N_ALL; i++) {
        const size_t j = i - N_NAMES;
        const message model = external_model(
            i < N_NAMES ? names[i] : pml_test_path("%s%s", heads[j / N_TAILS], tails[j % N_TAILS]), NULL, NULL);
        refuse(&model, PML_E_FORMAT, "same directory");
    }
    message model = external_model("absent", NULL, NULL);
    refuse(&model, PML_E_NOT_FOUND, "missing");
    model = external_model(NULL, NULL, NULL);
    refuse(&model, PML_E_FORMAT, "no location");
    model = external_model("w", NULL, NULL);
    accept(&model);
}

static void links_and_devices_are_refused(void) {
    const char *folder = pml_test_temporary_dir();
    static const struct {
        const char *name, *target;
    } links[] = {{"to-file", "w"}, {"to-folder", "."}, {"loop", "loop"}, {"zero", "/dev/zero"}, {"up", "../w"}};
    pml_test_write_file(pml_test_path("%s/w", folder), ZEROS, 24);
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        (void)unlink(pml_test_path("%s/%s", folder, links[i].name));
        CU_ASSERT_EQUAL_FATAL(symlink(links[i].target, pml_test_path("%s/%s", folder, links[i].name)), 0);
        const message model = external_model(links[i].name, NULL, NULL);
        refuse(&model, PML_E_FORMAT, "symbolic link");
    }
    CU_ASSERT_EQUAL_FATAL(mkfifo(pml_test_path("%s/fifo", folder), 0600), 0);
    CU_ASSERT_EQUAL_FATAL(mkdir(pml_test_path("%s/sub", folder), 0700), 0);
    message model = external_model("fifo", NULL, NULL);
    refuse(&model, PML_E_IO, NULL);
    model = external_model("sub", NULL, NULL);
    refuse(&model, PML_E_IO, NULL);
}

static void a_hub_cache_is_followed(void) {
    static const char hash[] = "0123456789abcdef0123456789abcdef01234567";
    static const char of_model[] = "76543210fedcba9876543210fedcba9876543210";
    const char *root = pml_test_fresh_dir("cache"), *snapshot = pml_test_path("%s/snapshots/1", root);
    const char *model_name = pml_test_path("%s/model.onnx", snapshot);
    const message model = external_model("model.onnx_data", "8", "24");
    pml_error error = {0};
    CU_ASSERT_EQUAL_FATAL(mkdir(pml_test_path("%s/blobs", root), 0700), 0);
    CU_ASSERT_EQUAL_FATAL(mkdir(pml_test_path("%s/snapshots", root), 0700), 0);
    CU_ASSERT_EQUAL_FATAL(mkdir(snapshot, 0700), 0);
    pml_test_write_file(pml_test_path("%s/blobs/%s", root, hash), ZEROS, 32);
    pml_test_write_file(pml_test_path("%s/blobs/%s", root, of_model), model.bytes, model.n_bytes);
    CU_ASSERT_EQUAL_FATAL(symlink(pml_test_path("../../blobs/%s", of_model), model_name), 0);
    CU_ASSERT_EQUAL_FATAL(symlink(pml_test_path("../../blobs/%s", hash), pml_test_path("%s/model.onnx_data", snapshot)),
                          0);
    PML_ASSERT_OK(read_all(model_name, &error), &error);
}

static void offsets_and_lengths_are_plain_numbers_in_the_file(void) {
    static const char *const bad[] = {"-1", "+5", "0x0", " 0", "0 ", "", "1e1", "18446744073709551616", "zero"};
    pml_test_write_file(pml_test_path("%s/w", pml_test_temporary_dir()), ZEROS, 32);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        message model = external_model("w", bad[i], NULL);
        refuse(&model, PML_E_FORMAT, "offset is no plain number");
        model = external_model("w", NULL, bad[i]);
        refuse(&model, PML_E_FORMAT, "length is no plain number");
    }
    message model = external_model("w", "9", NULL);
    refuse(&model, PML_E_FORMAT, "past the end");
    model = external_model("w", "9223372036854775808", NULL);
    refuse(&model, PML_E_FORMAT, "past the end");
    model = external_model("w", "18446744073709551615", "24"); /* their sum wraps */
    refuse(&model, PML_E_FORMAT, "past the end");
    model = external_model("w", "0", "25");
    refuse(&model, PML_E_FORMAT, "not that of its shape");
    model = external_model("w", "8", "24");
    accept(&model);
    message tensor = make_tensor("a.weight", FLOAT, TWO_BY_THREE, 2);
    put_number(&tensor, 14, 1);
    put_entry(&tensor, "prepacked_0", "whatever"); /* not ours to know */
    put_entry(&tensor, "location", "w");
    model = model_of_tensor(&tensor);
    accept(&model);
    put_entry(&tensor, "location", "w");
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, "stands twice");
    tensor = make_tensor("a.weight", FLOAT, TWO_BY_THREE, 2);
    put_number(&tensor, 14, 1);
    put_entry(&tensor, "location", "w");
    put_bytes(&tensor, 9, ZEROS, 24);
    model = model_of_tensor(&tensor);
    refuse(&model, PML_E_FORMAT, "here and in a file of its own");
}

/* ---- memory ------------------------------------------------------------------------------------------------- */
/* The graph is parsed without the weights: a model of 3 GiB, most of it a hole in the file, opens at once. */
static void weights_are_not_copied(void) {
    static const int64_t dims[] = {3, 1 << 28};
    const uint64_t n_data = UINT64_C(3) << 30;
    message tensor = make_tensor("a.weight", FLOAT, dims, 2), graph = {.n_bytes = 0}, model = {.n_bytes = 0},
            set = {.n_bytes = 0};
    put_number(&set, 2, 17);
    put_varint(&tensor, 9 << 3 | 2);
    put_varint(&tensor, n_data);
    put_varint(&graph, 5 << 3 | 2);
    put_varint(&graph, tensor.n_bytes + n_data);
    memcpy(graph.bytes + graph.n_bytes, tensor.bytes, tensor.n_bytes);
    graph.n_bytes += tensor.n_bytes;
    put_number(&model, 1, 8);
    put_message(&model, 8, &set);
    put_varint(&model, 7 << 3 | 2);
    put_varint(&model, graph.n_bytes + n_data);
    memcpy(model.bytes + model.n_bytes, graph.bytes, graph.n_bytes);
    model.n_bytes += graph.n_bytes;
    write_model(&model);
    if (truncate(model_path(), (off_t)(model.n_bytes + n_data)) != 0) {
        pml_test_skip("no room for a file of 3 GiB, not even for one that is a hole");
        return;
    }
    pml_source *source = NULL;
    pml_error error;
    PML_ASSERT_OK(pml_source_open(model_path(), &source, &error), &error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    const pml_source_tensor *found = pml_source_tensor_find(source, "a.weight");
    CU_ASSERT(found != NULL && found->size_bytes == n_data && !found->is_made);
    pml_source_close(source);
    (void)unlink(model_path());
}

/* Two million empty messages, two bytes each, would each become a structure. */
static void parts_are_counted(void) {
    const size_t n_parts = PML_MAX_GRAPH_PARTS + 1;
    uint8_t head[16] = {8, 8, 7 << 3 | 2};
    size_t n_head = 3;
    for (uint64_t rest = 2 * n_parts; rest > 0; rest >>= 7) {
        head[n_head++] = (uint8_t)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    }
    uint8_t *bytes = calloc(1, n_head + 2 * n_parts);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    memcpy(bytes, head, n_head);
    for (size_t i = 0; i < n_parts; i++) {
        bytes[n_head + 2 * i] = 1 << 3 | 2; /* a node */
    }
    pml_error error = {0};
    pml_test_write_file(model_path(), bytes, n_head + 2 * n_parts);
    PML_ASSERT_FAILS(read_all(model_path(), &error), PML_E_FORMAT, &error, "more parts");
    free(bytes);
}

static void memory_may_be_short(void) {
    static const char *const seeds[] = {"torchscript", "scopes", "typed", "quantized"};
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        size_t n_bytes;
        unsigned char *bytes = pml_test_read_file(
            pml_test_path("%s/tests/fuzz/corpus/onnx/%s", pml_test_source_dir(), seeds[i]), &n_bytes);
        pml_status status = PML_E_MEMORY;
        pml_test_write_file(model_path(), bytes, n_bytes);
        free(bytes);
        for (unsigned long n = 1; n < 2000 && status == PML_E_MEMORY; n++) {
            pml_error error;
            pml_test_fail_allocation(n, false);
            status = read_all(model_path(), &error);
            pml_test_fail_allocation(0, false);
        }
        CU_ASSERT_EQUAL(status, PML_OK);
    }
}

PML_TESTS("formats/onnx_hostile", PML_TEST(wire_format_is_checked), PML_TEST(truncation_is_refused_at_every_byte),
          PML_TEST(operator_sets), PML_TEST(nested_subgraphs_are_passed_over), PML_TEST(shapes_and_elements_must_agree),
          PML_TEST(typed_fields_are_checked), PML_TEST(types_and_features_without_support), PML_TEST(names_stand_once),
          PML_TEST(cycles_and_missing_inputs_do_no_harm), PML_TEST(constants_must_be_tensors),
          PML_TEST(names_are_recovered_from_bias_or_module), PML_TEST(one_name_is_given_once),
          PML_TEST(locations_stay_in_the_folder), PML_TEST(links_and_devices_are_refused),
          PML_TEST(a_hub_cache_is_followed), PML_TEST(offsets_and_lengths_are_plain_numbers_in_the_file),
          PML_TEST(weights_are_not_copied), PML_TEST(parts_are_counted), PML_TEST(memory_may_be_short))
