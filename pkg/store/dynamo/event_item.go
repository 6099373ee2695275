package dynamo

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The attributes of an event. Its tenant and id are in the key.
const (
	attrVersion = "v" // webhook.EventSchema; absent is 1
	attrName    = "name"
	attrKey     = "key"    // primary key
	attrTextKey = "skey"   // Key
	attrData    = "data"   // JSON of a plain signal, or
	attrPacked  = "packed" // the same, deflated (RFC 1951)
	// JSON of the Content of any other event, or the same, deflated.
	attrContent, attrPackedContent = "content", "packed_content"
	attrBy                         = "by" // AssociateId
	attrAt                         = "at" // ticks of 100 ns since 1970
	attrHops                       = "hops"
	attrApp                        = "app" // of the webhook that a state event is about
)

// writeUnit is the item size in bytes that one unit of write capacity covers.
const writeUnit = 1024

// tick is the resolution of an event's At.
const tick = 100

func encodeEvent(e webhook.Event) (item, error) {
	it := eventKey(e.Tenant, e.ID)
	it.setInt(attrVersion, webhook.EventSchema)
	it[attrName] = text(e.Name)
	it.setInt(attrKey, int64(e.PrimaryKey))
	it.setText(attrTextKey, e.Key)
	plain, packed, said := attrData, attrPacked, []byte(e.Data)
	if e.Content != nil {
		var err error
		if said, err = webhook.EncodeContent(e.Content); err != nil {
			return nil, fmt.Errorf("encode event %s: %w", e.ID, err)
		}
		plain, packed = attrContent, attrPackedContent
	}
	it.setText(plain, string(said))
	it.setInt(attrBy, int64(e.ChangedBy))
	if !e.At.IsZero() {
		it[attrAt] = number(e.At.UnixNano() / tick)
	}
	it.setInt(attrHops, int64(e.Hops))
	it.setText(attrApp, e.App)
	it.setExpiry(e.ExpiresAt)
	size := it.size()
	if size <= writeUnit {
		return it, nil
	}
	deflated, err := pack(said)
	if err != nil {
		return nil, fmt.Errorf("pack event %s: %w", e.ID, err)
	}
	saved := len(plain) + len(said) - len(packed) - len(deflated)
	if units(size-saved) < units(size) {
		delete(it, plain)
		it[packed] = &types.AttributeValueMemberB{Value: deflated}
	}
	return it, nil
}

func units(size int) int { return (size + writeUnit - 1) / writeUnit }

// size is the size that DynamoDB bills for an item of strings, numbers, bytes
// and lists of these: names and values, with a number counted as half its digits
// plus a little, rounded up, and 3 bytes for a list plus 1 for each value in it.
func (it item) size() int {
	n := 0
	for name, value := range it {
		n += len(name) + valueSize(value)
	}
	return n
}

func valueSize(value types.AttributeValue) int {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return (len(v.Value)+1)/2 + 1
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberL:
		n := 3
		for _, each := range v.Value {
			n += 1 + valueSize(each)
		}
		return n
	}
	return 0
}

// decodeEventHead decodes an event without Data and Content.
func decodeEventHead(it item) (webhook.Event, error) {
	r := reader{item: it}
	e := webhook.Event{
		Name: r.text(attrName), PrimaryKey: r.int32(attrKey), Key: r.text(attrTextKey), ChangedBy: r.int32(attrBy),
		Hops: r.int(attrHops), App: r.text(attrApp), ExpiresAt: r.time(attrExpiresMS),
	}
	if err := webhook.CheckSchema(r.int(attrVersion)); err != nil {
		return webhook.Event{}, fmt.Errorf("read event %s: %w", r.text(attrSK), err)
	}
	if _, ok := it[attrAt]; ok {
		e.At = time.Unix(0, r.int64(attrAt)*tick).UTC()
	}
	return e, r.err
}

func decodeEvent(it item) (webhook.Event, error) {
	e, err := decodeEventHead(it)
	if errors.Is(err, webhook.ErrNewer) {
		return webhook.Event{}, err
	}
	r := reader{item: it, err: err}
	e.Data = r.json(attrData)
	err = r.err
	if packed, ok := it[attrPacked].(*types.AttributeValueMemberB); ok && err == nil {
		e.Data, err = unpack(packed.Value)
	}
	content := []byte(r.text(attrContent))
	if packed, ok := it[attrPackedContent].(*types.AttributeValueMemberB); ok && err == nil {
		content, err = unpack(packed.Value)
	}
	if err == nil {
		e.Content, err = webhook.DecodeContent(content)
	}
	if err == nil {
		err = identify(&e, r.text(attrPK), r.text(attrSK))
	}
	if err != nil {
		return webhook.Event{}, fmt.Errorf("read event: %w", err)
	}
	return e, nil
}

// packers pools writers: allocating one costs more than compressing an event.
var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil { // the level is a constant
		panic(err)
	}
	return w
}}

func pack(data []byte) ([]byte, error) {
	w, _ := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// maxUnpacked bounds the size of an unpacked item in memory.
const maxUnpacked = 1 << 20

func unpack(packed []byte) (json.RawMessage, error) {
	data, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxUnpacked+1))
	if err != nil {
		return nil, fmt.Errorf("unpack data: %w", err)
	}
	if len(data) > maxUnpacked {
		return nil, fmt.Errorf("unpack data: %w", webhook.ErrTooLarge)
	}
	return data, nil
}
