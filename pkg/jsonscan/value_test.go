package jsonscan_test

import (
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

func TestCheckValue(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	for raw, want := range map[string]string{
		`{}`: "", ` [1, {"a":[]}] `: "", `1e999`: "", `"\ud83d\ude00"`: "", `null`: "", `true`: "", nested(64): "", `"[[` + nested(100) + `"`: "",
		``: "not valid JSON", `{} {}`: "not valid JSON", `[1,]`: "not valid JSON", `{"a"`: "not valid JSON", `"a`: "not valid JSON", `"\`: "not valid JSON",
		`NaN`: "not valid JSON", `01`: "not valid JSON", "\ufeff1": "not valid JSON", nested(65): "nested deeper than 64",
		strings.Repeat("[", 1<<20): "nested deeper than 64", strings.Repeat(`{"":`, 1<<18): "nested deeper than 64",
		`"\ud83d"`: "unpaired surrogate", `["\ude00\ud83d"]`: "unpaired surrogate", "\"\xff\"": "must be valid UTF-8",
	} {
		err := jsonscan.CheckValue([]byte(raw))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.100s: got %v, want %q", raw, err, want)
		}
	}
}
