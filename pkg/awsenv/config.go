// Package awsenv builds an aws.Config from the environment variables that
// Lambda sets. It reads no profile files, queries no metadata service and
// refreshes nothing: an environment's credentials do not change during its
// life. The SDK's own loader does all of that and costs milliseconds of each
// start.
package awsenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	attempts    = 4
	dialTimeout = 2 * time.Second
	// A thawed environment has connections that the other side has closed. The
	// SDK retries on those; this limits how many there are.
	idleTimeout = 20 * time.Second
	// answerTimeout is how long a service may take to begin its response; then the
	// SDK tries again. Otherwise a connection that has silently broken would hold the
	// call until the invocation ends.
	answerTimeout = 5 * time.Second
)

// Config reads AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
// AWS_SESSION_TOKEN (optional) and AWS_ENDPOINT_URL (optional). The error lists
// all faults and never contains a credential. All clients of a process should
// share the returned Config; its HTTP client is safe for concurrent use.
func Config(lookup func(name string) (string, bool)) (aws.Config, error) {
	var errs []error
	read := func(name string, required bool) string {
		v, _ := lookup(name)
		if v == "" && required {
			errs = append(errs, fmt.Errorf("%s is not set", name))
		}
		return v
	}
	region := read("AWS_REGION", true)
	credentials := aws.Credentials{
		AccessKeyID:     read("AWS_ACCESS_KEY_ID", true),
		SecretAccessKey: read("AWS_SECRET_ACCESS_KEY", true),
		SessionToken:    read("AWS_SESSION_TOKEN", false),
		Source:          "environment",
	}
	endpoint := read("AWS_ENDPOINT_URL", false)
	if endpoint != "" {
		if u, err := url.Parse(endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			errs = append(errs, errors.New("AWS_ENDPOINT_URL must be an http or https URL"))
		}
	}
	if len(errs) > 0 {
		return aws.Config{}, errors.Join(errs...)
	}
	c := aws.Config{
		Region:      region,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil }),
		HTTPClient: awshttp.NewBuildableClient().
			WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
			WithTransportOptions(func(t *http.Transport) { t.IdleConnTimeout, t.ResponseHeaderTimeout = idleTimeout, answerTimeout }),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = attempts })
		},
	}
	if endpoint != "" {
		c.BaseEndpoint = aws.String(endpoint)
	}
	return c, nil
}

// Waiting returns a config for calls that take as long as the work they ask for, such
// as an invocation of a function: their responses may begin at any time. It does not
// share connections with c, which Config must have returned.
func Waiting(c aws.Config) aws.Config {
	c = c.Copy()
	c.HTTPClient = c.HTTPClient.(*awshttp.BuildableClient).WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = 0 })
	return c
}
