/* Small integer and text expressions over configuration keys: symbolic dimensions, presence conditions and
 * constraints of a schema are data in this language.
 *
 *   expr    := or ('?' expr ':' expr)?          or := and ('||' and)*        and := cmp ('&&' cmp)*
 *   cmp     := sum (('=='|'!='|'<'|'<='|'>'|'>=') sum)?
 *   sum     := product (('+'|'-') product)*     product := unary (('*'|'/'|'%') unary)*   ('/' floors; by zero: error)
 *   unary   := ('!'|'-') unary | integer | name | 'text' | '(' expr ')'
 *
 * A name is a configuration key (booleans are 0 and 1, choices are text) or a placeholder such as l. Values are int64
 * or text; arithmetic is checked. Expressions are compiled-in data or options of the user; nesting is limited. */
#ifndef PML_RUNTIME_SCHEMA_EXPR_H
#define PML_RUNTIME_SCHEMA_EXPR_H

#include "runtime/base/error.h"

typedef struct pml_expr_value {
    const char *text; /* NULL: an integer */
    int64_t integer;
} pml_expr_value;

/* Gives the value of a name. Errors: NOT_FOUND (unknown), CONFIG (known but not usable here, e.g. not set). */
typedef pml_status pml_expr_lookup_fn(void *user, const char *name, size_t name_bytes, pml_expr_value *value,
                                      pml_error *error);

/* Evaluates to an integer. Errors: those of lookup; CONFIG (syntax, types, overflow, division by zero). */
pml_status pml_expr_integer(const char *expression, pml_expr_lookup_fn *lookup, void *user, int64_t *value,
                            pml_error *error) PML_WARN_UNUSED;
#endif
