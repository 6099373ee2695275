package embedded

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// key joins the parts of a key: strings end with a zero byte if another part
// follows, numbers are big-endian.
func key(parts ...any) []byte {
	var out []byte
	for i, part := range parts {
		switch p := part.(type) {
		case string:
			out = append(out, p...)
			if i < len(parts)-1 {
				out = append(out, 0)
			}
		case int32:
			out = binary.BigEndian.AppendUint32(out, uint32(p))
		case uint64:
			out = binary.BigEndian.AppendUint64(out, p)
		case byte:
			out = append(out, p)
		case time.Time:
			out = binary.BigEndian.AppendUint64(out, uint64(max(p.UnixMilli(), 0)))
		default:
			panic(fmt.Sprintf("key part of type %T", part))
		}
	}
	return out
}

// shown names an item in an error.
func shown(bucket string, k []byte) string { return fmt.Sprintf("%s %q", bucket, k) }

func load(bucket *bbolt.Bucket, k []byte, into any) (found bool, err error) {
	stored := bucket.Get(k)
	if stored == nil {
		return false, nil
	}
	if err := json.Unmarshal(stored, into); err != nil {
		return false, fmt.Errorf("read stored item: %w", err)
	}
	return true, nil
}

func save(bucket *bbolt.Bucket, k []byte, item any) error {
	text, err := encode(item)
	if err != nil {
		return fmt.Errorf("encode item: %w", err)
	}
	if err := bucket.Put(k, text); err != nil {
		return fmt.Errorf("write item: %w", err)
	}
	return nil
}

// encode returns an item's JSON. Raw JSON within it keeps every byte;
// json.Marshal would escape <, > and &.
func encode(item any) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(item); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

func bucket(tx *bbolt.Tx, name string) *bbolt.Bucket { return tx.Bucket([]byte(name)) }
