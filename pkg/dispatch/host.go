package dispatch

import "strings"

// targetHost returns the host of a target, the only part of it that may be
// logged. "" if the target cannot be read.
func targetHost(target string) string {
	_, rest, ok := strings.Cut(target, "://")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#\\"); end >= 0 {
		rest = rest[:end]
	}
	return rest[strings.LastIndexByte(rest, '@')+1:]
}
