package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestExplain_RefusesBodies(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, body := range []string{``, ` `, `null`, `[]`, `1`, `{`, `{}`, `{"Event":null}`, `{"Event":[]}`, `{"Event":{}}`, `{"Event":{"Event":"a"},"Webhook":"x"}`, `{"Event":{"Event":"a"},"Webhook":[]}`} {
		if got := s.call("POST", "/api/v1/Explain", body); got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "must be") && !strings.Contains(got.Body.String(), "is required") {
			t.Errorf("%s: got %d %s", body, got.Code, got.Body)
		}
	}
}
