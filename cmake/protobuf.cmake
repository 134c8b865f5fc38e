# Messages of foreign formats, generated from their interface files. pml_add_messages(<target> <proto file>): the header is
# included as <NAME.pb-c.h>. Generated code is not ours to keep free of warnings.
find_program(PROTOC_C protoc-c REQUIRED)
function(pml_add_messages target proto)
    get_filename_component(name ${proto} NAME_WE)
    get_filename_component(folder ${CMAKE_SOURCE_DIR}/${proto} DIRECTORY)
    set(out ${CMAKE_BINARY_DIR}/messages)
    file(MAKE_DIRECTORY ${out})
    add_custom_command(OUTPUT ${out}/${name}.pb-c.c ${out}/${name}.pb-c.h
        COMMAND ${PROTOC_C} --c_out=${out} -I${folder} ${name}.proto
        DEPENDS ${CMAKE_SOURCE_DIR}/${proto} VERBATIM)
    set_source_files_properties(${out}/${name}.pb-c.c PROPERTIES COMPILE_OPTIONS "-w")
    target_sources(${target} PRIVATE ${out}/${name}.pb-c.c ${out}/${name}.pb-c.h)
    target_include_directories(${target} SYSTEM PUBLIC ${out})
endfunction()
