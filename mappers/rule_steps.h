/* The steps of a rule's transform, for one weight of a configured model. */
#ifndef PML_MAPPERS_RULE_STEPS_H
#define PML_MAPPERS_RULE_STEPS_H

#include "mappers/mapper.h"
#include "mappers/pattern.h"

/* Replaces {expressions} by their values; `l` is that of the weight (-1: none). `n_parts` above 0 turns the argument of
 * stack into that number, as it is recorded. `owner` begins messages: "", or "--map, ". Errors: CONFIG (braces, an
 * expression that fails, a text that does not fit `steps_bytes`). */
pml_status pml_rule_steps_format(const pml_schema *schema, const pml_metadata *config, const pml_map_rule *rule,
                                 const char *owner, int64_t l, size_t n_parts, char *steps, size_t steps_bytes,
                                 pml_error *error) PML_WARN_UNUSED;

/* The index in stack(…); false: the rule stacks nothing, or {c} is not captured (*i_stack is then 0). */
bool pml_rule_stack_index(const pml_map_rule *rule, const pml_captures *captures, uint64_t *i_stack);

#endif
