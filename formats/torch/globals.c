/* The allow-list. Names are whole: what is not in it is unknown, however it looks. */
#include <string.h>

#include "formats/torch/element.h"

enum {
    ELEMENT_BYTES, /* untyped */
    ELEMENT_F64,
    ELEMENT_F32,
    ELEMENT_F16,
    ELEMENT_BF16,
    ELEMENT_I64,
    ELEMENT_I32,
    ELEMENT_I16,
    ELEMENT_I8,
    ELEMENT_U8,
    ELEMENT_U16,
    ELEMENT_U32,
    ELEMENT_U64,
    ELEMENT_BOOL,
    ELEMENT_C64,
    ELEMENT_C128,
    ELEMENT_E4M3,
    ELEMENT_E5M2,
    ELEMENT_E8M0,
};

static const pml_torch_element elements[] = {
    [ELEMENT_BYTES] = {PML_DTYPE_NONE, 1, false},   [ELEMENT_F64] = {PML_DTYPE_F64, 8, false},
    [ELEMENT_F32] = {PML_DTYPE_F32, 4, false},      [ELEMENT_F16] = {PML_DTYPE_F16, 2, false},
    [ELEMENT_BF16] = {PML_DTYPE_BF16, 2, false},    [ELEMENT_I64] = {PML_DTYPE_I64, 8, false},
    [ELEMENT_I32] = {PML_DTYPE_I32, 4, false},      [ELEMENT_I16] = {PML_DTYPE_I16, 2, false},
    [ELEMENT_I8] = {PML_DTYPE_I8, 1, false},        [ELEMENT_U8] = {PML_DTYPE_U8, 1, false},
    [ELEMENT_U16] = {PML_DTYPE_U16, 2, false},      [ELEMENT_U32] = {PML_DTYPE_U32, 4, false},
    [ELEMENT_U64] = {PML_DTYPE_U64, 8, false},      [ELEMENT_BOOL] = {PML_DTYPE_BOOL, 1, false},
    [ELEMENT_C64] = {PML_DTYPE_C64, 8, false},      [ELEMENT_C128] = {PML_DTYPE_F64, 16, true},
    [ELEMENT_E4M3] = {PML_DTYPE_F8_E4M3, 1, false}, [ELEMENT_E5M2] = {PML_DTYPE_F8_E5M2, 1, false},
    [ELEMENT_E8M0] = {PML_DTYPE_F8_E8M0, 1, false},
};

static const struct {
    const char *module, *name;
    pml_pickle_global global;
    uint8_t element;
} known[] = {
    {"collections", "OrderedDict", PML_GLOBAL_ORDERED_DICT, 0},
    {"torch._utils", "_rebuild_tensor_v2", PML_GLOBAL_TENSOR_V2, 0},
    {"torch._utils", "_rebuild_tensor_v3", PML_GLOBAL_TENSOR_V3, 0},
    {"torch._utils", "_rebuild_parameter", PML_GLOBAL_PARAMETER, 0},
    {"torch", "Size", PML_GLOBAL_SIZE, 0},
    {"_codecs", "encode", PML_GLOBAL_ENCODE, 0},
    {"torch.storage", "UntypedStorage", PML_GLOBAL_STORAGE, ELEMENT_BYTES},
    {"torch", "DoubleStorage", PML_GLOBAL_STORAGE, ELEMENT_F64},
    {"torch", "FloatStorage", PML_GLOBAL_STORAGE, ELEMENT_F32},
    {"torch", "HalfStorage", PML_GLOBAL_STORAGE, ELEMENT_F16},
    {"torch", "BFloat16Storage", PML_GLOBAL_STORAGE, ELEMENT_BF16},
    {"torch", "LongStorage", PML_GLOBAL_STORAGE, ELEMENT_I64},
    {"torch", "IntStorage", PML_GLOBAL_STORAGE, ELEMENT_I32},
    {"torch", "ShortStorage", PML_GLOBAL_STORAGE, ELEMENT_I16},
    {"torch", "CharStorage", PML_GLOBAL_STORAGE, ELEMENT_I8},
    {"torch", "ByteStorage", PML_GLOBAL_STORAGE, ELEMENT_U8},
    {"torch", "BoolStorage", PML_GLOBAL_STORAGE, ELEMENT_BOOL},
    {"torch", "ComplexFloatStorage", PML_GLOBAL_STORAGE, ELEMENT_C64},
    {"torch", "ComplexDoubleStorage", PML_GLOBAL_STORAGE, ELEMENT_C128},
    {"torch", "float64", PML_GLOBAL_DTYPE, ELEMENT_F64},
    {"torch", "float32", PML_GLOBAL_DTYPE, ELEMENT_F32},
    {"torch", "float16", PML_GLOBAL_DTYPE, ELEMENT_F16},
    {"torch", "bfloat16", PML_GLOBAL_DTYPE, ELEMENT_BF16},
    {"torch", "int64", PML_GLOBAL_DTYPE, ELEMENT_I64},
    {"torch", "int32", PML_GLOBAL_DTYPE, ELEMENT_I32},
    {"torch", "int16", PML_GLOBAL_DTYPE, ELEMENT_I16},
    {"torch", "int8", PML_GLOBAL_DTYPE, ELEMENT_I8},
    {"torch", "uint8", PML_GLOBAL_DTYPE, ELEMENT_U8},
    {"torch", "uint16", PML_GLOBAL_DTYPE, ELEMENT_U16},
    {"torch", "uint32", PML_GLOBAL_DTYPE, ELEMENT_U32},
    {"torch", "uint64", PML_GLOBAL_DTYPE, ELEMENT_U64},
    {"torch", "bool", PML_GLOBAL_DTYPE, ELEMENT_BOOL},
    {"torch", "complex64", PML_GLOBAL_DTYPE, ELEMENT_C64},
    {"torch", "complex128", PML_GLOBAL_DTYPE, ELEMENT_C128},
    {"torch", "float8_e4m3fn", PML_GLOBAL_DTYPE, ELEMENT_E4M3},
    {"torch", "float8_e5m2", PML_GLOBAL_DTYPE, ELEMENT_E5M2},
    {"torch", "float8_e8m0fnu", PML_GLOBAL_DTYPE, ELEMENT_E8M0},
};

pml_torch_element pml_torch_element_of(const pml_pickle_value *global) {
    return elements[global->element];
}

static bool is_text(const pml_pickle_value *value, const char *text) {
    return value->count == strlen(text) && memcmp(value->text, text, value->count) == 0;
}

bool pml_pickle_is_text(const pml_pickle_value *value, const char *text) {
    return value->kind == PML_PICKLE_TEXT && is_text(value, text);
}

void pml_torch_global_recognise(const pml_pickle_value *module, pml_pickle_value *global) {
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (is_text(module, known[i].module) && is_text(global, known[i].name)) {
            global->global = (uint8_t)known[i].global;
            global->element = known[i].element;
            return;
        }
    }
}
