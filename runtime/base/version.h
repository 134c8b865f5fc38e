/* The project's version: read by CMake, printed by every command, stored in converted files. */
#ifndef PML_RUNTIME_BASE_VERSION_H
#define PML_RUNTIME_BASE_VERSION_H

#define PML_VERSION "1.0.0"

/* The commit that was built, 12 hexadecimal digits; "unknown" when it was not built from a checkout. It is told to
 * people only: converted files do not depend on it. */
const char *pml_version_commit(void);

#endif
