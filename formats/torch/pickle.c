/* The machine: one function per kind of opcode, one table that says which opcode is which. */
#include "formats/torch/pickle.h"

#include <string.h>

#include "formats/torch/element.h"
#include "runtime/base/alloc.h"
#include "runtime/base/bytes.h"
#include "runtime/base/limits.h"

enum { MOST_PROTOCOL = 5, MOST_GLOBAL_BYTES = 1024 };

typedef struct machine {
    pml_pickle *pickle;
    const uint8_t *bytes;
    size_t size_bytes, at;
    size_t opcode_at;
    uint32_t *stack;
    size_t n_stack, stack_capacity;
    uint32_t *marks; /* heights of the stack */
    size_t n_marks, mark_capacity;
    uint32_t *memo; /* value + 1; 0: nothing */
    size_t memo_length, memo_capacity;
    uint32_t n_memoized;
    bool is_done;
} machine;

typedef pml_status (*operation)(machine *m, unsigned number, pml_error *error);

static pml_status machine_fail(const machine *m, pml_status code, const char *cause, pml_error *error) {
    uint64_t offset = m->pickle->base_offset + m->opcode_at;
    return PML_FAIL_AT(error, code, offset, "%s: byte %llu of the pickle: %s", m->pickle->shown,
                       (unsigned long long)offset, cause);
}

static pml_status malformed(const machine *m, const char *cause, pml_error *error) {
    return machine_fail(m, PML_E_FORMAT, cause, error);
}

/* ---- stack, arguments --------------------------------------------------------------------------------------- */
static pml_status push(machine *m, uint32_t value, pml_error *error) {
    pml_status status = pml_grow(&m->stack, &m->stack_capacity, m->n_stack + 1, sizeof *m->stack, PML_MAX_PICKLE_VALUES,
                                 "values on a pickle's stack", error);
    if (status == PML_OK) {
        m->stack[m->n_stack++] = value;
    }
    return status;
}

/* The height below which the stack is closed: that of the last mark. */
static size_t floor_of(const machine *m) {
    return m->n_marks == 0 ? 0 : m->marks[m->n_marks - 1];
}

static pml_status need(const machine *m, size_t n_values, pml_error *error) {
    return m->n_stack - floor_of(m) < n_values ? malformed(m, "too few values on the stack", error) : PML_OK;
}

/* The position of the last mark, which is taken away. */
static pml_status take_mark(machine *m, size_t *height, pml_error *error) {
    if (m->n_marks == 0) {
        return malformed(m, "no mark on the stack", error);
    }
    *height = m->marks[--m->n_marks];
    return PML_OK;
}

static pml_status take_bytes(machine *m, uint64_t n_bytes, const uint8_t **bytes, pml_error *error) {
    if (n_bytes > m->size_bytes - m->at) {
        return malformed(m, "the pickle ends in the middle", error);
    }
    *bytes = m->bytes + m->at;
    m->at += (size_t)n_bytes;
    return PML_OK;
}

/* An unsigned little-endian number of 1, 2, 4 or 8 bytes. */
static pml_status take_number(machine *m, unsigned n_bytes, uint64_t *number, pml_error *error) {
    const uint8_t *bytes = NULL;
    pml_status status = take_bytes(m, n_bytes, &bytes, error);
    *number = 0;
    if (status == PML_OK) {
        memcpy(number, bytes, n_bytes);
    }
    return status;
}

static pml_status push_new(machine *m, pml_pickle_kind kind, pml_pickle_value **value, pml_error *error) {
    pml_status status = PML_OK;
    uint32_t index;
    PML_TRY(pml_pickle_add(m->pickle, kind, &index, error));
    PML_TRY(push(m, index, error));
    *value = pml_pickle_at(m->pickle, index);
done:
    return status;
}

/* ---- plain values ------------------------------------------------------------------------------------------- */
static pml_status run_protocol(machine *m, unsigned number, pml_error *error) {
    uint64_t protocol;
    pml_status status = take_number(m, number, &protocol, error);
    if (status == PML_OK && protocol > MOST_PROTOCOL) {
        return machine_fail(m, PML_E_UNSUPPORTED, "a pickle of a protocol above 5", error);
    }
    return status;
}

static pml_status run_frame(machine *m, unsigned number, pml_error *error) {
    uint64_t n_bytes;
    pml_status status = take_number(m, number, &n_bytes, error);
    if (status == PML_OK && n_bytes > m->size_bytes - m->at) {
        return malformed(m, "a frame reaches past the end", error);
    }
    return status;
}

/* The values that never change are made once, in this order. */
static const struct {
    uint8_t kind, integer;
} constants[] = {{PML_PICKLE_NONE, 0}, {PML_PICKLE_BOOL, 0}, {PML_PICKLE_BOOL, 1}, {PML_PICKLE_TUPLE, 0}};
enum { CONSTANT_NONE, CONSTANT_FALSE, CONSTANT_TRUE, CONSTANT_TUPLE };

static pml_status make_constants(pml_pickle *pickle, pml_error *error) {
    pml_status status = PML_OK;
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        uint32_t index;
        PML_TRY(pml_pickle_add(pickle, (pml_pickle_kind)constants[i].kind, &index, error));
        if (constants[i].integer != 0) {
            pml_pickle_at(pickle, index)->integer = 1;
        }
    }
done:
    return status;
}

static pml_status run_constant(machine *m, unsigned number, pml_error *error) {
    return push(m, number, error);
}

static pml_status run_empty(machine *m, unsigned number, pml_error *error) {
    pml_pickle_value *value;
    return push_new(m, (pml_pickle_kind)number, &value, error);
}

static pml_status run_integer(machine *m, unsigned number, pml_error *error) {
    pml_status status = PML_OK;
    pml_pickle_value *value;
    uint64_t bits;
    PML_TRY(take_number(m, number, &bits, error));
    PML_TRY(push_new(m, PML_PICKLE_INTEGER, &value, error));
    value->integer = number == 4 ? (int64_t)(int32_t)(uint32_t)bits : (int64_t)bits;
done:
    return status;
}

static pml_status run_long(machine *m, unsigned number, pml_error *error) {
    pml_status status = PML_OK;
    pml_pickle_value *value;
    const uint8_t *bytes = NULL;
    uint64_t n_bytes;
    PML_TRY(take_number(m, number, &n_bytes, error));
    PML_TRY(take_bytes(m, n_bytes, &bytes, error));
    PML_TRY(push_new(m, n_bytes <= 8 ? PML_PICKLE_INTEGER : PML_PICKLE_LONG, &value, error));
    if (n_bytes > 8) {
        value->text = bytes;
        value->count = (uint32_t)n_bytes;
    } else if (n_bytes > 0) {
        uint64_t bits = (bytes[n_bytes - 1] & 0x80) != 0 ? UINT64_MAX : 0;
        memcpy(&bits, bytes, (size_t)n_bytes);
        value->integer = (int64_t)bits;
    }
done:
    return status;
}

static pml_status run_real(machine *m, unsigned number, pml_error *error) {
    pml_status status = PML_OK;
    pml_pickle_value *value;
    uint64_t bits;
    PML_TRY(take_number(m, number, &bits, error));
    PML_TRY(push_new(m, PML_PICKLE_REAL, &value, error));
    bits = __builtin_bswap64(bits);
    memcpy(&value->real, &bits, sizeof bits);
done:
    return status;
}

static pml_status push_text(machine *m, unsigned length_bytes, pml_pickle_kind kind, pml_error *error) {
    pml_status status = PML_OK;
    pml_pickle_value *value;
    const uint8_t *bytes = NULL;
    uint64_t n_bytes;
    PML_TRY(take_number(m, length_bytes, &n_bytes, error));
    PML_TRY(take_bytes(m, n_bytes, &bytes, error));
    PML_TRY(push_new(m, kind, &value, error));
    value->text = bytes;
    value->count = (uint32_t)n_bytes;
done:
    return status;
}

static pml_status run_text(machine *m, unsigned number, pml_error *error) {
    return push_text(m, number, PML_PICKLE_TEXT, error);
}

static pml_status run_bytes(machine *m, unsigned number, pml_error *error) {
    return push_text(m, number, PML_PICKLE_BYTES, error);
}

/* ---- containers --------------------------------------------------------------------------------------------- */
static pml_status run_mark(machine *m, unsigned number, pml_error *error) {
    (void)number;
    pml_status status = pml_grow(&m->marks, &m->mark_capacity, m->n_marks + 1, sizeof *m->marks, PML_MAX_PICKLE_VALUES,
                                 "marks on a pickle's stack", error);
    if (status == PML_OK) {
        m->marks[m->n_marks++] = (uint32_t)m->n_stack;
    }
    return status;
}

/* A tuple of the values from `height` on. */
static pml_status make_tuple(machine *m, size_t height, pml_error *error) {
    pml_status status = PML_OK;
    uint32_t index;
    PML_TRY(pml_pickle_add(m->pickle, PML_PICKLE_TUPLE, &index, error));
    PML_TRY(pml_pickle_append(pml_pickle_at(m->pickle, index), m->stack + height, m->n_stack - height, error));
    m->n_stack = height;
    PML_TRY(push(m, index, error));
done:
    return status;
}

/* number: how many values; 0: those above the mark. */
static pml_status run_tuple(machine *m, unsigned number, pml_error *error) {
    pml_status status = PML_OK;
    size_t height = 0;
    if (number == 0) {
        PML_TRY(take_mark(m, &height, error));
    } else {
        PML_TRY(need(m, number, error));
        height = m->n_stack - number;
    }
    PML_TRY(make_tuple(m, height, error));
done:
    return status;
}

/* Puts the values from `height` on into the container below them. */
static pml_status fill(machine *m, size_t height, pml_pickle_kind kind, pml_error *error) {
    pml_status status = PML_OK;
    if (height <= floor_of(m)) {
        PML_TRY(malformed(m, "too few values on the stack", error));
    }
    pml_pickle_value *container = pml_pickle_at(m->pickle, m->stack[height - 1]);
    if (container->kind != (uint8_t)kind && container->kind != PML_PICKLE_OPAQUE) {
        PML_TRY(malformed(m, "items are put into something that is no such container", error));
    }
    size_t n_items = m->n_stack - height;
    if (kind == PML_PICKLE_DICT && n_items % 2 != 0) {
        PML_TRY(malformed(m, "a key without a value", error));
    }
    if (container->kind == PML_PICKLE_OPAQUE && container->is_ordered != (kind == PML_PICKLE_DICT) &&
        container->count > 0) {
        PML_TRY(malformed(m, "one object is filled as a dict and as a list", error));
    }
    if (container->kind == PML_PICKLE_OPAQUE) {
        container->is_ordered = kind == PML_PICKLE_DICT;
    }
    PML_TRY(pml_pickle_append(container, m->stack + height, n_items, error));
    m->n_stack = height;
done:
    return status;
}

static pml_status run_fill(machine *m, unsigned number, pml_error *error) {
    pml_status status = PML_OK;
    size_t height = 0;
    PML_TRY(take_mark(m, &height, error));
    PML_TRY(fill(m, height, (pml_pickle_kind)number, error));
done:
    return status;
}

static pml_status run_fill_one(machine *m, unsigned number, pml_error *error) {
    pml_status status = PML_OK;
    size_t n_values = number == PML_PICKLE_DICT ? 2 : 1;
    PML_TRY(need(m, n_values + 1, error));
    PML_TRY(fill(m, m->n_stack - n_values, (pml_pickle_kind)number, error));
done:
    return status;
}

/* ---- memo --------------------------------------------------------------------------------------------------- */
static pml_status memoize(machine *m, uint64_t number, pml_error *error) {
    pml_status status = PML_OK;
    PML_TRY(need(m, 1, error));
    /* Writers count up from 0 or 1, so that a number beyond the bytes so far is a lie. */
    if (number > m->at) {
        PML_TRY(malformed(m, "a memo number that no writer gives", error));
    }
    PML_TRY(pml_grow(&m->memo, &m->memo_capacity, (size_t)number + 1, sizeof *m->memo, m->size_bytes + 1,
                     "memo entries", error));
    if (number >= m->memo_length) {
        memset(m->memo + m->memo_length, 0, ((size_t)number + 1 - m->memo_length) * sizeof *m->memo);
        m->memo_length = (size_t)number + 1;
    }
    m->n_memoized += m->memo[number] == 0;
    m->memo[number] = m->stack[m->n_stack - 1] + 1;
done:
    return status;
}

static pml_status run_put(machine *m, unsigned number, pml_error *error) {
    uint64_t i;
    pml_status status = take_number(m, number, &i, error);
    return status == PML_OK ? memoize(m, i, error) : status;
}

static pml_status run_memoize(machine *m, unsigned number, pml_error *error) {
    (void)number;
    return memoize(m, m->n_memoized, error);
}

static pml_status run_get(machine *m, unsigned number, pml_error *error) {
    uint64_t i;
    pml_status status = take_number(m, number, &i, error);
    if (status == PML_OK && (i >= m->memo_length || m->memo[i] == 0)) {
        return malformed(m, "a memo entry that was never made", error);
    }
    return status == PML_OK ? push(m, m->memo[i] - 1, error) : status;
}

/* ---- globals, calls ----------------------------------------------------------------------------------------- */
/* Replaces module and name, the two top values, by the global that they name. */
static pml_status run_stack_global(machine *m, unsigned number, pml_error *error) {
    (void)number;
    pml_status status = PML_OK;
    pml_pickle_value *global;
    PML_TRY(need(m, 2, error));
    uint32_t i_module = m->stack[m->n_stack - 2];
    const pml_pickle_value *name = pml_pickle_at(m->pickle, m->stack[m->n_stack - 1]);
    const pml_pickle_value *module = pml_pickle_at(m->pickle, i_module);
    if (module->kind != PML_PICKLE_TEXT || name->kind != PML_PICKLE_TEXT || module->count > MOST_GLOBAL_BYTES ||
        name->count > MOST_GLOBAL_BYTES) {
        PML_TRY(malformed(m, "a global without a sound name", error));
    }
    m->n_stack -= 2;
    PML_TRY(push_new(m, PML_PICKLE_GLOBAL, &global, error));
    global->text = name->text;
    global->count = name->count;
    global->origin = i_module;
    pml_torch_global_recognise(module, global);
done:
    return status;
}

/* Two lines of text: module and name. */
static pml_status run_global(machine *m, unsigned number, pml_error *error) {
    pml_status status = PML_OK;
    for (unsigned i = 0; i < 2; i++) {
        pml_pickle_value *value;
        const uint8_t *line = m->bytes + m->at;
        size_t rest = m->size_bytes - m->at;
        const uint8_t *end = memchr(line, '\n', rest < MOST_GLOBAL_BYTES ? rest : MOST_GLOBAL_BYTES);
        if (end == NULL) {
            PML_TRY(malformed(m, "a global without a sound name", error));
            goto done;
        }
        m->at += (size_t)(end - line) + 1;
        PML_TRY(push_new(m, PML_PICKLE_TEXT, &value, error));
        value->text = line;
        value->count = (uint32_t)(end - line);
    }
    PML_TRY(run_stack_global(m, number, error));
done:
    return status;
}

/* REDUCE and NEWOBJ: callable and arguments become what they stand for. */
static pml_status run_reduce(machine *m, unsigned number, pml_error *error) {
    (void)number;
    pml_status status = PML_OK;
    const char *cause;
    uint32_t result;
    PML_TRY(need(m, 2, error));
    PML_TRY(pml_pickle_reduce(m->pickle, m->stack[m->n_stack - 2], m->stack[m->n_stack - 1], &result, &cause, error));
    if (cause != NULL) {
        PML_TRY(malformed(m, cause, error));
    }
    m->n_stack -= 2;
    PML_TRY(push(m, result, error));
done:
    return status;
}

/* An OrderedDict's attributes are dropped; those of an unknown object stay beside it. */
static pml_status run_build(machine *m, unsigned number, pml_error *error) {
    (void)number;
    pml_status status = PML_OK;
    PML_TRY(need(m, 2, error));
    pml_pickle_value *target = pml_pickle_at(m->pickle, m->stack[m->n_stack - 2]);
    if (target->kind == PML_PICKLE_OPAQUE) {
        target->state = m->stack[m->n_stack - 1];
    } else if (target->kind != PML_PICKLE_DICT || !target->is_ordered) {
        PML_TRY(malformed(m, "attributes are given to something that has none", error));
    }
    m->n_stack--;
done:
    return status;
}

static pml_status run_persistent(machine *m, unsigned number, pml_error *error) {
    (void)number;
    pml_status status = PML_OK;
    pml_pickle_value *value;
    pml_pickle *pickle = m->pickle;
    PML_TRY(need(m, 1, error));
    uint32_t id = m->stack[--m->n_stack];
    PML_TRY(push_new(m, PML_PICKLE_STORAGE, &value, error));
    value->origin = id;
    PML_TRY(pml_grow(&pickle->storages, &pickle->storage_capacity, pickle->n_storages + 1, sizeof *pickle->storages,
                     PML_MAX_PICKLE_VALUES, "storages", error));
    pickle->storages[pickle->n_storages++] = m->stack[m->n_stack - 1];
done:
    return status;
}

static pml_status run_stop(machine *m, unsigned number, pml_error *error) {
    (void)number;
    if (m->n_stack != 1 || m->n_marks != 0) {
        return malformed(m, "the pickle stops with something else than one value", error);
    }
    m->is_done = true;
    return PML_OK;
}

static const struct {
    operation run;
    unsigned number;
} operations[256] = {
    [0x80] = {run_protocol, 1},
    [0x95] = {run_frame, 8},
    ['.'] = {run_stop, 0},
    ['('] = {run_mark, 0},
    ['N'] = {run_constant, CONSTANT_NONE},
    [0x88] = {run_constant, CONSTANT_TRUE},
    [0x89] = {run_constant, CONSTANT_FALSE},
    [')'] = {run_constant, CONSTANT_TUPLE},
    [']'] = {run_empty, PML_PICKLE_LIST},
    ['}'] = {run_empty, PML_PICKLE_DICT},
    [0x8f] = {run_empty, PML_PICKLE_SET},
    ['K'] = {run_integer, 1},
    ['M'] = {run_integer, 2},
    ['J'] = {run_integer, 4},
    [0x8a] = {run_long, 1},
    ['G'] = {run_real, 8},
    ['U'] = {run_text, 1},
    ['T'] = {run_text, 4},
    ['X'] = {run_text, 4},
    [0x8c] = {run_text, 1},
    ['C'] = {run_bytes, 1},
    ['B'] = {run_bytes, 4},
    ['t'] = {run_tuple, 0},
    [0x85] = {run_tuple, 1},
    [0x86] = {run_tuple, 2},
    [0x87] = {run_tuple, 3},
    ['a'] = {run_fill_one, PML_PICKLE_LIST},
    ['e'] = {run_fill, PML_PICKLE_LIST},
    ['s'] = {run_fill_one, PML_PICKLE_DICT},
    ['u'] = {run_fill, PML_PICKLE_DICT},
    [0x90] = {run_fill, PML_PICKLE_SET},
    ['q'] = {run_put, 1},
    ['r'] = {run_put, 4},
    [0x94] = {run_memoize, 0},
    ['h'] = {run_get, 1},
    ['j'] = {run_get, 4},
    ['c'] = {run_global, 0},
    [0x93] = {run_stack_global, 0},
    ['R'] = {run_reduce, 0},
    [0x81] = {run_reduce, 0},
    ['b'] = {run_build, 0},
    ['Q'] = {run_persistent, 0},
};

pml_status pml_pickle_run(pml_pickle *pickle, const uint8_t *bytes, size_t size_bytes, uint64_t base_offset,
                          const char *shown, uint32_t *root, size_t *used_bytes, pml_error *error) {
    pml_status status = PML_OK;
    machine m = {.pickle = pickle, .bytes = bytes, .size_bytes = size_bytes};
    *pickle = (pml_pickle){.shown = shown, .base_offset = base_offset};
    PML_TRY(make_constants(pickle, error));
    PML_TRY(pml_grow(&m.stack, &m.stack_capacity, 1, sizeof *m.stack, PML_MAX_PICKLE_VALUES, "values", error));
    while (!m.is_done) {
        m.opcode_at = m.at;
        if (m.at == size_bytes) {
            PML_TRY(malformed(&m, "the pickle ends before its end mark", error));
        }
        uint8_t opcode = bytes[m.at++];
        if (operations[opcode].run == NULL) {
            PML_TRY(PML_FAIL_AT(error, PML_E_UNSUPPORTED, base_offset + m.opcode_at,
                                "%s: byte %llu of the pickle: the opcode 0x%02x is not one that checkpoints need",
                                shown, (unsigned long long)(base_offset + m.opcode_at), opcode));
        }
        PML_TRY(operations[opcode].run(&m, operations[opcode].number, error));
    }
    *root = m.stack[0];
    *used_bytes = m.at;
done:
    pml_free(m.stack);
    pml_free(m.marks);
    pml_free(m.memo);
    return status;
}
