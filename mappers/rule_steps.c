#include "mappers/rule_steps.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

pml_status pml_rule_steps_format(const pml_schema *schema, const pml_metadata *config, const pml_map_rule *rule,
                                 const char *owner, int64_t l, size_t n_parts, char *steps, size_t steps_bytes,
                                 pml_error *error) {
    pml_status status = PML_OK;
    size_t used = 0;
    for (const char *at = rule->transform != NULL ? rule->transform : ""; *at != '\0';) {
        char text[PML_MAX_NAME_BYTES] = {*at, '\0'};
        const char *next = at + 1;
        if (*at == '{') {
            size_t length = strcspn(at + 1, "}");
            if (at[1 + length] != '}' || length >= sizeof text) {
                PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%srule \"%s\": malformed transform \"%s\"", owner, rule->pattern,
                                 rule->transform));
            }
            memcpy(text, at + 1, length);
            text[length] = '\0';
            int64_t value;
            status = pml_schema_eval(schema, config, text, l, &value, error);
            if (status != PML_OK) {
                PML_TRY(pml_error_prefix(error, status, "%srule \"%s\"", owner, rule->pattern));
            }
            (void)snprintf(text, sizeof text, "%" PRId64, value);
            next = at + length + 2;
        } else if (n_parts > 0 && strncmp(at, "stack(", 6) == 0) {
            (void)snprintf(text, sizeof text, "stack(%zu)", n_parts);
            next = at + strcspn(at, ")") + 1;
        }
        size_t length = strlen(text);
        if (used + length >= steps_bytes) {
            PML_TRY(PML_FAIL(error, PML_E_CONFIG, "%srule \"%s\": transform too long", owner, rule->pattern));
        }
        memcpy(steps + used, text, length);
        used += length;
        at = next;
    }
    steps[used] = '\0';
done:
    return status;
}

bool pml_rule_stack_index(const pml_map_rule *rule, const pml_captures *captures, uint64_t *i_stack) {
    const char *at = rule->transform != NULL ? strstr(rule->transform, "stack(") : NULL;
    *i_stack = 0;
    if (at == NULL) {
        return false;
    }
    at += strlen("stack(") + strspn(at + strlen("stack("), " \t");
    uint32_t value = 0;
    if (*at == 'c') {
        bool is_captured = pml_captures_get(captures, 'c', &value);
        *i_stack = value;
        return is_captured;
    }
    for (; *at >= '0' && *at <= '9' && *i_stack <= UINT32_MAX; at++) {
        *i_stack = *i_stack * 10 + (uint64_t)(*at - '0');
    }
    return true;
}
