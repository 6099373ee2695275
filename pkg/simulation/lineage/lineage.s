// The compiler accepts functions without a body, which the linker finds in the
// runtime, only in a package with an assembly file.
