#include "runtime/base/dtype.h"

#include <string.h>

static const struct {
    const char *name;
    unsigned bits;
    bool is_float;
} dtypes[PML_DTYPE_COUNT] = {
    [PML_DTYPE_NONE] = {"?", 0, false},          [PML_DTYPE_F32] = {"F32", 32, true},
    [PML_DTYPE_BF16] = {"BF16", 16, true},       [PML_DTYPE_I8] = {"I8", 8, false},
    [PML_DTYPE_F16] = {"F16", 16, true},         [PML_DTYPE_F64] = {"F64", 64, true},
    [PML_DTYPE_I16] = {"I16", 16, false},        [PML_DTYPE_I32] = {"I32", 32, false},
    [PML_DTYPE_I64] = {"I64", 64, false},        [PML_DTYPE_U8] = {"U8", 8, false},
    [PML_DTYPE_U16] = {"U16", 16, false},        [PML_DTYPE_U32] = {"U32", 32, false},
    [PML_DTYPE_U64] = {"U64", 64, false},        [PML_DTYPE_BOOL] = {"BOOL", 8, false},
    [PML_DTYPE_C64] = {"C64", 64, true},         [PML_DTYPE_F8_E4M3] = {"F8_E4M3", 8, false},
    [PML_DTYPE_F8_E5M2] = {"F8_E5M2", 8, false}, [PML_DTYPE_F8_E8M0] = {"F8_E8M0", 8, false},
    [PML_DTYPE_F6_E2M3] = {"F6_E2M3", 6, false}, [PML_DTYPE_F6_E3M2] = {"F6_E3M2", 6, false},
    [PML_DTYPE_F4] = {"F4", 4, false},
};

static bool known(pml_dtype dtype) {
    return (unsigned)dtype < PML_DTYPE_COUNT;
}

const char *pml_dtype_name(pml_dtype dtype) {
    return known(dtype) ? dtypes[dtype].name : "?";
}

pml_dtype pml_dtype_from_name(const char *name, size_t name_bytes) {
    for (unsigned i = 1; i < PML_DTYPE_COUNT; i++) {
        if (strlen(dtypes[i].name) == name_bytes && memcmp(dtypes[i].name, name, name_bytes) == 0) {
            return (pml_dtype)i;
        }
    }
    return PML_DTYPE_NONE;
}

unsigned pml_dtype_bits(pml_dtype dtype) {
    return known(dtype) ? dtypes[dtype].bits : 0;
}

bool pml_dtype_is_float(pml_dtype dtype) {
    return known(dtype) && dtypes[dtype].is_float;
}

uint16_t pml_bf16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)((bits >> 16) | 0x0040u);
    }
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float pml_f32_from_bf16(uint16_t bf16_bits) {
    uint32_t bits = (uint32_t)bf16_bits << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float pml_f32_from_f16(uint16_t f16_bits) {
    uint32_t sign = (uint32_t)(f16_bits & 0x8000u) << 16;
    uint32_t exponent = (f16_bits >> 10) & 0x1fu;
    uint32_t mantissa = f16_bits & 0x3ffu;
    uint32_t bits;
    if (exponent == 0x1fu) {
        bits = sign | 0x7f800000u | (mantissa << 13);
    } else if (exponent != 0) {
        bits = sign | ((exponent + 112u) << 23) | (mantissa << 13);
    } else {
        /* A subnormal: mantissa * 2^-24 is exact in F32. */
        float magnitude = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &magnitude, sizeof bits);
        bits |= sign;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
