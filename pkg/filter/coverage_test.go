package filter_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/filter"
)

func TestCoverage(t *testing.T) {
	t.Parallel()
	c, err := filter.NewCoverage([]byte(`{"Key":["x"],"$or":[{"FieldValues":{"address":{"city":["Bergen"],"town":["x"]},"gone":[1],"lines":{"n":[9]}}},{"FieldValues":{"none":["x"],"missing":[{"exists":false}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	e := event()
	c.Add(&filter.Event{Key: "y"})
	c.Add(&e)
	if diff := cmp.Diff([]string{"Filter.FieldValues.address.town", "Filter.FieldValues.none"}, c.Missing()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
