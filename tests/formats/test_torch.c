/* PyTorch files against the tensors that PyTorch itself reads from them. */
#include "tests/formats/conformance.h"

static void zip(void) {
    pml_conform_golden("providers/torch-zip/tensors.pth", "providers/torch-zip/expected.safetensors");
    pml_conform_golden("providers/torch-zip/protocol4.pth", "providers/torch-zip/expected.safetensors");
    pml_conform_golden("providers/torch-zip/state_dict.pth", "providers/torch-zip/expected-state_dict.safetensors");
    pml_conform_golden("providers/torch-zip/newtypes.pth", "providers/torch-zip/expected-newtypes.safetensors");
}

static void legacy(void) {
    pml_conform_golden("providers/torch-legacy/tensors.pth", "providers/torch-legacy/expected.safetensors");
}

static void nested(void) {
    pml_conform_golden("providers/torch-nested/last.ckpt", "providers/torch-nested/expected.safetensors");
}

static void unknown_globals(void) {
    pml_conform_golden("providers/torch-evil/unknown-global.ckpt", "providers/torch-evil/expected.safetensors");
    pml_conform_golden("providers/torch-evil/unknown-global-first.ckpt", "providers/torch-evil/expected.safetensors");
}

PML_TESTS("formats/torch", PML_TEST(zip), PML_TEST(legacy), PML_TEST(nested), PML_TEST(unknown_globals))
