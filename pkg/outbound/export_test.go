package outbound

import "io"

// Quiet is the filter before the standard logger.
func Quiet(w io.Writer) io.Writer { return quiet{w} }
