#include "mappers/evidence.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static pml_config_evidence *add(pml_evidence *evidence, const pml_config_evidence *item, const char *value) {
    assert(evidence->count < PML_MAX_EVIDENCE);
    pml_config_evidence *added = &evidence->items[evidence->count++];
    *added = *item;
    (void)snprintf(added->value, sizeof added->value, "%s", value);
    return added;
}

pml_config_evidence *pml_evidence_add(pml_evidence *evidence, const char *key, const pml_fact *fact,
                                      const char *value) {
    return add(evidence, &(pml_config_evidence){.key = key, .tensor = fact->source}, value);
}

void pml_evidence_add_number(pml_evidence *evidence, const char *key, const pml_fact *fact, uint64_t value) {
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    (void)pml_evidence_add(evidence, key, fact, text);
}

void pml_evidence_add_axis(pml_evidence *evidence, const pml_facts *facts, const char *key, const char *target,
                           unsigned axis) {
    const pml_fact *fact = pml_facts_find(facts, target);
    if (fact != NULL && fact->source->rank == 2) {
        pml_evidence_add_number(evidence, key, fact, fact->source->shape[axis]);
    }
}

void pml_evidence_add_outputs(pml_evidence *evidence, const pml_facts *facts, const char *key, const char *target) {
    const pml_fact *fact = pml_facts_find(facts, target);
    if (fact != NULL && fact->has_view && fact->view.rank == 2) {
        pml_evidence_add_number(evidence, key, fact, fact->view.shape[1]);
    }
}

void pml_evidence_add_absent(pml_evidence *evidence, const char *key, const char *name, const char *value) {
    (void)add(evidence, &(pml_config_evidence){.key = key, .absent = name}, value);
}

void pml_evidence_add_presence(pml_evidence *evidence, const char *key, const pml_fact *fact, const char *present,
                               const char *name, const char *absent) {
    if (fact != NULL) {
        (void)pml_evidence_add(evidence, key, fact, present);
    } else {
        pml_evidence_add_absent(evidence, key, name, absent);
    }
}

void pml_evidence_add_layers(pml_evidence *evidence, const pml_facts *facts, const char *layer) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s.{l}.attention.q.weight", layer);
    const uint32_t n_layers = pml_facts_count(facts, name, 'l');
    (void)snprintf(name, sizeof name, "%s.%" PRIu32 ".attention.q.weight", layer, n_layers == 0 ? 0 : n_layers - 1);
    const pml_fact *last = pml_facts_find(facts, name);
    if (last != NULL) {
        pml_evidence_add_number(evidence, "num_hidden_layers", last, n_layers);
    }
}
