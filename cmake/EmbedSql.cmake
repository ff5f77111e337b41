# SPDX-License-Identifier: Apache-2.0
# Turns .sql files into byte arrays, so that quotes, backslashes and semicolons survive.
# A file's first line may say "-- params: N" (the number of $n parameters); the rest of its comments travel with it.
set(c "#include \"common/pg/sql.h\"\n")
get_filename_component(header_name ${HEADER} NAME)
string(MAKE_C_IDENTIFIER ${header_name} guard)
set(h "#ifndef OF_GEN_${guard}\n#define OF_GEN_${guard}\n#include \"common/pg/sql.h\"\n")
foreach(path ${FILES})
    get_filename_component(name ${path} NAME_WE)
    string(MAKE_C_IDENTIFIER "${name}" id)
    file(READ ${path} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    file(READ ${path} text)
    set(nparams 0)
    if(text MATCHES "-- params: ([0-9]+)")
        set(nparams ${CMAKE_MATCH_1})
    endif()
    string(APPEND c "static const char text_${id}[] = {${bytes}0};\n"
        "const struct of_sql of_sql_${id} = {\"${id}\", text_${id}, ${nparams}};\n")
    string(APPEND h "extern const struct of_sql of_sql_${id};\n")
endforeach()
string(APPEND h "#endif\n")
# the header first: the source includes it, so that every symbol has its declaration
string(PREPEND c "#include \"${header_name}\"\n")
file(WRITE ${HEADER} "${h}")
file(WRITE ${SOURCE} "${c}")
