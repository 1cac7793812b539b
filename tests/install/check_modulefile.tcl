# Runs a module file as environment modules do, with their commands replaced by ones that keep what they are given.
# Usage: tclsh check_modulefile.tcl MODULE_FILE PREFIX. Fails with what is wrong.
lassign $argv ModulesCurrentModulefile prefix
set given [dict create]
proc module-whatis {text} {}
proc conflict {args} {}
proc setenv {name value} { dict set ::given $name $value }
proc prepend-path {name folder} { dict set ::given $name $folder }
source $ModulesCurrentModulefile

if {[catch {ModulesHelp} problem]} { error "ModulesHelp: $problem" }
foreach {name folder} {SWARD_ROOT . CMAKE_PREFIX_PATH . CPATH include/sward} {
  set wanted [file normalize [file join $prefix $folder]]
  if {![dict exists $given $name] || [dict get $given $name] ne $wanted} { error "$name is not $wanted: $given" }
}
foreach {name file} {PATH sward-train CPATH Sward_Version.hpp CMAKE_PREFIX_PATH include/sward/sward_version.h} {
  if {![dict exists $given $name]} continue
  if {![file exists [file join [dict get $given $name] $file]]} { error "$name: there is no $file" }
}
dict for {name folder} $given { puts "$name $folder" }
