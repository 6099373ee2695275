package invoke_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/posthaste-dev/posthaste/pkg/invoke"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestFunction_Take(t *testing.T) {
	t.Parallel()
	const batch = `{"Records":[{"eventID":"1"}]}`
	for name, c := range map[string]struct {
		status         int
		failed         bool // the function did
		response       string
		all, available bool
		fault          string
	}{
		"every record":          {200, false, `{"batchItemFailures":[]}`, true, true, ""},
		"some records":          {200, false, `{"batchItemFailures":[{"itemIdentifier":"7"}]}`, false, true, ""},
		"a failure":             {200, true, `{"errorMessage":"4111"}`, false, true, "it failed: Unhandled"},
		"an odd response":       {200, false, `x`, false, true, "read its response"},
		"throttled":             {429, false, `{}`, false, false, "invoke ingest"},
		"Lambda is down":        {500, false, `{}`, false, false, "invoke ingest"},
		"permission is missing": {403, false, `{}`, false, true, "invoke ingest"},
		"no such function":      {404, false, `{}`, false, true, "invoke ingest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if r.URL.Path != "/2015-03-31/functions/ingest/invocations" || string(body) != batch || r.Header.Get("X-Amz-Invocation-Type") != "RequestResponse" {
					t.Errorf("%s %s %v %s", r.Method, r.URL, r.Header, body)
				}
				if c.failed {
					w.Header().Set("X-Amz-Function-Error", "Unhandled")
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.response)
			}))
			t.Cleanup(server.Close)
			f := &invoke.Function{Name: "ingest", Client: lambda.NewFromConfig(aws.Config{
				Region: "eu-west-1", BaseEndpoint: &server.URL, HTTPClient: server.Client(), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "local"}, nil
				}),
			})}
			all, err := f.Take(t.Context(), []byte(batch))
			text := ""
			if err != nil {
				text = err.Error()
			}
			if all != c.all || (text == "") != (c.fault == "") || !strings.Contains(text, c.fault) || errors.Is(err, webhook.ErrUnavailable) == c.available {
				t.Errorf("got %t, %v", all, err)
			}
			if strings.Contains(text, "4111") {
				t.Errorf("the function's message is in %s", text)
			}
		})
	}
}
