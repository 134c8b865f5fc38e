/* PatchTST: patterns of source names that both the rules (mappers/patchtst.c) and the description of dialects
 * (patchtst_dialects.c) use. */
#ifndef PML_MAPPERS_PATCHTST_PATCHTST_NAMES_H
#define PML_MAPPERS_PATCHTST_PATCHTST_NAMES_H

#define PML_PATCHTST_ENCODER "[model.]encoder."
#define PML_PATCHTST_CLS PML_PATCHTST_ENCODER "positional_encoder.cls_token"
#define PML_PATCHTST_SCALE "backbone.encoder.layers.{l}.self_attn.sdp_attn.scale"
#define PML_PATCHTST_HEAD "head.linear.weight"
#define PML_PATCHTST_HEADS "head.linears.{c}.weight"
#define PML_PATCHTST_TSL_LAYER "encoder.attn_layers.{l}."
#define PML_PATCHTST_TABLE "patch_embedding.position_embedding.pe"
#define PML_PATCHTST_UP PML_PATCHTST_TSL_LAYER "conv1.weight"
#define PML_PATCHTST_DOWN PML_PATCHTST_TSL_LAYER "conv2.weight"
#define PML_PATCHTST_PROJECTION "projection.weight"

#endif
