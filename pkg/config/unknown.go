package config

import (
	"fmt"
	"strings"
)

// overridesName is the variable in which the Makefile passes the names on
// make's command line to the local run. Otherwise a misspelled one would be
// ignored silently.
const overridesName = "MAKE_OVERRIDES"

// unknownOverrides returns a fault for each name that is not a setting.
func unknownOverrides(names string) []error {
	var errs []error
	for _, name := range strings.Fields(names) {
		if _, ok := find(name); ok {
			continue
		}
		errs = append(errs, fmt.Errorf("%s is not a setting; the closest one is %s", name, closest(name)))
	}
	return errs
}

func closest(name string) string {
	best, least := "", -1
	for _, s := range settings {
		if d := distance(strings.ToUpper(name), s.Name); least < 0 || d < least {
			best, least = s.Name, d
		}
	}
	return best
}

// distance returns the number of single-byte edits between two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
