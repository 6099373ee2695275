package jsonscan_test

import (
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

func TestCheckObject_RefusesUnpairedSurrogates(t *testing.T) {
	t.Parallel()
	const unpaired, invalid = "unpaired surrogate", "must be valid UTF-8"
	for raw, want := range map[string]string{
		`{"a":"\ud83d\ude00"}`: "", `{"a":"\uD83D\uDE00\uD83D\uDE00"}`: "", `{"a":"\\ud800"}`: "", `{"a":"\\\\ud800"}`: "",
		`{"a":"\"\u005c\ufffd\ud7ff\ue000"}`: "", `{"\ud83d\ude00":1}`: "",
		`{"a":"\ud800"}`: unpaired, `{"key\ud800":1}`: unpaired, `{"a":"\udc00"}`: unpaired, `{"a":"\\\ud800"}`: unpaired,
		`{"a":"\ude00\ud83d"}`: unpaired, `{"a":"\ud83d\ud83d\ude00"}`: unpaired, `{"a":"\ud83d \ude00"}`: unpaired,
		`{"a":"\uD83d\u0041"}`: unpaired, `{"a":"\ud83d\\ude00"}`: unpaired, `{"a":["\ud83d\ude00",{"b":"x\udfff"}]}`: unpaired,
		"{\"a\":\"\xed\xa0\x80\"}": invalid, "{\"a\":\"\xff\"}": invalid,
		`{"a":"\ud8"}`: "must be valid JSON", `{"a":"\ud83d\ude0"}`: unpaired, `{"a":"\`: "must be valid JSON", `{"a":"\u`: "must be valid JSON",
	} {
		err := jsonscan.CheckObject([]byte(raw))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", raw, err, want)
		}
	}
}
