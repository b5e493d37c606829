# `cpack -G DEB` (or TGZ) in the build folder makes the package.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME orrery)
set(CPACK_PACKAGE_CONTACT "The Orrery authors <orrery@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL orrery)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Takes a scenario in YAML (model, cluster, layout, schedule) and plays one training step event by event:
 step time, pipeline bubble, exposed communication, memory of each device, and a timeline.")
find_program(GZIP gzip)
if(GZIP)
  file(WRITE ${PROJECT_BINARY_DIR}/changelog
    "orrery (${PROJECT_VERSION}) stable; urgency=low\n\n  * See CHANGELOG.md.\n\n -- ${CPACK_PACKAGE_CONTACT}  Thu, 01 Jan 1970 00:00:00 +0000\n")
  execute_process(COMMAND ${GZIP} -9nf ${PROJECT_BINARY_DIR}/changelog)
  install(FILES ${PROJECT_BINARY_DIR}/changelog.gz DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT orrery)
endif()
include(CPack)
