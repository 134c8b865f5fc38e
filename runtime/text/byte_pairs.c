/* Byte-pair merging: of all neighbours that a merge names, the pair of least rank, the leftmost of several, becomes one
 * token; again until there is none. A heap of candidates, of which those whose symbols changed since are passed over,
 * keeps it O(n log n) on any text.
 * Source: Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016. */
#include <sys/random.h>

#include "runtime/base/alloc.h"
#include "runtime/text/tokenizer_parts.h"

/* ---- the table ----------------------------------------------------------------------------------------------------
 */

static size_t slot_of(const pml_merge_table *t, uint32_t left_id, uint32_t right_id) {
    uint64_t hash = ((uint64_t)left_id << 32 | right_id) * t->factor;
    hash ^= hash >> 32;
    return (size_t)(hash * 0x9e3779b97f4a7c15u >> 24) & t->mask;
}

/* The slot of a pair, or the free one where it would be. */
static pml_merge_slot *find(const pml_merge_table *t, uint32_t left_id, uint32_t right_id) {
    size_t i = slot_of(t, left_id, right_id);
    while (t->slots[i].rank_plus_1 != 0 && (t->slots[i].left_id != left_id || t->slots[i].right_id != right_id)) {
        i = (i + 1) & t->mask;
    }
    return &t->slots[i];
}

pml_status pml_merge_table_init(pml_merge_table *t, const pml_token_merge *merges, uint32_t n_merges,
                                pml_error *error) {
    pml_status status = PML_OK;
    size_t n_slots = 16;
    *t = (pml_merge_table){0};
    while (n_slots < (size_t)n_merges * 2) {
        n_slots *= 2;
    }
    if (getrandom(&t->factor, sizeof t->factor, GRND_NONBLOCK) != (ssize_t)sizeof t->factor) {
        t->factor = (uint64_t)(uintptr_t)t ^ 0xd1342543de82ef95u; /* early at boot: an address must do */
    }
    t->factor |= 1;
    PML_TRY(pml_alloc(n_slots, sizeof *t->slots, &t->slots, error));
    t->mask = n_slots - 1;
    for (uint32_t rank = 0; rank < n_merges; rank++) {
        const pml_token_merge *merge = &merges[rank];
        pml_merge_slot *slot = find(t, merge->left_id, merge->right_id);
        if (slot->rank_plus_1 != 0) {
            PML_TRY(PML_FAIL(error, PML_E_FORMAT, "tokenizer: merges %u and %u are of one pair", slot->rank_plus_1 - 1,
                             rank));
        }
        *slot = (pml_merge_slot){merge->left_id, merge->right_id, rank + 1, merge->result_id};
    }
done:
    if (status != PML_OK) {
        pml_merge_table_deinit(t);
    }
    return status;
}

void pml_merge_table_deinit(pml_merge_table *t) {
    pml_free(t->slots);
    *t = (pml_merge_table){0};
}

/* ---- candidates ---------------------------------------------------------------------------------------------------
 */

static bool comes_before(const pml_merge_candidate *a, const pml_merge_candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->i_symbol < b->i_symbol;
}

static void sift_up(pml_symbol_list *list, size_t i) {
    const pml_merge_candidate moved = list->heap[i];
    while (i > 0 && comes_before(&moved, &list->heap[(i - 1) / 2])) {
        list->heap[i] = list->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    list->heap[i] = moved;
}

static void sift_down(pml_symbol_list *list, pml_merge_candidate moved) {
    size_t i = 0;
    for (size_t child = 1; child < list->n_heap; child = 2 * i + 1) {
        child += child + 1 < list->n_heap && comes_before(&list->heap[child + 1], &list->heap[child]);
        if (comes_before(&moved, &list->heap[child])) {
            break;
        }
        list->heap[i] = list->heap[child];
        i = child;
    }
    list->heap[i] = moved;
}

static pml_merge_candidate pop(pml_symbol_list *list) {
    const pml_merge_candidate top = list->heap[0];
    list->n_heap--;
    if (list->n_heap > 0) {
        sift_down(list, list->heap[list->n_heap]);
    }
    return top;
}

/* Pushes the pair that begins at a symbol, if a merge names it. There is room: each symbol gives one candidate at the
 * start, each merge takes a symbol away and gives two. */
static void push_pair(const pml_merge_table *t, pml_symbol_list *list, uint32_t i_symbol) {
    const pml_symbol *left = &list->symbols[i_symbol];
    if (left->next == PML_NO_SYMBOL) {
        return;
    }
    const pml_merge_slot *slot = find(t, left->id, list->symbols[left->next].id);
    if (slot->rank_plus_1 != 0) {
        list->heap[list->n_heap] = (pml_merge_candidate){slot->rank_plus_1 - 1, i_symbol};
        sift_up(list, list->n_heap++);
    }
}

/* ---- merging ------------------------------------------------------------------------------------------------------
 */

/* The merge of a candidate whose symbols are still what they were, or NULL. A pair that begins at one place only ever
 * grows, so that an equal rank is the same pair. */
static const pml_merge_slot *current(const pml_merge_table *t, const pml_symbol_list *list,
                                     const pml_merge_candidate *candidate) {
    const pml_symbol *left = &list->symbols[candidate->i_symbol];
    if (left->id == PML_NO_TOKEN || left->next == PML_NO_SYMBOL) {
        return NULL;
    }
    const pml_merge_slot *slot = find(t, left->id, list->symbols[left->next].id);
    return slot->rank_plus_1 == candidate->rank + 1 ? slot : NULL;
}

pml_status pml_symbols_merge(const pml_merge_table *t, pml_symbol_list *list, pml_error *error) {
    pml_status status = PML_OK;
    list->n_heap = 0;
    PML_TRY(pml_grow(&list->heap, &list->heap_capacity, 2 * list->count, sizeof *list->heap, SIZE_MAX / 2, "candidates",
                     error));
    for (uint32_t i = 0; i + 1 < list->count; i++) {
        push_pair(t, list, i);
    }
    while (list->n_heap > 0) {
        const pml_merge_candidate top = pop(list);
        const pml_merge_slot *merge = current(t, list, &top);
        if (merge == NULL) {
            continue;
        }
        pml_symbol *left = &list->symbols[top.i_symbol], *right = &list->symbols[left->next];
        left->id = merge->result_id;
        left->end_byte = right->end_byte;
        left->next = right->next;
        right->id = PML_NO_TOKEN;
        if (left->next != PML_NO_SYMBOL) {
            list->symbols[left->next].previous = top.i_symbol;
        }
        if (left->previous != PML_NO_SYMBOL) {
            push_pair(t, list, left->previous);
        }
        push_pair(t, list, top.i_symbol);
    }
done:
    return status;
}
