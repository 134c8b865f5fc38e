/* The merges of BPE: merges.txt, and their tokens' ids once the vocabulary is known. */
#include <stdlib.h>
#include <string.h>

#include "convert/tokenizer_draft.h"
#include "runtime/base/alloc.h"
#include "runtime/base/quote.h"
#include "runtime/base/utf8.h"

pml_status pml_draft_add_merge(pml_tokenizer_draft *draft, const char *left, size_t left_bytes, const char *right,
                               size_t right_bytes, const char *file_name, pml_error *error) {
    pml_status status = PML_OK;
    pml_draft_merges *merges = &draft->merges;
    const size_t total = left_bytes + right_bytes;
    merges->file_name = file_name;
    if (left_bytes == 0 || right_bytes == 0 || total > PML_MAX_TOKEN_BYTES) {
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "a merge of %zu and %zu bytes", left_bytes, right_bytes));
    }
    PML_TRY(pml_grow(&merges->texts, &merges->texts_capacity, merges->texts_bytes + total, 1, SIZE_MAX / 2, "bytes",
                     error));
    PML_TRY(pml_grow(&merges->items, &merges->capacity, merges->count + 1, sizeof *merges->items, PML_MAX_VOCABULARY,
                     "merges", error));
    merges->items[merges->count++] =
        (pml_draft_merge){merges->texts_bytes, (uint32_t)left_bytes, (uint32_t)right_bytes};
    memcpy(merges->texts + merges->texts_bytes, left, left_bytes);
    memcpy(merges->texts + merges->texts_bytes + left_bytes, right, right_bytes);
    merges->texts_bytes += total;
done:
    return status;
}

pml_status pml_draft_add_merge_text(pml_tokenizer_draft *draft, const char *text, size_t size_bytes,
                                    const char *file_name, pml_error *error) {
    const char *space = memchr(text, ' ', size_bytes);
    const size_t left_bytes = space != NULL ? (size_t)(space - text) : 0;
    if (left_bytes == 0 || left_bytes + 1 == size_bytes ||
        memchr(space + 1, ' ', size_bytes - left_bytes - 1) != NULL) {
        return PML_FAIL(error, PML_E_FORMAT, "a merge is two tokens with a space between them");
    }
    return pml_draft_add_merge(draft, text, left_bytes, space + 1, size_bytes - left_bytes - 1, file_name, error);
}

/* One line of merges.txt, its end left away. */
static pml_status read_line(pml_tokenizer_draft *draft, const char *line, size_t size_bytes, const char *file_name,
                            pml_error *error) {
    static const char version[] = "#version";
    if (size_bytes >= sizeof version - 1 && memcmp(line, version, sizeof version - 1) == 0) {
        return PML_OK;
    }
    for (size_t at = 0; at < size_bytes;) {
        const size_t length = pml_utf8_length((const uint8_t *)line + at, size_bytes - at);
        if (length == 0 || line[at] == '\0') {
            return PML_FAIL(error, PML_E_FORMAT, "it %s", length == 0 ? "is not UTF-8" : "has a zero byte");
        }
        at += length;
    }
    return pml_draft_add_merge_text(draft, line, size_bytes, file_name, error);
}

pml_status pml_draft_read_merges(pml_tokenizer_draft *draft, const char *text, size_t size_bytes, const char *file_name,
                                 pml_error *error) {
    pml_status status = PML_OK;
    draft->merges.file_name = file_name;
    for (size_t at = 0, i_line = 1; at < size_bytes; i_line++) {
        const char *end = memchr(text + at, '\n', size_bytes - at);
        const size_t length = end != NULL ? (size_t)(end - (text + at)) : size_bytes - at;
        const bool has_return = length > 0 && text[at + length - 1] == '\r';
        status = read_line(draft, text + at, length - has_return, file_name, error);
        if (status != PML_OK) {
            PML_TRY(pml_error_prefix(error, status, "%s: line %zu", file_name, i_line));
        }
        at += length + 1;
    }
done:
    return status;
}

/* ---- ids ----------------------------------------------------------------------------------------------------------
 */

static pml_status find_part(const pml_tokenizer_draft *draft, const char *text, size_t size_bytes, size_t i_merge,
                            const char *what, uint32_t *id, pml_error *error) {
    pml_status status = PML_OK;
    size_t i_name;
    char *copy = NULL;
    pml_quoted quoted;
    if (!pml_names_find(&draft->names, text, size_bytes, &i_name)) {
        PML_TRY(pml_string_copy(text, size_bytes, &copy, error));
        PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: %s of merge %zu, %s, is not in the vocabulary",
                         draft->merges.file_name, what, i_merge + 1, pml_quote(&quoted, copy)));
    }
    *id = draft->ids[i_name];
done:
    pml_free(copy);
    return status;
}

typedef struct placed_pair {
    uint32_t left_id, right_id;
    size_t i_merge;
} placed_pair;

static int compare_pairs(const void *a, const void *b) {
    const placed_pair *x = a, *y = b;
    if (x->left_id != y->left_id) {
        return x->left_id < y->left_id ? -1 : 1;
    }
    if (x->right_id != y->right_id) {
        return x->right_id < y->right_id ? -1 : 1;
    }
    return (x->i_merge > y->i_merge) - (x->i_merge < y->i_merge);
}

static pml_status check_pairs(const pml_token_merge *merges, size_t n, const char *file_name, pml_error *error) {
    pml_status status = PML_OK;
    placed_pair *pairs = NULL;
    PML_TRY(pml_alloc(n, sizeof *pairs, &pairs, error));
    for (size_t i = 0; i < n; i++) {
        pairs[i] = (placed_pair){merges[i].left_id, merges[i].right_id, i};
    }
    qsort(pairs, n, sizeof *pairs, compare_pairs);
    for (size_t i = 1; i < n; i++) {
        if (pairs[i].left_id == pairs[i - 1].left_id && pairs[i].right_id == pairs[i - 1].right_id) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "%s: merges %zu and %zu are of the same two tokens", file_name,
                             pairs[i - 1].i_merge + 1, pairs[i].i_merge + 1));
        }
    }
done:
    pml_free(pairs);
    return status;
}

pml_status pml_draft_resolve_merges(const pml_tokenizer_draft *draft, pml_token_merge **merges, pml_error *error) {
    pml_status status = PML_OK;
    const pml_draft_merges *from = &draft->merges;
    PML_TRY(pml_alloc(from->count, sizeof **merges, merges, error));
    for (size_t i = 0; i < from->count; i++) {
        const char *left = from->texts + from->items[i].at;
        const size_t left_bytes = from->items[i].left_bytes, right_bytes = from->items[i].right_bytes;
        pml_token_merge *merge = &(*merges)[i];
        PML_TRY(find_part(draft, left, left_bytes, i, "the first part", &merge->left_id, error));
        PML_TRY(find_part(draft, left + left_bytes, right_bytes, i, "the second part", &merge->right_id, error));
        PML_TRY(find_part(draft, left, left_bytes + right_bytes, i, "the result", &merge->result_id, error));
    }
    PML_TRY(check_pairs(*merges, from->count, from->file_name, error));
done:
    return status;
}
