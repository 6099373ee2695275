// Package s3 reads the bucket of stream records that Lambda gave up on: one
// object per invocation, with the invocation's records. It lists, opens and
// removes objects. It refuses to interpret records or to decide what becomes of
// them.
package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// prefix begins the keys of Lambda's objects:
// aws/lambda/<mapping>/<shard>/<yyyy>/<mm>/<dd>/<time>-<random>, ordered by
// time within a shard. Other objects are ignored.
const prefix = "aws/lambda/"

// maxObject bounds an object: an invocation's payload is at most 6 MiB, and
// escaping makes it larger.
const maxObject = 16 << 20

// NewClient returns a client for c. With a custom endpoint, such as an
// emulator's, the bucket is in the path instead of the host name.
func NewClient(c aws.Config) *s3.Client {
	return s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = c.BaseEndpoint != nil })
}

// Failures is the bucket. All fields are required, Decode only by Open. It may be
// used concurrently.
type Failures struct {
	Client *s3.Client
	Bucket string
	// Decode decodes the payload of an invocation, as the stream's handler
	// does. It drops records that are not events, and returns unreadable ones
	// as Undecodable.
	Decode func(payload []byte) ([]webhook.Record, error)
}

// List returns up to limit names greater than after, at most 1,000, in the
// order of their keys. It is strongly consistent: it reflects every put and
// removal so far.
func (f *Failures) List(ctx context.Context, after string, limit int) ([]string, error) {
	in := &s3.ListObjectsV2Input{
		Bucket: &f.Bucket, Prefix: aws.String(prefix), MaxKeys: aws.Int32(int32(min(limit, 1000))),
	}
	if after != "" {
		in.StartAfter = &after
	}
	out, err := f.Client.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, wrap(err, "list the failure bucket")
	}
	names := make([]string, len(out.Contents))
	for i, object := range out.Contents {
		names[i] = aws.ToString(object.Key)
	}
	return names, nil
}

// invocationRecord is an object as written by Lambda, without the reason for
// giving up.
type invocationRecord struct {
	Payload json.RawMessage `json:"payload"`
}

// Open returns the records of an object. Its errors are those of Payload.
func (f *Failures) Open(ctx context.Context, name string) ([]webhook.Record, error) {
	payload, err := f.Payload(ctx, name)
	if err != nil {
		return nil, err
	}
	records, err := f.Decode(payload)
	if err != nil {
		return nil, webhook.Invalid("%s: %v", name, err)
	}
	return records, nil
}

// Payload returns the payload of the invocation that an object records. It
// returns webhook.ErrNotFound if the object is gone, and a
// *webhook.ValidationError if it does not hold an invocation and never will.
func (f *Failures) Payload(ctx context.Context, name string) ([]byte, error) {
	text, err := f.read(ctx, name)
	if err != nil {
		return nil, err
	}
	var record invocationRecord
	if err := json.Unmarshal(text, &record); err != nil {
		return nil, webhook.Invalid("%s must be a JSON object: %v", name, err)
	}
	payload, err := record.payload()
	if err != nil {
		return nil, webhook.Invalid("%s: %v", name, err)
	}
	return payload, nil
}

var errNoPayload = errors.New("payload is missing")

// payload returns the invocation's payload. Lambda documents it as JSON in a
// string; plain JSON is accepted too.
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

func (f *Failures) read(ctx context.Context, name string) ([]byte, error) {
	out, err := f.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &f.Bucket, Key: &name})
	if err != nil {
		return nil, wrap(err, "open "+name)
	}
	defer out.Body.Close()
	text, err := io.ReadAll(io.LimitReader(out.Body, maxObject+1))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w: %w", name, webhook.ErrUnavailable, err)
	}
	if len(text) > maxObject {
		return nil, webhook.Invalid("%s must be at most %d bytes", name, maxObject)
	}
	return text, nil
}

// Remove deletes an object. A missing object is not an error.
func (f *Failures) Remove(ctx context.Context, name string) error {
	_, err := f.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &f.Bucket, Key: &name})
	return wrap(err, "remove "+name)
}

// wrap describes the error of a call: ErrNotFound for a missing object,
// ErrUnavailable if a retry may succeed, and neither if the deployment is at
// fault, such as a missing permission or bucket.
func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	var (
		missing  *types.NoSuchKey
		response *smithyhttp.ResponseError
	)
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("%s: %w", doing, webhook.ErrNotFound)
	case errors.As(err, &response) && !passing(response.HTTPStatusCode()):
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, webhook.ErrUnavailable, err)
}

// passing reports whether a call with this response status may succeed later.
func passing(status int) bool {
	return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
}
