# Text files as string constants of a source file:
#   cmake -DOUTPUT=x.cc -DNAMESPACE=cloze -DFILES=a.html,b.css -P EmbedFiles.cmake
# makes `extern const std::string_view a_html`, `b_css`, with what the files hold.
string(REPLACE "," ";" FILES "${FILES}")
set(source "#include <string_view>\n\nnamespace ${NAMESPACE} {\n\n")
foreach(file ${FILES})
  file(READ "${file}" content)
  get_filename_component(name "${file}" NAME)
  string(MAKE_C_IDENTIFIER "${name}" name)
  string(APPEND source "extern const std::string_view ${name};\n"
                       "const std::string_view ${name} = R\"--cloze--(${content})--cloze--\";\n\n")
endforeach()
string(APPEND source "}  // namespace ${NAMESPACE}\n")
file(WRITE "${OUTPUT}" "${source}")
