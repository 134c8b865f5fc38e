/* In place of csv_read.c where libcsv is not there (-DPML_RUNTIME_ONLY=ON alone allows that). */
#include "runtime/series/csv.h"

static pml_status refuse(const char *name, pml_error *error) {
    return PML_FAIL(error, PML_E_UNSUPPORTED, "%s: this build reads no CSV, because libcsv was not there", name);
}

pml_status pml_csv_parse(const void *bytes, size_t size_bytes, const char *file_name, pml_csv_record_fn *record,
                         void *user, pml_error *error) {
    (void)bytes, (void)size_bytes, (void)record, (void)user;
    return refuse(file_name, error);
}

pml_status pml_csv_read(const char *path, pml_csv_record_fn *record, void *user, pml_error *error) {
    (void)record, (void)user;
    return refuse(path, error);
}
