# `cmake --install`: program, library with find_package(orrery) → orrery::orrery, data, man page, completions.
include(CMakePackageConfigHelpers)
set(ORRERY_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/orrery)

install(TARGETS orrery_lib EXPORT orreryTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT orrery)
install(DIRECTORY include/orrery DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT orrery FILES_MATCHING PATTERN "*.hpp")
install(EXPORT orreryTargets NAMESPACE orrery:: DESTINATION ${ORRERY_CMAKE_DIR} COMPONENT orrery)
configure_package_config_file(cmake/orreryConfig.cmake.in ${PROJECT_BINARY_DIR}/orreryConfig.cmake
  INSTALL_DESTINATION ${ORRERY_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/orreryConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/orreryConfig.cmake ${PROJECT_BINARY_DIR}/orreryConfigVersion.cmake
  DESTINATION ${ORRERY_CMAKE_DIR} COMPONENT orrery)

foreach(folder topologies scenarios)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${folder})
    install(DIRECTORY ${folder} DESTINATION ${CMAKE_INSTALL_DATADIR}/orrery COMPONENT orrery)
  endif()
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright COMPONENT orrery)

if(NOT TARGET orrery)
  return()
endif()
install(TARGETS orrery RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT orrery)
if(TARGET orrery_mpi)
  install(TARGETS orrery_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/orrery COMPONENT orrery)
endif()

# The man page and the completions come from the program itself, so that they cannot lag behind it.
set(ORRERY_GENERATED ${PROJECT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${ORRERY_GENERATED})
foreach(shell bash zsh fish)
  add_custom_command(OUTPUT ${ORRERY_GENERATED}/orrery.${shell} DEPENDS orrery
    COMMAND orrery completion ${shell} > ${ORRERY_GENERATED}/orrery.${shell} COMMENT "Completion for ${shell}" VERBATIM)
endforeach()
set(ORRERY_DOCUMENTS ${ORRERY_GENERATED}/orrery.bash ${ORRERY_GENERATED}/orrery.zsh ${ORRERY_GENERATED}/orrery.fish)
install(FILES ${ORRERY_GENERATED}/orrery.bash RENAME orrery
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT orrery)
install(FILES ${ORRERY_GENERATED}/orrery.zsh RENAME _orrery
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT orrery)
install(FILES ${ORRERY_GENERATED}/orrery.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT orrery)

find_program(HELP2MAN help2man)
find_program(GZIP gzip)
if(HELP2MAN AND GZIP)
  add_custom_command(OUTPUT ${ORRERY_GENERATED}/orrery.1.gz DEPENDS orrery packaging/orrery.h2m
    COMMAND ${CMAKE_COMMAND} -E env SOURCE_DATE_EPOCH=0 ${HELP2MAN} --no-info --section=1 --include=${PROJECT_SOURCE_DIR}/packaging/orrery.h2m
      --name=${PROJECT_DESCRIPTION} --output=${ORRERY_GENERATED}/orrery.1 $<TARGET_FILE:orrery>
    COMMAND ${GZIP} -9nf ${ORRERY_GENERATED}/orrery.1 COMMENT "Man page" VERBATIM)
  list(APPEND ORRERY_DOCUMENTS ${ORRERY_GENERATED}/orrery.1.gz)
  install(FILES ${ORRERY_GENERATED}/orrery.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT orrery)
else()
  message(STATUS "no man page: apt-get install help2man")
endif()
add_custom_target(orrery_documents ALL DEPENDS ${ORRERY_DOCUMENTS})

include(cmake/package.cmake)
