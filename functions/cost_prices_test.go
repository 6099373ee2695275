package functions_test

import (
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var pricesFile = flag.String("prices", "../docs/prices.json", "the file with the prices and assumptions for make cost")

// prices are the list prices of docs/prices.json, and what the estimate assumes of
// things that cannot be counted here.
type prices struct {
	Region, Date, Source string
	Prices               map[string]struct {
		USD, Per   float64
		Unit, Page string
	}
	Assumptions map[string]float64
}

func loadPrices(t *testing.T) *prices {
	t.Helper()
	text, err := os.ReadFile(*pricesFile)
	if err != nil {
		t.Fatal(err)
	}
	p := &prices{}
	if err := json.Unmarshal(text, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// dollars returns the price of a quantity.
func (p *prices) dollars(t *testing.T, name string, quantity float64) float64 {
	t.Helper()
	price, ok := p.Prices[name]
	if !ok || price.Per <= 0 {
		t.Fatalf("%s has no price %q", *pricesFile, name)
	}
	return quantity * price.USD / price.Per
}

func (p *prices) assume(t *testing.T, name string) float64 {
	t.Helper()
	value, ok := p.Assumptions[name]
	if !ok {
		t.Fatalf("%s has no assumption %q", *pricesFile, name)
	}
	return value
}

// bill is what something costs, in dollars, by line.
type bill map[string]float64

// sum returns the cost of all lines, or of the named ones.
func (b bill) sum(lines ...string) (dollars float64) {
	if lines == nil {
		lines = slices.Sorted(maps.Keys(b)) // sums of floats depend on the order
	}
	for _, line := range lines {
		dollars += b[line]
	}
	return dollars
}

// times returns the bill of n of the things.
func (b bill) times(n float64) bill {
	out := bill{}
	for line, dollars := range b {
		out[line] = dollars * n
	}
	return out
}

// without returns the bill without the named lines.
func (b bill) without(lines ...string) bill {
	out := maps.Clone(b)
	for _, line := range lines {
		delete(out, line)
	}
	return out
}

// A price says of what it is, of how many, and where AWS publishes it.
func TestPrices(t *testing.T) {
	t.Parallel()
	p := loadPrices(t)
	if !regexp.MustCompile(`^20\d\d-\d\d-\d\d$`).MatchString(p.Date) || p.Region == "" || p.Source == "" {
		t.Errorf("the prices are of region %q, date %q, source %q", p.Region, p.Date, p.Source)
	}
	for name, price := range p.Prices {
		if price.USD <= 0 || price.Per <= 0 || price.Unit == "" || !regexp.MustCompile(`^https://aws\.amazon\.com/.+/$`).MatchString(price.Page) {
			t.Errorf("the price %q is incomplete: %+v", name, price)
		}
	}
	b := bill{"a": 1, "b": 2}
	if diff := cmp.Diff(bill{"b": 6}, b.without("a").times(3)); diff != "" || math.Abs(b.sum()-3) > 1e-9 {
		t.Errorf("got a sum of %g and (-want +got):\n%s", b.sum(), diff)
	}
}
