# Writes every block of docs/linking-the-kernels.md in front of which a comment names a file, <!-- file: PATH -->, into
# that file under `folder`. `projects` becomes the list of the folders that have a CMakeLists.txt.
function(sward_write_documented_files folder projects)
  set(page ${PROJECT_SOURCE_DIR}/docs/linking-the-kernels.md)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
  file(READ ${page} text)
  set(found "")
  while(text MATCHES "<!-- file: ([^ ]+) -->\n```[a-z]+\n")
    set(path ${CMAKE_MATCH_1})
    string(FIND "${text}" "${CMAKE_MATCH_0}" begin)
    string(LENGTH "${CMAKE_MATCH_0}" length)
    math(EXPR begin "${begin} + ${length}")
    string(SUBSTRING "${text}" ${begin} -1 text)
    string(FIND "${text}" "\n```\n" length)
    if(length EQUAL -1)
      message(FATAL_ERROR "${page}: the block of ${path} does not end")
    endif()
    string(SUBSTRING "${text}" 0 ${length} block)
    file(CONFIGURE OUTPUT ${folder}/${path} CONTENT "${block}\n" @ONLY)
    if(path MATCHES "^(.*)/CMakeLists.txt$")
      list(APPEND found ${CMAKE_MATCH_1})
    endif()
  endwhile()
  if(NOT found)
    message(FATAL_ERROR "${page} has no block that names a CMakeLists.txt")
  endif()
  set(${projects} ${found} PARENT_SCOPE)
endfunction()

# As `sward_add_consumer_test`, of a project of the page, whose program is called example.
function(sward_add_documented_test name folder)
  list(JOIN CMAKE_CXX_COMPILER_LAUNCHER "\\;" launcher)
  add_test(NAME install.${name}
    COMMAND ${CMAKE_CTEST_COMMAND} --build-and-test ${folder} ${folder}/build
      --build-generator ${CMAKE_GENERATOR} --build-makeprogram ${CMAKE_MAKE_PROGRAM}
      --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCMAKE_CXX_COMPILER_LAUNCHER=${launcher}
        -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE} -DCMAKE_CXX_FLAGS=${CMAKE_CXX_FLAGS} ${ARGN}
      --test-command ${folder}/build/example)
  set_tests_properties(install.${name} PROPERTIES LABELS install TIMEOUT 600
    ENVIRONMENT "CMAKE_PREFIX_PATH=${prefix_path};OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
endfunction()

set(documented ${CMAKE_CURRENT_BINARY_DIR}/docs_code)
sward_write_documented_files(${documented} projects)
if(NOT SWARD_ENABLE_LIBRARY)
  list(REMOVE_ITEM projects communicator)
endif()
foreach(project IN LISTS projects)
  if(project STREQUAL "fetched")
    sward_add_documented_test(kernels_by_fetchcontent ${documented}/fetched
      -DFETCHCONTENT_SOURCE_DIR_SWARD=${PROJECT_SOURCE_DIR} -DSWARD_ENABLE_ONEDNN=${SWARD_ENABLE_ONEDNN}
      -DSWARD_ENABLE_CUDA=${SWARD_ENABLE_CUDA})
  else()
    sward_add_documented_test(docs_code.${project} ${documented}/${project})
    set_tests_properties(install.docs_code.${project} PROPERTIES FIXTURES_REQUIRED installed_sward)
  endif()
endforeach()
