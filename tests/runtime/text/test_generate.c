/* Generating with a model of random weights and a tokenizer of bytes: the text is the tokens', whole characters at a
 * time; ends, context, cancellation, failing allocations. Recorded texts are in tests/convert/test_generate.c. */
#include "runtime/text/generate.h"

#include "runtime/base/utf8.h"
#include "runtime/text/utf8_stream.h"
#include "tests/runtime/models/gpt2_file.h"
#include "tests/runtime/text/byte_level_fixture.h"

enum { V = 300, MOST_TEXT = 4096 }; /* 44 rows of the table are no tokens */
static const gpt2_build build = {.head = "language_model", .tied_head = true, .vocab_size = V};
static const uint32_t prompt[] = {'I', 'n', ' ', 't', 'h', 'e'};
enum { N_PROMPT = sizeof prompt / sizeof prompt[0] };

typedef struct taken {
    char text[MOST_TEXT];
    size_t n, n_calls, fails_at; /* 0: never */
    bool cancels;
} taken;

static pml_status take(void *user, const char *text, size_t size_bytes, pml_error *error) {
    taken *t = user;
    for (size_t at = 0; at < size_bytes;) { /* whole characters */
        const size_t length = pml_utf8_length((const uint8_t *)text + at, size_bytes - at);
        CU_ASSERT_TRUE_FATAL(length > 0);
        at += length;
    }
    CU_ASSERT_TRUE_FATAL(size_bytes > 0 && t->n + size_bytes <= MOST_TEXT);
    memcpy(t->text + t->n, text, size_bytes);
    t->n += size_bytes;
    if (t->cancels) {
        pml_cancel_request();
    }
    return ++t->n_calls == t->fails_at ? PML_FAIL(error, PML_E_IO, "the reader has gone") : PML_OK;
}

typedef struct setting {
    gpt2_opened model;
    byte_fixture f;
    pml_session *session;
    pml_generation options;
    pml_generated generated;
    taken taken;
} setting;

static void begin(setting *s, uint32_t eos_id) {
    pml_error error;
    *s = (setting){.options = {.sampling = PML_SAMPLING_GREEDY, .most_tokens = 20}};
    s->model = gpt2_open(&build);
    byte_fixture_begin(&s->f);
    s->f.spec.eos_id = eos_id;
    CU_ASSERT_TRUE_FATAL(byte_fixture_make(&s->f));
    PML_ASSERT_OK(pml_session_create(s->model.model, 1, 0, &s->session, &error), &error);
}

static void end(setting *s) {
    pml_generated_deinit(&s->generated);
    pml_session_destroy(s->session);
    byte_fixture_deinit(&s->f);
    gpt2_close(&s->model);
}

static pml_status generate(setting *s, size_t n_prompt, pml_error *error) {
    pml_status status = PML_OK;
    s->taken.n = s->taken.n_calls = 0;
    PML_TRY(pml_session_truncate(s->session, 0, 0, error));
    PML_TRY(
        pml_generate(s->session, s->f.tokenizer, prompt, n_prompt, &s->options, take, &s->taken, &s->generated, error));
done:
    return status;
}

/* Whether what was handed over is what the tokens stand for. */
static bool is_text_of_ids(const setting *s) {
    pml_utf8_stream stream = {0};
    char text[MOST_TEXT];
    size_t n = 0;
    for (size_t i = 0; i < s->generated.n_tokens; i++) {
        const uint8_t byte = (uint8_t)s->generated.ids[i];
        if (s->generated.ids[i] >= BYTE_TOKENS) {
            return false;
        }
        n += pml_utf8_stream_put(&stream, &byte, 1, text + n);
    }
    n += pml_utf8_stream_end(&stream, text + n);
    return n == s->taken.n && memcmp(text, s->taken.text, n) == 0;
}

static void the_text_is_that_of_the_tokens(void) {
    setting s;
    pml_error error;
    begin(&s, PML_NO_TOKEN);
    s.options.most_tokens = 50 - N_PROMPT + 1;
    for (uint64_t seed = 0; seed < 20; seed++) {
        s.options.sampling.seed = seed;
        s.options.sampling.temperature = (double)(seed % 4);
        PML_ASSERT_OK(generate(&s, N_PROMPT, &error), &error);
        CU_ASSERT_EQUAL(s.generated.n_tokens, 50 - N_PROMPT + 1);
        CU_ASSERT_EQUAL(s.generated.end, PML_END_LENGTH);
        CU_ASSERT_EQUAL(s.generated.n_read, N_PROMPT);
        CU_ASSERT_TRUE(is_text_of_ids(&s));
        CU_ASSERT_TRUE(s.generated.first_ns >= s.generated.prompt_ns && s.generated.rest_ns >= 0);
    }
    end(&s);
}

static void texts_end(void) {
    setting s;
    pml_error error;
    begin(&s, PML_NO_TOKEN);
    PML_ASSERT_OK(generate(&s, N_PROMPT, &error), &error);
    const uint32_t first = s.generated.ids[0];
    s.options.most_tokens = 0;
    PML_ASSERT_OK(generate(&s, N_PROMPT, &error), &error);
    CU_ASSERT_TRUE(s.generated.n_tokens == 0 && s.taken.n == 0);
    end(&s);
    begin(&s, first);
    PML_ASSERT_OK(generate(&s, N_PROMPT, &error), &error);
    CU_ASSERT_TRUE(s.generated.n_tokens == 0 && s.generated.end == PML_END_TOKEN && s.taken.n == 0);
    s.options.ignores_end = true;
    PML_ASSERT_OK(generate(&s, N_PROMPT, &error), &error);
    CU_ASSERT_TRUE(s.generated.n_tokens == 20 && s.generated.end == PML_END_LENGTH && is_text_of_ids(&s));
    char whole[MOST_TEXT], stop[8];
    const size_t n_whole = s.taken.n;
    memcpy(whole, s.taken.text, n_whole);
    size_t at = n_whole / 2;
    while ((whole[at] & 0xc0) == 0x80) {
        at++;
    }
    const size_t n_stop = pml_utf8_length((const uint8_t *)whole + at, n_whole - at);
    memcpy(stop, whole + at, n_stop);
    stop[n_stop] = '\0';
    const char *const stops[] = {"no such text", stop};
    s.options.stops = stops;
    s.options.n_stops = 2;
    PML_ASSERT_OK(generate(&s, N_PROMPT, &error), &error);
    CU_ASSERT_EQUAL(s.generated.end, PML_END_STOP);
    CU_ASSERT_TRUE(s.taken.n <= at && memcmp(whole, s.taken.text, s.taken.n) == 0);
    CU_ASSERT_EQUAL(memcmp(whole + s.taken.n, stop, n_stop), 0); /* it ends where the stop first begins */
    end(&s);
}

static void the_context_shifts(void) {
    setting s;
    pml_error error;
    begin(&s, PML_NO_TOKEN);
    s.options.most_tokens = 50 - N_PROMPT + 2;
    PML_ASSERT_FAILS(generate(&s, N_PROMPT, &error), PML_E_ARGUMENT, &error, "room for, 50");
    PML_ASSERT_FAILS(generate(&s, 0, &error), PML_E_ARGUMENT, &error, "no tokens");
    s.options.shifts = true;
    s.options.most_tokens = 200;
    PML_ASSERT_OK(generate(&s, N_PROMPT, &error), &error);
    CU_ASSERT_TRUE(s.generated.n_tokens == 200 && is_text_of_ids(&s));
    /* Behind the shift everything is as if the last 25 tokens were a text of their own. */
    uint32_t tail[25], next;
    const size_t n_before = 50 - N_PROMPT + 1; /* generated when the context is full and one more was chosen */
    memcpy(tail, s.generated.ids + n_before - 25, sizeof tail);
    next = s.generated.ids[n_before];
    PML_ASSERT_OK(pml_session_truncate(s.session, 0, 0, &error), &error);
    s.options.most_tokens = 1;
    PML_ASSERT_OK(pml_generate(s.session, s.f.tokenizer, tail, 25, &s.options, take, &s.taken, &s.generated, &error),
                  &error);
    CU_ASSERT_EQUAL(s.generated.ids[0], next);
    end(&s);
}

static void who_fails_and_who_cancels(void) {
    setting s;
    pml_error error;
    begin(&s, PML_NO_TOKEN);
    s.taken.fails_at = 2;
    PML_ASSERT_FAILS(generate(&s, N_PROMPT, &error), PML_E_IO, &error, "gone");
    s.taken = (taken){.cancels = true};
    CU_ASSERT_EQUAL(generate(&s, N_PROMPT, &error), PML_E_INTERRUPTED);
    pml_cancel_reset();
    CU_ASSERT_TRUE(s.generated.n_tokens > 0 && s.generated.n_tokens < 20);
    s.taken = (taken){0};
    s.options.sampling.top_p = 0;
    PML_ASSERT_FAILS(generate(&s, N_PROMPT, &error), PML_E_ARGUMENT, &error, "top-p");
    end(&s);
}

static void allocations_that_fail(void) {
    static const char *const stops[] = {"no such text"};
    setting s;
    bool is_done = false;
    begin(&s, PML_NO_TOKEN);
    s.options.stops = stops;
    s.options.n_stops = 1;
    for (unsigned long n = 1; n < 1000 && !is_done; n++) {
        pml_error error;
        pml_generated_deinit(&s.generated);
        pml_test_fail_allocation(n, true);
        const pml_status status = generate(&s, N_PROMPT, &error);
        pml_test_fail_allocation(0, false);
        CU_ASSERT_TRUE(status == PML_OK || status == PML_E_MEMORY);
        is_done = status == PML_OK;
    }
    CU_ASSERT_TRUE(is_done && is_text_of_ids(&s));
    end(&s);
}

PML_TESTS("runtime/text/generate", PML_TEST(the_text_is_that_of_the_tokens), PML_TEST(texts_end),
          PML_TEST(the_context_shifts), PML_TEST(who_fails_and_who_cancels), PML_TEST(allocations_that_fail))
