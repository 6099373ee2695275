package source_test

import (
	"errors"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestDecode_ANewerSchemaIsNotMisread(t *testing.T) {
	t.Parallel()
	for stored, newer := range map[string]bool{
		`{"Schema":2,"Name":"a","Kind":["bus"]}`: true,
		`{"Schema":2,"Name":"a","Kind":"bus"}`:   true,
		`{"Schema":1,"Name":"a","Kind":["bus"]}`: false,
		`?`:                                      false,
	} {
		s, err := source.Decode([]byte(stored))
		if err == nil || errors.Is(err, webhook.ErrNewer) != newer || s.Name != "" {
			t.Errorf("%s: got %+v, %v", stored, s, err)
		}
	}
}
