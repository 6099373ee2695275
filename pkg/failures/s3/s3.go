// Package s3 reads the bucket that holds the stream records Lambda gave up on:
// one object per invocation, with the records it was for. It lists, opens and
// removes objects. It refuses to know what a record means or what becomes of it.
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

// prefix is what Lambda's keys begin with:
// aws/lambda/<mapping>/<shard>/<yyyy>/<mm>/<dd>/<time>-<random>, in the order of
// time within a shard. Other objects are left alone.
const prefix = "aws/lambda/"

// maxObject bounds an object: an invocation's payload is at most 6 MiB, and is
// escaped in the object.
const maxObject = 16 << 20

// NewClient returns a client for c. With an endpoint of its own, as an emulator
// has, the bucket is named in the path instead of the host.
func NewClient(c aws.Config) *s3.Client {
	return s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = c.BaseEndpoint != nil })
}

// Failures is the bucket. All fields must be set; it may be used concurrently.
type Failures struct {
	Client *s3.Client
	Bucket string
	// Decode reads the payload of an invocation: the stream's own decoder. It
	// leaves out what is not an event; a record that cannot be read comes back as
	// Undecodable.
	Decode func(payload []byte) ([]webhook.Record, error)
}

// List returns the names of up to limit objects that come after one, at most
// 1,000, in the order of their keys. It is strongly consistent: an object that
// was put is listed, one that was removed is not.
func (f *Failures) List(ctx context.Context, after string, limit int) ([]string, error) {
	in := &s3.ListObjectsV2Input{
		Bucket: &f.Bucket, Prefix: aws.String(prefix), MaxKeys: aws.Int32(int32(min(limit, 1000))), //nolint:gosec // at most 1,000
	}
	if after != "" {
		in.StartAfter = &after
	}
	out, err := f.Client.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, fault(err, "list the failure bucket")
	}
	names := make([]string, len(out.Contents))
	for i, object := range out.Contents {
		names[i] = aws.ToString(object.Key)
	}
	return names, nil
}

// invocationRecord is an object as Lambda writes it. Why Lambda gave up is left
// out; the payload is the invocation's.
type invocationRecord struct {
	Payload json.RawMessage `json:"payload"`
}

// Open returns the records of an object: webhook.ErrNotFound if it is gone, a
// *webhook.ValidationError if it does not hold an invocation and never will.
func (f *Failures) Open(ctx context.Context, name string) ([]webhook.Record, error) {
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
	records, err := f.Decode(payload)
	if err != nil {
		return nil, webhook.Invalid("%s: %v", name, err)
	}
	return records, nil
}

var errNoPayload = errors.New("payload is missing")

// payload returns the invocation's payload: JSON in a string, as Lambda
// documents it, or the JSON itself.
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
		return nil, fault(err, "open "+name)
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

// Remove deletes an object. One that does not exist is fine.
func (f *Failures) Remove(ctx context.Context, name string) error {
	_, err := f.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &f.Bucket, Key: &name})
	return fault(err, "remove "+name)
}

// fault wraps an error of a call: ErrNotFound for an object that does not exist,
// ErrUnavailable where a later try may succeed, neither where the deployment is
// at fault (no permission, no such bucket).
func fault(err error, doing string) error {
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

// passing reports whether a call that was answered with this status may succeed
// later.
func passing(status int) bool {
	return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
}
