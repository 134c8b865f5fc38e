/* pml-run generate, score and tokenize on a converted GPT-2: the recorded texts, options, errors, signals. */
#include <stdio.h>
#include <string.h>

#include "tests/convert/command_fixture.h"
#include "tests/runtime/text/golden_lines.h"

/* Runs pml-run with these arguments (a shell's words) and compares the exit code, and with what was printed: `part`
 * is a part of it, or with `is_all` everything. */
static bool runs(int expected, const char *part, bool is_all, const char *arguments, int line) {
    char *output = NULL;
    const int code = pml_test_command(&output, "'%s/pml-run' %s", pml_test_binary_dir(), arguments);
    const bool fits = code == expected && (is_all ? strcmp(output, part) == 0 : strstr(output, part) != NULL);
    if (!fits) {
        (void)printf("\n    %d: pml-run %s\n    exit %d, expected %d and %s; output:\n%.600s\n", line, arguments, code,
                     expected, part, output);
    }
    free(output);
    return fits;
}

#define RUNS(part, ...) CU_ASSERT_TRUE(runs(0, (part), false, pml_test_path(__VA_ARGS__), __LINE__))
#define PRINTS(text, ...) CU_ASSERT_TRUE(runs(0, (text), true, pml_test_path(__VA_ARGS__), __LINE__))
#define EXITS(code, part, ...) CU_ASSERT_TRUE(runs((code), (part), false, pml_test_path(__VA_ARGS__), __LINE__))

/* The converted golden case, or NULL after the test was skipped. */
static const char *model_of(void) {
    static const char *model;
    const char *golden = pml_test_golden("gpt2/kjv");
    if (golden == NULL) {
        pml_test_skip("no recorded language model (PML_GOLDENS)");
        return NULL;
    }
    if (model == NULL) {
        model = test_converted(golden, "kjv.pml", "");
    }
    return model;
}

static char *output_of(const char *arguments) {
    char *output = NULL;
    CU_ASSERT_EQUAL(pml_test_command(&output, "'%s/pml-run' %s", pml_test_binary_dir(), arguments), 0);
    return output;
}

static void recorded_texts(void) {
    const char *model = model_of();
    if (model == NULL) {
        return;
    }
    size_t size_bytes, n = 0;
    char *text = (char *)pml_test_read_file(pml_test_golden("gpt2/kjv/case.json"), &size_bytes);
    text = realloc(text, size_bytes + 1);
    text[size_bytes] = '\0';
    for (const char *at = text; (at = strstr(at, "\"prompt\": \"")) != NULL; n++) {
        at += strlen("\"prompt\": ");
        golden_text prompt = golden_string(at), wanted = golden_string(strstr(at, "\"text\": ") + strlen("\"text\": "));
        const char *expected = pml_test_path("%.*s\n", (int)wanted.size_bytes, wanted.bytes);
        PRINTS(expected, "generate '%s' '%.*s' -n 60 -q", model, (int)prompt.size_bytes, prompt.bytes);
        /* From a file, whose last line end is not the prompt's; chance among one is none. */
        const char *file = pml_test_path("%s/prompt", pml_test_temporary_dir());
        pml_test_write_file(file, pml_test_path("%.*s\n", (int)prompt.size_bytes, prompt.bytes), prompt.size_bytes + 1);
        PRINTS(expected, "generate '%s' -n 60 -q %s '%s' --top-k 1 --seed 9", model, n % 2 == 0 ? "<" : "--file", file);
        free(prompt.bytes);
        free(wanted.bytes);
    }
    CU_ASSERT_EQUAL(n, 4);
    free(text);
}

static void chance_and_seeds(void) {
    const char *model = model_of();
    if (model == NULL) {
        return;
    }
    const char *arguments = "generate '%s' 'Now the sons of' -n 40 -q --temp 0.9 --top-p 0.95 --min-p 0.01 --seed %u";
    char *one = output_of(pml_test_path(arguments, model, 1)), *again = output_of(pml_test_path(arguments, model, 1)),
         *two = output_of(pml_test_path(arguments, model, 2));
    CU_ASSERT_STRING_EQUAL(one, again);
    CU_ASSERT_STRING_NOT_EQUAL(one, two);
    free(one);
    free(again);
    free(two);
    PRINTS(" Elias, and Jaiah\n", "generate '%s' 'Now the sons of' -n 60 -q --stop ', and Joa'", model);
    PRINTS(" Elias\n", "generate '%s' 'Now the sons of' -n 60 -q --stop Jaiah --stop ', and'", model);
    RUNS("\"end\":\"stop\"", "generate '%s' 'Now the sons of' -n 60 --json --stop Jaiah", model);
    RUNS("{\"text\":\" Elias,\",\"ids\":[447,848,325,11],\"end\":\"length\",\"prompt_tokens\":4,\"tokens\":4,",
         "generate '%s' 'Now the sons of' -n 4 --json", model);
    RUNS("prompt: 4 tokens", "generate '%s' 'Now the sons of' -n 4", model);
    RUNS("\"prompt_tokens\":1,", "generate '%s' '' -n 4 --json", model); /* from the token that begins a text */
    RUNS("\"tokens\":0,", "generate '%s' 'Now' -n 0 --json", model);
    char *plain = output_of(pml_test_path("generate '%s' 'Now the sons of' -n 60 -q", model)),
         *penalized =
             output_of(pml_test_path("generate '%s' 'Now the sons of' -n 60 -q --repetition-penalty 1.3", model));
    CU_ASSERT_STRING_NOT_EQUAL(plain, penalized);
    free(plain);
    free(penalized);
}

static void the_context_ends(void) {
    const char *model = model_of();
    if (model == NULL) {
        return;
    }
    EXITS(2, "more than the context has room for, 256", "generate '%s' 'Now the sons of' -n 254", model);
    RUNS("\"tokens\":253,", "generate '%s' 'Now the sons of' -n 253 --json --ignore-eos", model);
    RUNS("\"tokens\":300,", "generate '%s' 'Now the sons of' -n 300 --json --ignore-eos --context shift", model);
    const char *prompt = pml_test_path("%s/long", pml_test_temporary_dir());
    char words[4000];
    for (size_t i = 0; i < sizeof words; i++) {
        words[i] = "the "[i % 4];
    }
    pml_test_write_file(prompt, words, sizeof words);
    EXITS(2, "a prompt of 1002 tokens", "generate '%s' --file '%s'", model, prompt);
    RUNS("\"prompt_tokens\":1002,", "generate '%s' --file '%s' -n 3 --json --context shift", model, prompt);
}

static void bad_options(void) {
    const char *model = model_of(), *bert = pml_test_golden("bert/sentence-transformer");
    if (model == NULL || bert == NULL) {
        return;
    }
    EXITS(2, "--temp takes a number", "generate '%s' x --temp warm", model);
    EXITS(2, "--top-p takes a number", "generate '%s' x --top-p nan", model);
    EXITS(2, "a temperature is", "generate '%s' x --temp -1", model);
    EXITS(2, "top-p is", "generate '%s' x --top-p 0", model);
    EXITS(2, "min-p is", "generate '%s' x --min-p 2", model);
    EXITS(2, "a repetition penalty is", "generate '%s' x --repetition-penalty 0", model);
    EXITS(2, "--context", "generate '%s' x --context slide", model);
    EXITS(66, "no-such-file", "generate '%s' --file no-such-file", model);
    EXITS(2, "--window", "score '%s' --window 0 x y", model);
    EXITS(2, "at most 256", "score '%s' --window 257 'In the beginning'", model);
    EXITS(2, "a text of 1 tokens", "score '%s' a", model);
    const char *other = test_converted(bert, "sentences.pml", "");
    EXITS(65, "no language model", "generate '%s' x", other);
    EXITS(65, "no language model", "score '%s' 'the cat sat'", other);
    EXITS(65, "ids into text", "tokenize '%s' --decode '1 2'", other);
}

/* The recorded perplexity, windows as recorded, to seven digits. */
static void likelihoods(void) {
    const char *model = model_of();
    if (model == NULL) {
        return;
    }
    const char *text = pml_test_golden("gpt2/kjv/heldout.txt");
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    char *output = output_of(pml_test_path("score '%s' --whole --file '%s' --json", model, text));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "{\"perplexity\":32.55504"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, ",\"tokens\":22448,\"scored\":22447}"));
    free(output);
    RUNS("\t10\n", "score '%s' 'In the beginning God created' 'In the'", model);
}

static void tokens_there_and_back(void) {
    const char *model = model_of();
    if (model == NULL) {
        return;
    }
    PRINTS("I n \xc4\xa0the \xc4\xa0 \xc4\xa0"
           "beg in n ing 's \xc4\xa0 \xc3\x83 \xc2\xa9\n",
           "tokenize '%s' \"In the  beginning's \xc3\xa9\"", model);
    PRINTS("1023 40 77\n", "tokenize '%s' --ids '<|endoftext|>In'", model);
    PRINTS("In the  beginning's \xc3\xa9 \xf0\x9f\x98\x80\\n<|endoftext|>\n",
           "tokenize '%s' --ids \"$(printf \"In the  beginning's \xc3\xa9 \xf0\x9f\x98\x80\\n<|endoftext|>\")\" | tr "
           "'\\n' ' ' | "
           "'%s/pml-run' tokenize '%s' --decode",
           model, pml_test_binary_dir(), model);
    PRINTS("{\"text\":\"In\xef\xbf\xbd\"}\n", "tokenize '%s' --decode --json '40 77 127'", model);
    PRINTS("\n", "tokenize '%s' --decode ''", model);
    EXITS(2, "at byte 3 of a text stands no id", "tokenize '%s' --decode '40 x'", model);
    EXITS(2, "a number below 1024", "tokenize '%s' --decode 1024", model);
    EXITS(2, "a number below 1024", "tokenize '%s' --decode 99999999999999999999", model);
    EXITS(2, "at byte 0", "tokenize '%s' --decode -- -1", model);
}

/* Whoever stops it gets what there is, valid and with the statistics, and the exit of a signal. */
static void a_signal_stops_it(void) {
    const char *model = model_of();
    if (model == NULL) {
        return;
    }
    const char *folder = pml_test_temporary_dir();
    char *output = NULL;
    const int code = pml_test_command(
        &output,
        "cd '%s' && env --default-signal=INT '%s/pml-run' generate '%s' Now -n 100000000 --context shift --ignore-eos "
        "> out 2> err & pid=$!; while [ ! -s '%s/out' ] && kill -0 $pid; do sleep 0.02; done; kill -INT $pid; wait "
        "$pid; "
        "echo \"exit $?\"; cat '%s/err'",
        folder, pml_test_binary_dir(), model, folder, folder);
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "exit 130"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "prompt: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "first token after"));
    size_t size_bytes;
    unsigned char *text = pml_test_read_file(pml_test_path("%s/out", folder), &size_bytes);
    CU_ASSERT_TRUE(size_bytes > 1 && text[size_bytes - 1] == '\n');
    free(text);
    free(output);
}

static void its_bench(void) {
    const char *model = model_of();
    if (model == NULL) {
        return;
    }
    char *output = output_of(pml_test_path("bench '%s' -p 16,24 -n 4,0 -d 8 -b 2 -r 2 --warmup 0 -o csv", model));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, ",prompt,2,16,0,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, ",prompt,2,24,0,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, ",generate,2,4,8,"));
    CU_ASSERT_PTR_NULL(strstr(output, ",generate,2,0,"));
    free(output);
    RUNS("generate 4 at 8", "bench '%s' -p 0 -n 4 -d 8 -r 1", model);
    EXITS(2, "nothing to time", "bench '%s' -p 0 -n 0", model);
    EXITS(2, "has positions for 256", "bench '%s' -p 0 -n 200 -d 100 -r 1", model);
}

PML_TESTS("convert/generate", PML_TEST(recorded_texts), PML_TEST(chance_and_seeds), PML_TEST(the_context_ends),
          PML_TEST(bad_options), PML_TEST(likelihoods), PML_TEST(tokens_there_and_back), PML_TEST(a_signal_stops_it),
          PML_TEST(its_bench))
