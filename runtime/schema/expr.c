#include "runtime/schema/expr.h"

#include <string.h>

#define MAX_DEPTH 64u

typedef struct parser {
    const char *text; /* the whole expression, for messages */
    const char *at;
    unsigned depth;
    unsigned n_skipping; /* above 0: parse without evaluating (the branch not taken) */
    pml_expr_lookup_fn *lookup;
    void *user;
    char text_pool[4][64]; /* copies of the text literals in use; a comparison needs two */
    unsigned i_pool;
    pml_error *error;
} parser;

static pml_status parse_expression(parser *p, pml_expr_value *value);

static pml_status fail(parser *p, const char *cause) {
    return PML_FAIL(p->error, PML_E_CONFIG, "expression \"%s\": %s at character %zu", p->text, cause,
                    (size_t)(p->at - p->text) + 1);
}

static void skip_space(parser *p) {
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n') {
        p->at++;
    }
}

/* Takes `symbol` if it comes next. "<" is not taken from "<=", nor "!" from "!=". */
static bool take(parser *p, const char *symbol) {
    skip_space(p);
    size_t length = strlen(symbol);
    if (strncmp(p->at, symbol, length) != 0) {
        return false;
    }
    if (length == 1 && strchr("<>!=", symbol[0]) != NULL && p->at[1] == '=') {
        return false;
    }
    p->at += length;
    return true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static pml_status parse_number(parser *p, pml_expr_value *value) {
    int64_t number = 0;
    for (; is_digit(*p->at); p->at++) {
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *p->at - '0', &number)) {
            return fail(p, "integer too large");
        }
    }
    *value = (pml_expr_value){.integer = number};
    return PML_OK;
}

static pml_status parse_text(parser *p, pml_expr_value *value) {
    const char *begin = ++p->at;
    const char *end = strchr(begin, '\'');
    if (end == NULL) {
        return fail(p, "text without closing quote");
    }
    char *copy = p->text_pool[p->i_pool];
    size_t length = (size_t)(end - begin);
    if (length >= sizeof p->text_pool[0]) {
        return fail(p, "text too long");
    }
    if (p->n_skipping == 0) {
        p->i_pool = (p->i_pool + 1) % 4;
    }
    memcpy(copy, begin, length);
    copy[length] = '\0';
    p->at = end + 1;
    *value = (pml_expr_value){.text = copy};
    return PML_OK;
}

static pml_status parse_name(parser *p, pml_expr_value *value) {
    const char *begin = p->at;
    while (is_name(*p->at)) {
        p->at++;
    }
    *value = (pml_expr_value){.integer = 0};
    if (p->n_skipping > 0) {
        return PML_OK;
    }
    return p->lookup(p->user, begin, (size_t)(p->at - begin), value, p->error);
}

static pml_status require_integer(parser *p, const pml_expr_value *value) {
    return value->text == NULL || p->n_skipping > 0 ? PML_OK : fail(p, "text where a number is needed");
}

static pml_status parse_unary(parser *p, pml_expr_value *value) {
    pml_status status = PML_OK;
    if (++p->depth > MAX_DEPTH) {
        PML_TRY(fail(p, "nested too deeply"));
    }
    if (take(p, "!")) {
        PML_TRY(parse_unary(p, value));
        PML_TRY(require_integer(p, value));
        *value = (pml_expr_value){.integer = value->integer == 0};
    } else if (take(p, "-")) {
        PML_TRY(parse_unary(p, value));
        PML_TRY(require_integer(p, value));
        int64_t negated;
        if (__builtin_sub_overflow((int64_t)0, value->integer, &negated)) {
            PML_TRY(fail(p, "overflow"));
        }
        *value = (pml_expr_value){.integer = negated};
    } else if (take(p, "(")) {
        PML_TRY(parse_expression(p, value));
        if (!take(p, ")")) {
            PML_TRY(fail(p, "')' expected"));
        }
    } else if (is_digit(*p->at)) {
        PML_TRY(parse_number(p, value));
    } else if (*p->at == '\'') {
        PML_TRY(parse_text(p, value));
    } else if (is_name(*p->at)) {
        PML_TRY(parse_name(p, value));
    } else {
        PML_TRY(fail(p, "a value is expected"));
    }
    p->depth--;
done:
    return status;
}

/* a op b with floor division; `op` is one of + - * / %. */
static pml_status combine(parser *p, int op, pml_expr_value *a, const pml_expr_value *b) {
    if (p->n_skipping > 0) {
        *a = (pml_expr_value){.integer = 0};
        return PML_OK;
    }
    if (a->text != NULL || b->text != NULL) {
        return fail(p, "arithmetic on text");
    }
    int64_t x = a->integer;
    int64_t y = b->integer;
    bool overflows = false;
    switch (op) {
    case '+':
        overflows = __builtin_add_overflow(x, y, &a->integer);
        break;
    case '-':
        overflows = __builtin_sub_overflow(x, y, &a->integer);
        break;
    case '*':
        overflows = __builtin_mul_overflow(x, y, &a->integer);
        break;
    default:
        if (y == 0) {
            return fail(p, "division by zero");
        }
        if (x == INT64_MIN && y == -1) {
            overflows = true;
        } else {
            int64_t rest = x % y;
            bool round_down = rest != 0 && (rest < 0) != (y < 0);
            a->integer = op == '/' ? x / y - (round_down ? 1 : 0) : rest + (round_down ? y : 0);
        }
    }
    return overflows ? fail(p, "overflow") : PML_OK;
}

static pml_status parse_product(parser *p, pml_expr_value *value) {
    pml_status status = PML_OK;
    PML_TRY(parse_unary(p, value));
    for (;;) {
        int op = take(p, "*") ? '*' : take(p, "/") ? '/' : take(p, "%") ? '%' : '\0';
        if (op == '\0') {
            break;
        }
        pml_expr_value right;
        PML_TRY(parse_unary(p, &right));
        PML_TRY(combine(p, op, value, &right));
    }
done:
    return status;
}

static pml_status parse_sum(parser *p, pml_expr_value *value) {
    pml_status status = PML_OK;
    PML_TRY(parse_product(p, value));
    for (;;) {
        int op = take(p, "+") ? '+' : take(p, "-") ? '-' : '\0';
        if (op == '\0') {
            break;
        }
        pml_expr_value right;
        PML_TRY(parse_product(p, &right));
        PML_TRY(combine(p, op, value, &right));
    }
done:
    return status;
}

static pml_status parse_comparison(parser *p, pml_expr_value *value) {
    static const char *const symbols[] = {"==", "!=", "<=", ">=", "<", ">"};
    pml_status status = PML_OK;
    PML_TRY(parse_sum(p, value));
    size_t i_symbol = 0;
    while (i_symbol < 6 && !take(p, symbols[i_symbol])) {
        i_symbol++;
    }
    if (i_symbol == 6) {
        goto done;
    }
    pml_expr_value right;
    PML_TRY(parse_sum(p, &right));
    if (p->n_skipping > 0) {
        *value = (pml_expr_value){.integer = 0};
        goto done;
    }
    bool is_text = value->text != NULL;
    if (is_text != (right.text != NULL) || (is_text && i_symbol > 1)) {
        PML_TRY(fail(p, "these values cannot be compared"));
    }
    int order = is_text                          ? strcmp(value->text, right.text)
                : value->integer < right.integer ? -1
                                                 : value->integer > right.integer;
    const bool results[] = {order == 0, order != 0, order <= 0, order >= 0, order<0, order> 0};
    *value = (pml_expr_value){.integer = results[i_symbol]};
done:
    return status;
}

static pml_status parse_and(parser *p, pml_expr_value *value) {
    pml_status status = PML_OK;
    PML_TRY(parse_comparison(p, value));
    while (take(p, "&&")) {
        PML_TRY(require_integer(p, value));
        bool is_decided = value->integer == 0;
        pml_expr_value right;
        p->n_skipping += is_decided;
        PML_TRY(parse_comparison(p, &right));
        p->n_skipping -= is_decided;
        PML_TRY(require_integer(p, &right));
        *value = (pml_expr_value){.integer = !is_decided && right.integer != 0};
    }
done:
    return status;
}

static pml_status parse_or(parser *p, pml_expr_value *value) {
    pml_status status = PML_OK;
    PML_TRY(parse_and(p, value));
    while (take(p, "||")) {
        PML_TRY(require_integer(p, value));
        bool is_decided = value->integer != 0;
        pml_expr_value right;
        p->n_skipping += is_decided;
        PML_TRY(parse_and(p, &right));
        p->n_skipping -= is_decided;
        PML_TRY(require_integer(p, &right));
        *value = (pml_expr_value){.integer = is_decided || right.integer != 0};
    }
done:
    return status;
}

static pml_status parse_expression(parser *p, pml_expr_value *value) {
    pml_status status = PML_OK;
    if (++p->depth > MAX_DEPTH) {
        PML_TRY(fail(p, "nested too deeply"));
    }
    PML_TRY(parse_or(p, value));
    if (take(p, "?")) {
        PML_TRY(require_integer(p, value));
        bool is_first = value->integer != 0;
        pml_expr_value first, second;
        p->n_skipping += !is_first;
        PML_TRY(parse_expression(p, &first));
        p->n_skipping -= !is_first;
        if (!take(p, ":")) {
            PML_TRY(fail(p, "':' expected"));
        }
        p->n_skipping += is_first;
        PML_TRY(parse_expression(p, &second));
        p->n_skipping -= is_first;
        *value = is_first ? first : second;
    }
    p->depth--;
done:
    return status;
}

pml_status pml_expr_integer(const char *expression, pml_expr_lookup_fn *lookup, void *user, int64_t *value,
                            pml_error *error) {
    pml_status status = PML_OK;
    parser p = {.text = expression, .at = expression, .lookup = lookup, .user = user, .error = error};
    pml_expr_value result;
    PML_TRY(parse_expression(&p, &result));
    skip_space(&p);
    if (*p.at != '\0') {
        PML_TRY(fail(&p, "unexpected text"));
    }
    PML_TRY(require_integer(&p, &result));
    *value = result.integer;
done:
    return status;
}
