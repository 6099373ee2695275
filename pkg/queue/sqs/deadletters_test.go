package sqs_test

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/posthaste-dev/posthaste/pkg/queue/sqs"
)

// grave is an SQS that keeps the last message.
type grave struct {
	sqs.DeadLetterClient
	body string
}

func (g *grave) SendMessage(_ context.Context, in *awssqs.SendMessageInput, _ ...func(*awssqs.Options)) (*awssqs.SendMessageOutput, error) {
	g.body = *in.MessageBody
	return &awssqs.SendMessageOutput{}, nil
}

// SQS refuses a message of more than 1 MiB, or with some characters, each time: the
// record would be buried again and again.
func TestBury_SendsWhatAMessageCanHold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, raw, want string }{
		{"a record", "{\"a\":\"Blåbær \U0001f600\"}\r\n\t", "{\"a\":\"Blåbær \U0001f600\"}\r\n\t"},
		{"characters that SQS refuses", "a\x00b\x1f\uFFFEc\uFFFF\xffd", "a\uFFFDb\uFFFD\uFFFDc\uFFFD\uFFFDd"},
		{"too many bytes", strings.Repeat("x", 1_000_000) + "y", strings.Repeat("x", 1_000_000)},
		{"cut in a character", strings.Repeat("x", 999_999) + "æ", strings.Repeat("x", 999_999)},
		{"too many because of what it refuses", strings.Repeat("\x01", 400_000), strings.Repeat("\uFFFD", 333_333)},
	} {
		g := &grave{}
		if err := (&sqs.DeadLetters{Client: g, URL: "u"}).Bury(t.Context(), []byte(tt.raw)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if g.body != tt.want || !utf8.ValidString(g.body) {
			t.Errorf("%s: got %d bytes %.40q, want %d %.40q", tt.name, len(g.body), g.body, len(tt.want), tt.want)
		}
	}
}
