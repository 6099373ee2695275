package outbound_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/outbound"
)

// Punycode takes time quadratic in the length of a name, and a request body can
// hold a name of a megabyte.
func TestCheckHost_RefusesNamesTooLongForDNS(t *testing.T) {
	guard, err := outbound.NewGuard(outbound.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var name strings.Builder
	for i := range 400 {
		name.WriteRune(rune(0x4e00 + i))
	}
	check := func(host string) (allocations float64) {
		return testing.AllocsPerRun(10, func() { _, err = guard.CheckHost(host) })
	}
	short := check("blåbær.example.com")
	if err != nil {
		t.Error(err)
	}
	if long := check(name.String() + ".example.com"); !errors.Is(err, outbound.ErrBlocked) || long > short/2 {
		t.Errorf("got error %v after %.0f allocations; a short name takes %.0f", err, long, short)
	}
}
