#include "runtime/tune/trial.h"

#include <string.h>

#include "runtime/base/alloc.h"

enum { MOST_ATTRIBUTES = 4096 };

const pml_trial_parameter *pml_trial_find(const pml_trial *trial, const char *name) {
    for (size_t i = 0; i < trial->n_parameters; i++) {
        if (trial->parameters[i].name == name || strcmp(trial->parameters[i].name, name) == 0) {
            return &trial->parameters[i];
        }
    }
    return NULL;
}

const pml_trial_report *pml_trial_last_report(const pml_trial *trial) {
    const pml_trial_report *last = NULL;
    for (size_t i = 0; i < trial->n_reports; i++) {
        if (last == NULL || trial->reports[i].step > last->step) {
            last = &trial->reports[i];
        }
    }
    return last;
}

bool pml_trial_is_finished(const pml_trial *trial) {
    return trial->state != PML_TRIAL_RUNNING && trial->state != PML_TRIAL_WAITING;
}

const char *pml_trial_state_name(pml_trial_state state) {
    static const char *const names[PML_TRIAL_STATES] = {"running", "complete", "pruned", "failed", "waiting"};
    return names[state];
}

static pml_trial_attribute *find(const pml_attributes *attributes, const char *key) {
    for (size_t i = 0; i < attributes->count; i++) {
        if (strcmp(attributes->items[i].key, key) == 0) {
            return &attributes->items[i];
        }
    }
    return NULL;
}

const char *pml_attributes_find(const pml_attributes *attributes, const char *key) {
    const pml_trial_attribute *found = find(attributes, key);
    return found != NULL ? found->json : NULL;
}

pml_status pml_attributes_put(pml_attributes *attributes, char *key, char *json, pml_error *error) {
    pml_status status = PML_OK;
    pml_trial_attribute *there = find(attributes, key);
    if (there != NULL) {
        pml_free(there->json);
        there->json = json;
        pml_free(key);
        goto done;
    }
    status = pml_grow(&attributes->items, &attributes->capacity, attributes->count + 1, sizeof *attributes->items,
                      MOST_ATTRIBUTES, "attributes", error);
    if (status != PML_OK) {
        pml_free(key);
        pml_free(json);
        goto done;
    }
    attributes->items[attributes->count++] = (pml_trial_attribute){key, json};
done:
    return status;
}

void pml_attributes_deinit(pml_attributes *attributes) {
    for (size_t i = 0; i < attributes->count; i++) {
        pml_free(attributes->items[i].key);
        pml_free(attributes->items[i].json);
    }
    pml_free(attributes->items);
    *attributes = (pml_attributes){0};
}
