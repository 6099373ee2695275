// Package config reads each function's settings from its environment: one
// struct and one Load function per function, all faults reported at once.
//
// It reads through a lookup function and never touches the process environment
// itself. It reads no files, opens nothing, and never puts the value of a
// secret setting into an error.
package config
