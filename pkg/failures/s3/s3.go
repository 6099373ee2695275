// Package s3 reads the bucket into which Lambda puts what the stream's event
// source mapping gave up: one object per invocation that was given up, with the
// records that it was for. It lists, opens and removes objects, and refuses to
// know what is in a record or what is to become of it.
//
// It makes its three calls itself, signed by the SDK's signer: the SDK's client
// of S3 is 1.1 MB of machine code, which would make SweepFunction larger than a
// function of this module may be, and what it is good for (uploads, checksums,
// redirects between regions) is not needed here. Nothing is repeated: the sweep
// comes again in a minute.
package s3

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// prefix is what Lambda's keys begin with:
// aws/lambda/<mapping>/<shard>/<yyyy>/<mm>/<dd>/<time>-<random>. Their order is
// by time within a shard. Whatever else lies in the bucket is left alone.
const prefix = "aws/lambda/"

// maxObject bounds an object: an invocation's payload is at most 6 MiB, and is
// escaped in the object.
const maxObject = 16 << 20

// Failures is the bucket. All fields must be set; it may be used concurrently.
type Failures struct {
	// AWS says where S3 is, who calls and by which HTTP client. With an endpoint
	// of its own the bucket's name stands in the path, else in the host.
	AWS    aws.Config
	Bucket string
	// Decode reads the payload of an invocation: the stream's own decoder. What
	// is no event of it is left out, and a record that cannot be read comes back
	// as Undecodable.
	Decode func(payload []byte) ([]webhook.Record, error)
	Now    func() time.Time
}

// List returns up to limit names of objects that lie in the bucket, at most
// 1,000, in the order of their keys. It is strongly consistent: what was put is
// listed, and what was removed is not.
func (f *Failures) List(ctx context.Context, limit int) ([]string, error) {
	text, err := f.call(ctx, http.MethodGet, "", url.Values{
		"list-type": {"2"}, "encoding-type": {"url"}, "prefix": {prefix}, "max-keys": {strconv.Itoa(min(limit, 1000))},
	})
	if err != nil {
		return nil, fmt.Errorf("list the failure bucket: %w", err)
	}
	var listed struct {
		Contents []struct{ Key string }
	}
	if err := xml.Unmarshal(text, &listed); err != nil {
		return nil, fmt.Errorf("list the failure bucket: %w: %w", webhook.ErrUnavailable, err)
	}
	names := make([]string, 0, len(listed.Contents))
	for _, object := range listed.Contents {
		name, err := url.QueryUnescape(object.Key)
		if err != nil {
			return nil, fmt.Errorf("list the failure bucket: %w", err)
		}
		names = append(names, name)
	}
	return names, nil
}

// invocationRecord is what Lambda writes: why it gave up, which we do not need,
// and the invocation's payload, as text.
type invocationRecord struct {
	Payload json.RawMessage `json:"payload"`
}

// Open reads the records of an object. webhook.ErrNotFound if it is gone; a
// *webhook.ValidationError if it is no invocation that was given up, and never
// will be.
func (f *Failures) Open(ctx context.Context, name string) ([]webhook.Record, error) {
	text, err := f.call(ctx, http.MethodGet, name, nil)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	var record invocationRecord
	if err := json.Unmarshal(text, &record); err != nil {
		return nil, webhook.Invalid("%s is no JSON object: %v", name, err)
	}
	payload, err := record.payload()
	if err != nil {
		return nil, webhook.Invalid("%s: %v", name, err)
	}
	records, err := f.Decode(payload)
	if err != nil {
		return nil, webhook.Invalid("%s: %v", name, err)
	}
	return records, nil
}

var errNoPayload = errors.New("there is no payload")

// payload gives the invocation's payload: a text of JSON, as Lambda documents
// it, or the JSON itself.
func (r invocationRecord) payload() ([]byte, error) {
	if len(r.Payload) == 0 || string(r.Payload) == "null" {
		return nil, errNoPayload
	}
	if r.Payload[0] != '"' {
		return r.Payload, nil
	}
	var text string
	if err := json.Unmarshal(r.Payload, &text); err != nil {
		return nil, fmt.Errorf("read payload: %w", err)
	}
	return []byte(text), nil
}

// Remove forgets an object. One that is gone is fine.
func (f *Failures) Remove(ctx context.Context, name string) error {
	if _, err := f.call(ctx, http.MethodDelete, name, nil); err != nil && !errors.Is(err, webhook.ErrNotFound) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// emptyHash is the SHA-256 of the bodies that we send.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// call makes one signed call about an object, or the bucket if name is empty,
// and returns the body of its answer.
func (f *Failures) call(ctx context.Context, method, name string, query url.Values) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, f.address(name, query), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	credentials, err := f.AWS.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	req.Header.Set("X-Amz-Content-Sha256", emptyHash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // S3 signs paths as sent
	if err := signer.SignHTTP(ctx, credentials, req, emptyHash, "s3", f.AWS.Region, f.Now()); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	answer, err := f.AWS.HTTPClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", webhook.ErrUnavailable, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxObject+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", webhook.ErrUnavailable, err)
	case answer.StatusCode == http.StatusNotFound && name != "":
		return nil, webhook.ErrNotFound
	case answer.StatusCode == http.StatusTooManyRequests, answer.StatusCode >= 500:
		return nil, fmt.Errorf("%w: S3 answered %d", webhook.ErrUnavailable, answer.StatusCode)
	case answer.StatusCode >= 300:
		return nil, fmt.Errorf("S3 answered %d %s", answer.StatusCode, errorCode(text))
	case len(text) > maxObject:
		return nil, webhook.Invalid("%s has more than %d bytes", name, maxObject)
	}
	return text, nil
}

// address gives the URL of an object or the bucket. A key is escaped as S3
// signs it: all but unreserved characters and slashes.
func (f *Failures) address(name string, query url.Values) string {
	base := "https://" + f.Bucket + ".s3." + f.AWS.Region + ".amazonaws.com"
	switch {
	case f.AWS.BaseEndpoint != nil:
		base = strings.TrimSuffix(*f.AWS.BaseEndpoint, "/") + "/" + f.Bucket
	case strings.HasPrefix(f.AWS.Region, "cn-"):
		base += ".cn"
	}
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	}
	address := base + "/" + strings.Join(segments, "/")
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}

// errorCode gives the code of S3's error, which names no secret.
func errorCode(text []byte) string {
	var answer struct{ Code string }
	if err := xml.Unmarshal(text, &answer); err != nil || answer.Code == "" {
		return "without a reason"
	}
	return answer.Code
}
