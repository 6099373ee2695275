package webhook

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"strings"
	"time"
)

// Key names a webhook across tenants.
type Key struct {
	Tenant Tenant
	ID     int32
}

// EventID identifies an event: a UUIDv7 (RFC 9562 section 5.7) printed as a
// GUID, 36 lower-case characters. It is the EventId of the body, the
// webhook-id header, the receivers' idempotency key and the sort key of the
// stores. Sorted as strings, ids are in order of time, to the millisecond.
type EventID string

// NewEventID returns an id made from a time and ten random bytes. It fails only
// if random does.
func NewEventID(now time.Time, random io.Reader) (EventID, error) {
	var b [16]byte
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	if _, err := io.ReadFull(random, b[6:]); err != nil {
		return "", fmt.Errorf("new event id: %w", err)
	}
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return EventID(FormatGUID(b)), nil
}

// DeriveEventID returns the id of an event that its source identifies: the
// milliseconds of the time, and bits of the SHA-256 of the parts instead of random
// ones. Equal arguments return equal ids, so a repeated event is stored once.
func DeriveEventID(at time.Time, parts ...string) EventID {
	id, err := NewEventID(at, strings.NewReader(hashOf(parts)))
	if err != nil { // a hash has more bytes than an id takes
		panic(err)
	}
	return id
}

// FirstEventID returns the smallest id of an instant: the lower bound of a
// listing by time.
func FirstEventID(at time.Time) EventID {
	var b [16]byte
	ms := uint64(max(at.UnixMilli(), 0))
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	return EventID(FormatGUID(b))
}

// Time returns when the id was made, to the millisecond: when the event was accepted.
// It is the zero time for an id that is not valid.
func (id EventID) Time() time.Time {
	if !id.Valid() {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(string(id[:8]+id[9:13]), 16, 64)
	if err != nil { // a valid id has hexadecimal digits there
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// FormatGUID returns the bytes of a UUID as 36 lower-case characters.
func FormatGUID(b [16]byte) string {
	var out [36]byte
	hex.Encode(out[0:8], b[0:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:36], b[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// Valid reports whether the id has the form of a lower-case GUID.
func (id EventID) Valid() bool {
	if len(id) != 36 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// Partition maps ids to n partitions, evenly and permanently: FNV-1a of the id,
// modulo n.
func (id EventID) Partition(n int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return int(h.Sum32() % uint32(n))
}
