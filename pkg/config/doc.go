// Package config reads the settings of each function from its environment:
// one struct and one Load function per function, every fault reported at once.
//
// It reads through a lookup function and so never touches the process
// environment itself, reads no files, opens nothing, and never puts the value
// of a secret setting into an error.
package config
