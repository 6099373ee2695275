package auth_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// try presents a Basic credential from an address; after is how long to wait if
// it was throttled.
func (b *bench) try(source, credential string) (ok bool, after time.Duration) {
	b.t.Helper()
	r := request(basic(credential))
	r.RemoteAddr = source
	_, err := b.Authenticate(r, "")
	var throttled *webhook.ThrottledError
	switch {
	case errors.As(err, &throttled):
		if throttled.After <= 0 || throttled.Reason == "" {
			b.t.Errorf("throttled for %s: %q", throttled.After, throttled.Reason)
		}
		return false, throttled.After
	case err != nil && !errors.Is(err, webhook.ErrUnauthorized):
		b.t.Fatal(err)
	}
	return err == nil, 0
}

// guess tries wrong passwords until it is throttled, and returns how many.
func (b *bench) guess(source, user string) (tries int, after time.Duration) {
	b.t.Helper()
	for tries = 0; ; tries++ {
		if _, after = b.try(source, fmt.Sprintf("%s:wrong%d", user, tries)); after > 0 || tries > 1000 {
			return tries, after
		}
	}
}

func throttled(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.Throttle = &auth.Throttle{Now: b.clock.Now}
	return b
}

func TestThrottle_GuessingAtAUserIsSlow(t *testing.T) {
	t.Parallel()
	b := throttled(t)
	tries, after := b.guess("192.0.2.1:1", "tje0")
	if tries != 10 || after != 30*time.Second {
		t.Errorf("%d tries, then %s; want 10 and 30s", tries, after)
	}
	if ok, _ := b.try("192.0.2.1:2", firstCredential); ok {
		t.Error("the right password was accepted: further guesses cost nothing")
	}
	b.clock.Advance(after)
	if tries, _ := b.guess("192.0.2.1:3", "tje0"); tries != 1 {
		t.Errorf("%d tries after the wait, want 1", tries)
	}
	b.clock.Advance(time.Hour)
	if tries, _ := b.guess("192.0.2.1:3", "tje0"); tries != 10 {
		t.Errorf("%d tries an hour later, want 10", tries)
	}
}

func TestThrottle_GuessingAtManyUsersIsSlow(t *testing.T) {
	t.Parallel()
	b := throttled(t)
	tries := 0
	for ; tries < 1000; tries++ {
		if _, after := b.try("192.0.2.1:1", fmt.Sprintf("user%d:x", tries)); after > 0 {
			break
		}
	}
	if tries != 50 {
		t.Errorf("%d tries, want 50", tries)
	}
}

func TestThrottle_DoesNotLockUsersOut(t *testing.T) {
	t.Parallel()
	b := throttled(t)
	if ok, _ := b.try("192.0.2.1:1", firstCredential); !ok {
		t.Fatal("refused at first")
	}
	b.guess("192.0.2.1:1", "tje0")
	if ok, _ := b.try("192.0.2.1:9", firstCredential); !ok {
		t.Error("a user who was accepted from this address before is locked out")
	}
	for _, elsewhere := range []string{"192.0.2.2:1", "[2001:db8::1]:1"} {
		if ok, _ := b.try(elsewhere, firstCredential); !ok {
			t.Errorf("locked out from %s", elsewhere)
		}
	}
}

func TestThrottle_ARevokedCredentialCountsAsWrong(t *testing.T) {
	t.Parallel()
	b := throttled(t)
	id := b.issue(tenancy.KindBasic, "anna:right", anna(""))
	if ok, _ := b.try("192.0.2.1:1", "anna:right"); !ok {
		t.Fatal("refused at first")
	}
	if err := b.db.Credentials().Revoke(t.Context(), "Cust12345", id); err != nil {
		t.Fatal(err)
	}
	tries := 0
	for ; tries < 100; tries++ {
		if _, after := b.try("192.0.2.1:1", "anna:right"); after > 0 {
			break
		}
	}
	if tries != 10 {
		t.Errorf("%d tries, want 10", tries)
	}
}

func TestThrottle_AnIPv6NetworkIsOneSource(t *testing.T) {
	t.Parallel()
	b := throttled(t)
	b.guess("[2001:db8:1:2::1]:1", "tje0")
	if _, after := b.try("[2001:db8:1:2:ffff::9]:1", "tje0:x"); after == 0 {
		t.Error("another address of the same /64 is counted separately")
	}
	if _, after := b.try("[2001:db8:1:3::1]:1", "tje0:x"); after != 0 {
		t.Error("another /64 is slowed down")
	}
	b.guess("192.0.2.7:1", "tje0")
	if _, after := b.try("[::ffff:192.0.2.7]:1", "tje0:x"); after == 0 {
		t.Error("an IPv4-mapped IPv6 address is counted separately")
	}
}

func TestThrottle_ACallWithoutACredentialIsNotCounted(t *testing.T) {
	t.Parallel()
	b := throttled(t)
	for range 100 {
		if _, err := b.Authenticate(request(), ""); !errors.Is(err, webhook.ErrUnauthorized) {
			t.Fatal(err)
		}
	}
}

func TestThrottle_IsBounded(t *testing.T) {
	t.Parallel()
	throttle := &auth.Throttle{Now: func() time.Time { return start }}
	for i := range 20000 {
		throttle.Wrong(fmt.Sprint(i), "user")
	}
	if n := throttle.Size(); n > 8192 {
		t.Errorf("%d buckets", n)
	}
}
