/* What the commands on text share: where texts come from, and the model that reads them. */
#ifndef PML_RUNTIME_CLI_TEXT_INPUT_H
#define PML_RUNTIME_CLI_TEXT_INPUT_H

#include "runtime/base/json_writer.h"
#include "runtime/cli/run_commands.h"
#include "runtime/text/text_model.h"

#define PML_TEXT_WINDOW 1024u /* texts that are worked on at a time: bounds memory, and answers come while more run */

typedef struct pml_text_options { /* of every command on text */
    const char *file;             /* NULL: the operands or, without any, standard input */
    const char *pair;             /* second text of each; NULL: none */
    bool whole;                   /* a file or standard input is one text, not one a line */
    pml_option_u64 max_tokens;
} pml_text_options;

/* The rows of an option table that fill the pml_text_options at field `text` of struct `type`. */
#define PML_TEXT_FILE_ROW(type)                                                                                        \
    { "file", 0, PML_OPTION_TEXT, "F", NULL, "one text a line ('-': standard input)", offsetof(type, text.file) }
#define PML_TEXT_PAIR_ROW(type)                                                                                        \
    { "pair", 0, PML_OPTION_TEXT, "TEXT", NULL, "the second text, of each of the first", offsetof(type, text.pair) }
#define PML_TEXT_LIMIT_ROW(type)                                                                                       \
    {                                                                                                                  \
        "max-tokens", 0, PML_OPTION_U64, "N", NULL, "cut longer texts (default: what the model takes)",                \
            offsetof(type, text.max_tokens)                                                                            \
    }

typedef struct pml_texts { /* zero = safe to free */
    char *storage;
    size_t storage_bytes;
    pml_text_item *items;
    size_t count;
} pml_texts;

/* The operands behind FILE or, without any, the lines of --file or standard input, or one of these whole. Errors:
 * ARGUMENT (both), FORMAT (more than 2^24 texts or 1 GiB), IO, NOT_FOUND, MEMORY. */
pml_status pml_texts_read(const pml_text_options *options, char **operands, unsigned n_operands, pml_texts *texts,
                          pml_error *error) PML_WARN_UNUSED;
void pml_texts_free(pml_texts *texts);

typedef struct pml_text_session { /* zero = safe to close */
    pml_loaded loaded;
    pml_text_model text;
    pml_texts texts;
} pml_text_session;

/* Loads the model of operands[0] with its tokenizer and reads the texts. Errors: those of pml_loaded_open,
 * pml_text_model_open, pml_texts_read. The caller closes the session also on failure. */
pml_status pml_text_session_open(const pml_model_options *model, const pml_text_options *options, char **operands,
                                 unsigned n_operands, pml_text_session *session, pml_error *error) PML_WARN_UNUSED;
void pml_text_session_close(pml_text_session *session);

/* Sees a window of texts once all their results were handed over, in their order. */
typedef pml_status pml_text_window_fn(void *user, const pml_text_item *items, size_t n_items, pml_error *error);
/* Runs the model on all texts, PML_TEXT_WINDOW at a time: each result goes to `keep`, its i_item counted from the
 * window's first, then the window to `show`. Errors: those of pml_text_model_run and `show`. */
pml_status pml_text_session_run(const pml_text_session *session, const pml_text_run *request, pml_text_result_fn *keep,
                                pml_text_window_fn *show, void *user, pml_error *error) PML_WARN_UNUSED;

/* UNSUPPORTED unless the model's head is `head`; the message says what `command` needs. */
pml_status pml_text_need_head(const pml_text_session *session, const char *command, const char *head,
                              pml_error *error) PML_WARN_UNUSED;

/* Softmax in place, in double precision inside. */
void pml_text_softmax(float *values, size_t count);
/* The greatest `most` of `count` values, greatest first, equal ones in their order; *n_top of them in `top`. */
void pml_text_top(const float *values, size_t count, size_t most, size_t *top, size_t *n_top);

#endif
