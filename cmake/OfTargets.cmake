# SPDX-License-Identifier: Apache-2.0
# of_options: warnings, hardening, sanitizers. Linked by our targets only, never global.
add_library(of_options INTERFACE)
target_include_directories(of_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(of_options INTERFACE _GNU_SOURCE OF_VERSION="${PROJECT_VERSION}")
target_compile_options(of_options INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wundef
    -Wcast-qual -Wwrite-strings -Wvla -Wimplicit-fallthrough -fno-omit-frame-pointer
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(of_options INTERFACE -Wjump-misses-init)
endif()
if(OF_WERROR)
    target_compile_options(of_options INTERFACE -Werror)
endif()
if(OF_FAILPOINTS)
    target_compile_definitions(of_options INTERFACE OF_FAILPOINTS=1)
endif()
if(OF_FUZZ)
    # coverage for libFuzzer in all our code; the sanitizer runtime brings the callbacks for programs that are no fuzzers
    if(NOT "address" IN_LIST OF_SANITIZE)
        message(FATAL_ERROR "OF_FUZZ needs OF_SANITIZE with address")
    endif()
    target_compile_options(of_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(OF_SANITIZE)
    list(JOIN OF_SANITIZE "," of_sanitize_list)
    target_compile_options(of_options INTERFACE -fsanitize=${of_sanitize_list} -fno-sanitize-recover=undefined)
    target_link_options(of_options INTERFACE -fsanitize=${of_sanitize_list})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    # fortify stays off in sanitizer builds: it blinds them
    target_compile_options(of_options INTERFACE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    target_link_options(of_options INTERFACE -pie -Wl,-z,relro,-z,now)
endif()

# of_add_library(NAME m SOURCES … PUBLIC libs PRIVATE libs): a static library of ours.
function(of_add_library)
    cmake_parse_arguments(A "" "NAME" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
    add_library(${A_NAME} STATIC ${A_SOURCES})
    target_link_libraries(${A_NAME} PUBLIC of_options ${A_PUBLIC} PRIVATE ${A_PRIVATE})
endfunction()

# of_embed_sql(TARGET t FILES a.sql b.sql …): each statement file becomes `const struct of_sql of_sql_<name>`.
function(of_embed_sql)
    cmake_parse_arguments(A "" "TARGET;HEADER" "FILES" ${ARGN})
    set(out_dir ${CMAKE_CURRENT_BINARY_DIR}/sql)
    set(sources)
    set(header ${out_dir}/${A_HEADER})
    set(paths)
    foreach(f ${A_FILES})
        list(APPEND paths ${CMAKE_CURRENT_SOURCE_DIR}/${f})
    endforeach()
    set(source ${out_dir}/${A_TARGET}_sql.c)
    add_custom_command(OUTPUT ${source} ${header}
        COMMAND ${CMAKE_COMMAND} "-DFILES=${paths}" -DSOURCE=${source} -DHEADER=${header}
            -P ${CMAKE_SOURCE_DIR}/cmake/EmbedSql.cmake
        DEPENDS ${paths} ${CMAKE_SOURCE_DIR}/cmake/EmbedSql.cmake VERBATIM)
    target_sources(${A_TARGET} PRIVATE ${source} ${header})
    target_include_directories(${A_TARGET} PRIVATE ${out_dir})
endfunction()

# of_add_test(NAME n SOURCES … LIBS … LABEL unit|pg|kafka|… [ARGS …]): a cmocka program and its ctest entry.
function(of_add_test)
    cmake_parse_arguments(A "" "NAME;LABEL;TIMEOUT" "SOURCES;LIBS;ARGS" ${ARGN})
    if(NOT A_TIMEOUT)
        set(A_TIMEOUT 60)
    endif()
    add_executable(${A_NAME} ${A_SOURCES})
    set_target_properties(${A_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(${A_NAME} PRIVATE of_options ${A_LIBS} PkgConfig::CMOCKA)
    add_test(NAME ${A_NAME} COMMAND ${A_NAME} ${A_ARGS})
    set_tests_properties(${A_NAME} PROPERTIES LABELS ${A_LABEL} TIMEOUT ${A_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()
