#include "runtime/base/version.h"

#include "runtime/pml.h"

const char *pml_version(void) {
    return PML_VERSION;
}

const char *pml_version_commit(void) {
    return PML_COMMIT;
}
