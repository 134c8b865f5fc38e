/* The script of faults: which requests go wrong, how, and how often. The language is described in README.md. */
#ifndef PML_TESTS_HUB_FAKE_FAULTS_H
#define PML_TESTS_HUB_FAKE_FAULTS_H

#include "tests/hub/fake_exchange.h"

typedef struct fake_faults fake_faults;

/* Ends the program with a message where a line cannot be understood. `path` NULL: no faults. */
fake_faults *fake_faults_read(const char *path);
/* Lets the first line that is meant for this request change its reply. Threads may call it at once. */
void fake_faults_apply(fake_faults *faults, fake_exchange *x);

#endif
