/* Small files that ask for much: the commands stay within bounds of memory and time. */
#include "runtime/file/writer.h"
#include "tests/convert/hostile_fixture.h"

/* One mebibyte of `piece` (which may hold one %x) between two ends. */
static const char *make_bomb(const char *name, const char *begin, const char *piece, const char *end) {
    const char *path = temporary(name);
    FILE *stream = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    (void)fputs(begin, stream);
    const size_t n_begin = strlen(begin), n_end = strlen(end);
    for (unsigned i = 0; n_begin + n_end + (size_t)ftell(stream) < MIB - 64; i++) {
        const char *number = strstr(piece, "%x");
        if (number == NULL) {
            (void)fputs(piece, stream);
        } else {
            (void)fprintf(stream, "%.*s%x%s", (int)(number - piece), piece, i, number + 2);
        }
    }
    (void)fputs(end, stream);
    CU_ASSERT_EQUAL_FATAL(fclose(stream), 0);
    return path;
}

typedef struct bomb {
    const char *name, *begin, *piece, *end;
    int code;
    const char *cause;
} bomb;

static void configurations_of_a_mebibyte_cost_little(void) {
    static const bomb bombs[] = {
        {"zeros.json", "{\"num_input_channels\":[0", ",0", "]}", 78, "num_input_channels"},
        {"arrays.json", "{\"num_input_channels\":[[]", ",[]", "]}", 78, "num_input_channels"},
        {"objects.json", "[{}", ",{}", "]", 78, "object"},
        {"open-arrays.json", "{\"d_model\":", "[", "", 65, "nested too deep"},
        {"open-objects.json", "", "{\"a\":", "", 65, "nested too deep"},
        {"keys.json", "{\"num_input_channels\":0", ",\"%x\":0", "}", 78, "keys.json"},
        {"same-key.json", "{\"a\":0", ",\"a\":0", "}", 65, "stands twice"},
        {"long-key.json", "{\"", "k", "\":0}", 78, "long-key.json"},
        {"long-text.json", "{\"model_type\":\"", "t", "\"}", 78, "model_type 'ttt"},
        {"escapes.json", "{\"model_type\":\"", "\\ud83d\\ude00", "\"}", 78, "model_type"},
        {"digits.json", "{\"d_model\":", "1", "}", 65, "more than 1024 characters"},
        {"spaces.json", "", " ", "", 65, "the text ends"},
        {"newlines.json", "", "\n", "", 65, "the text ends"},
        {"architectures.json", "{\"architectures\":[\"x\"", ",\"%x\"", "]}", 78, "architectures"},
    };
    const char *out = pml_test_path("%s/x.pml", output_folder());
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        const bomb *b = &bombs[i];
        const char *path = make_bomb(b->name, b->begin, b->piece, b->end);
        const char *const convert[] = {"pml-convert", synthetic_folder(), "--config", path, "-o", out, NULL};
        (void)refused(convert, file_bytes(path), b->code, b->name, b->cause);
    }
    const char *scaler = pml_test_path("%s/scaler.json", synthetic_folder());
    const char *const convert[] = {"pml-convert", synthetic_folder(), "-o", out, NULL};
    CU_ASSERT_EQUAL(rename(make_bomb("means", "{\"kind\":\"standard\",\"mean\":[0", ",0", "]}"), scaler), 0);
    (void)refused(convert, file_bytes(scaler), 78, "scaler.json", "'mean' has ");
    CU_ASSERT_EQUAL(
        rename(make_bomb("columns", "{\"kind\":\"standard\",\"mean\":[1,2],\"std\":[1,2],\"columns\":[\"a\"", ",\"%x\"",
                         "]}"),
               scaler),
        0);
    (void)refused(convert, file_bytes(scaler), 78, "scaler.json", "'columns' has ");
    CU_ASSERT_EQUAL(unlink(scaler), 0);
}

/* A checkpoint without layers and a configuration of many: it must not cost what those layers would. */
static void a_few_bytes_cannot_ask_for_much(void) {
    static const char config[] = "{\"model_type\":\"patchtst\",\"architectures\":[\"PatchTSTForPrediction\"],"
                                 "\"num_input_channels\":2,\"context_length\":15,\"patch_length\":5,"
                                 "\"patch_stride\":5,\"num_hidden_layers\":10000,\"channel_attention\":true,"
                                 "\"d_model\":4,\"num_attention_heads\":2,\"ffn_dim\":8,\"pooling_type\":null,"
                                 "\"prediction_length\":2}";
    synthetic s;
    synthetic_patchtst(&s);
    for (size_t i = s.count; i-- > 0;) {
        if (strstr(s.tensors[i].name, ".layers.") != NULL) {
            s.tensors[i] = s.tensors[--s.count];
        }
    }
    const char *folder = temporary("shell"), *out = pml_test_path("%s/x.pml", output_folder());
    CU_ASSERT_EQUAL_FATAL(mkdir(folder, 0700), 0);
    (void)synthetic_write(&s, pml_test_path("%s/model.safetensors", folder), NULL);
    pml_test_write_file(pml_test_path("%s/config.json", folder), config, strlen(config));
    const char *const convert[] = {"pml-convert", folder, "-o", out, NULL};
    (void)refused(convert, 0, 78, "config.json", "do not fit family patchtst: 5 of 5 tensors");
}

/* Files of a mebibyte that pml-run accepts, filled with what costs most to take in. */
static void models_of_a_mebibyte_cost_little(void) {
    enum { N_KEYS = 30000, N_TEXTS = 60000 };
    static const char *texts[N_TEXTS];
    for (unsigned kind = 0; kind < 3; kind++) {
        pml_metadata *m = NULL;
        pml_writer *writer = NULL;
        pml_error error;
        const char *path = pml_test_path("%s/full%u.pml", pml_test_temporary_dir(), kind);
        const float element = 1;
        const uint64_t shape[] = {1};
        size_t ids[4096], n_tensors = kind == 2 ? 4096 : 1;
        PML_ASSERT_OK(pml_metadata_create(&m, &error), &error);
        PML_ASSERT_OK(pml_writer_create(PML_KIND_MODEL, &writer, &error), &error);
        for (unsigned i = 0; kind == 0 && i < N_KEYS; i++) {
            PML_ASSERT_OK(pml_metadata_set_i64(m, pml_test_path("k%u", i), i, &error), &error);
        }
        for (unsigned i = 0; i < N_TEXTS; i++) {
            texts[i] = "";
        }
        if (kind == 1) {
            PML_ASSERT_OK(pml_metadata_set_strings(m, "texts", texts, N_TEXTS, &error), &error);
        }
        PML_ASSERT_OK(pml_writer_set_metadata(writer, m, &error), &error);
        for (size_t i = 0; i < n_tensors; i++) {
            PML_ASSERT_OK(pml_writer_add_tensor(writer, pml_test_path("t%zu", i), PML_DTYPE_F32, PML_LAYOUT_ROW, shape,
                                                1, NULL, &ids[i], &error),
                          &error);
        }
        PML_ASSERT_OK(pml_writer_begin(writer, path, false, &error), &error);
        for (size_t i = 0; i < n_tensors; i++) {
            PML_ASSERT_OK(pml_writer_tensor_write(writer, ids[i], &element, sizeof element, &error), &error);
        }
        PML_ASSERT_OK(pml_writer_finish(writer, &error), &error);
        pml_writer_destroy(writer);
        pml_metadata_destroy(m);
        const char *const commands[][6] = {{"pml-run", "info", "--verify", path, NULL},
                                           {"pml-run", "info", "--json", "--tensors", path, NULL},
                                           {"pml-convert", "inspect", path, NULL}};
        CU_ASSERT_TRUE(file_bytes(path) > 900000 && file_bytes(path) < 1400000);
        for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
            const outcome o = finish(start(commands[i], 256 * (size_t)MIB));
            if (o.code != 0) {
                (void)printf("\n    %s: exit %d: %.300s", path, o.code, o.err);
            }
            CU_ASSERT_EQUAL(o.code, 0);
            CU_ASSERT_TRUE(SANITIZED || (size_t)o.peak_kib * 1024 <= 64 * (size_t)MIB + 4 * file_bytes(path));
        }
    }
}

static void series_of_a_mebibyte_cost_little(void) {
    static const bomb bombs[] = {
        {"one-column.csv", "a\n", "0\n", "", 65, "one-column.csv has 1 columns"},
        {"empty-fields.csv", "a,b\n", ",\n", "x,\n", 65, ".csv"},
        {"columns.csv", "a", ",%x", "\n", 65, "line 1"},
        {"commas.csv", "a", ",", "\n", 65, "line 1"},
        {"records-of-commas.csv", "a,b\n", ",,,,,,,,,,,,,,,\n", "", 65, "line 2"},
        {"blank-lines.csv", "", "\n", "", 65, "no header row"},
        {"quote.csv", "a,b\n\"", "x", "", 65, "line 2"},
        {"quoted-lines.csv", "a,b\n\"", "\n", "", 65, "longer than 4096"},
        {"quoted-quotes.csv", "a,b\n\"", "\"\"", "\"\n", 65, "line 2"},
        {"field.csv", "", "x", "", 65, "line 1"},
        {"blanks.csv", "a,b\n", " ", "", 65, "no rows"},
        {"digits.csv", "a,b\n", "1", ",2\n", 65, "line 2"},
        {"returns.csv", "a,b", "\r", "", 65, "no rows"},
        {"dates.csv", "date,a,b\n", "0001-01-01,1,2\n", "", 65, "row "},
        {"names.csv", "a", ",n%x", "", 65, "line 1"},
    };
    const char *out = pml_test_path("%s/x.csv", output_folder());
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        const bomb *b = &bombs[i];
        const char *path = make_bomb(b->name, b->begin, b->piece, b->end);
        const char *const forecast[] = {"pml-run", "forecast", plain_model(), "--csv", path, "-o", out, NULL};
        (void)refused(forecast, file_bytes(path), b->code, b->name, b->cause);
    }
}

static void rules_of_a_mebibyte_cost_little(void) {
    static const bomb bombs[] = {
        {"lines.map", "", "\n", "x\n", 65, "lines.map:"},
        {"rules.map", "", "a b\n", "", 65, "rules.map:65537: more than 65536 rules"},
        {"patterns.map", "", "a.{k}.{l} x.{k}.{l}\n", "", 78,
         "--map, rule \"a.{k}.{l}\": family patchtst has no weight"},
        {"long-rule.map", "", "x", " y", 65, "long-rule.map:1"},
        {"braces.map", "", "{", "", 65, "braces.map:1"},
        {"steps.map", "model.encoder.positional_encoder.position_enc position transpose", ";transpose", "\n", 78,
         "--map, rule \"model.encoder.positional_encoder.position_enc\": transform too long"},
    };
    const char *out = pml_test_path("%s/x.pml", output_folder());
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++) {
        const bomb *b = &bombs[i];
        const char *path = make_bomb(b->name, b->begin, b->piece, b->end);
        const char *const convert[] = {"pml-convert", synthetic_folder(), "--map", path, "-o", out, NULL};
        (void)refused(convert, file_bytes(path), b->code, "", b->cause);
    }
}

PML_TESTS("convert/bombs", PML_TEST(configurations_of_a_mebibyte_cost_little),
          PML_TEST(a_few_bytes_cannot_ask_for_much), PML_TEST(models_of_a_mebibyte_cost_little),
          PML_TEST(series_of_a_mebibyte_cost_little), PML_TEST(rules_of_a_mebibyte_cost_little))
