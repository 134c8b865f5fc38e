/* Going on with a text: a prompt's tokens in, text out as it comes. */
#ifndef PML_RUNTIME_TEXT_GENERATE_H
#define PML_RUNTIME_TEXT_GENERATE_H

#include "runtime/pml.h"
#include "runtime/text/sampler.h"
#include "runtime/text/tokenizer.h"

typedef struct pml_generation {
    pml_sampling sampling;
    uint64_t most_tokens;     /* at most so many new ones */
    bool ignores_end;         /* goes on behind the tokenizer's eos token, which is text then */
    bool shifts;              /* a full context gives way to its last half, read anew; otherwise it is an error */
    const char *const *stops; /* [n_stops] the text ends before the first of them */
    size_t n_stops;
} pml_generation;

typedef enum pml_generation_end {
    PML_END_LENGTH,
    PML_END_TOKEN, /* eos */
    PML_END_STOP   /* one of `stops` */
} pml_generation_end;

typedef struct pml_generated { /* zero = valid, nothing; release with deinit */
    uint32_t *ids;             /* [n_tokens] new ones, without eos */
    size_t n_tokens, capacity;
    pml_generation_end end;
    size_t n_read;     /* tokens of the prompt that were read: all, or those that a shift left */
    int64_t prompt_ns; /* reading them */
    int64_t first_ns;  /* until the first token, that included */
    int64_t rest_ns;   /* from there to the end */
} pml_generated;

/* Takes valid UTF-8, whole characters, as soon as it is known to belong to the text. */
typedef pml_status pml_generated_text_fn(void *user, const char *text, size_t size_bytes, pml_error *error);

/* Goes on with the first text of a session, which is empty, from a prompt of at least one token. What was generated
 * before a failure is in *generated and was handed over, but for what stops hold back. Errors: UNSUPPORTED (a tokenizer
 * that has no bytes for its tokens), ARGUMENT (no prompt, a context that is too small, sampling out of range), those
 * of pml_session_feed, INTERRUPTED among them, and of `text`. */
pml_status pml_generate(pml_session *session, const pml_tokenizer *tokenizer, const uint32_t *prompt, size_t n_prompt,
                        const pml_generation *options, pml_generated_text_fn *text, void *user,
                        pml_generated *generated, pml_error *error) PML_WARN_UNUSED;
void pml_generated_deinit(pml_generated *generated);

#endif
