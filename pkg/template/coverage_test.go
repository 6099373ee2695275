package template_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/template"
)

func TestCoverage(t *testing.T) {
	t.Parallel()
	c, err := template.NewCoverage([]byte(`["{{Key}} {{Values}}{{Previous.name}}","{{FieldValues.o.x.y}}","{{FieldValues.o.x}}","{{FieldValues.o.z}}","{{FieldValues.null}}",` +
		`"{{FieldValues.amuont}} {{FieldValues.gone}} {{FieldValues.gone.too}} {{Values.x}} {{FieldValues.once}}"]`))
	if err != nil {
		t.Fatal(err)
	}
	e := event()
	c.Add(&template.Event{FieldValues: []byte(`{"once":1}`)})
	c.Add(&e)
	if diff := cmp.Diff([]string{"Template.FieldValues.amuont", "Template.FieldValues.gone.too", "Template.FieldValues.o.z", "Template.Values.x"}, c.Missing()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := template.NewCoverage([]byte(`["{{x}}"]`)); err == nil {
		t.Error("a faulty document has a coverage")
	}
}
