package outbound_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// outside is the one address of this machine that stands for the public
// internet in these tests; every other one is internal, as when deployed.
const outside = "127.0.0.9"

// insider is a server that must not be reached. It listens on loopback
// addresses of both families, on others if asked, and counts connections.
type insider struct {
	port        string
	connections atomic.Int32
}

func newInsider(t testing.TB, more ...string) *insider {
	t.Helper()
	in := &insider{}
	for _, address := range append([]string{"127.0.0.1", "127.0.0.2", "[::1]"}, more...) {
		port := in.port
		if port == "" {
			port = "0"
		}
		l, err := net.Listen("tcp", address+":"+port)
		if err != nil {
			if address == "[::1]" {
				continue // a machine without IPv6
			}
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		_, in.port, _ = net.SplitHostPort(l.Addr().String())
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				in.connections.Add(1)
				_ = conn.Close()
			}
		}()
	}
	return in
}

// names are records in an attacker's DNS.
var names = map[string][]string{
	"outside.example":       {outside},
	"loopback.example":      {"127.0.0.1"},
	"loopback2.example":     {"127.0.0.2"},
	"loopback6.example":     {"::1"},
	"mapped6.example":       {"::ffff:127.0.0.1"},
	"unspecified.example":   {"0.0.0.0"},
	"unspecified6.example":  {"::"},
	"private10.example":     {"10.0.0.1"},
	"private172.example":    {"172.31.255.254"},
	"private192.example":    {"192.168.0.1"},
	"cgnat.example":         {"100.64.0.1"},
	"metadata.example":      {"169.254.169.254"},
	"metadata6.example":     {"fd00:ec2::254"},
	"runtime.example":       {"10.9.8.7"},
	"runtime169.example":    {"169.254.100.1"},
	"linklocal6.example":    {"fe80::1"},
	"ula.example":           {"fc00::1"},
	"nat64.example":         {"64:ff9b::7f00:1"},
	"sixtofour.example":     {"2002:7f00:1::"},
	"teredo.example":        {"2001:0:7f00:1::"},
	"multicast.example":     {"239.255.255.250"},
	"multicast6.example":    {"ff02::1"},
	"broadcast.example":     {"255.255.255.255"},
	"reserved.example":      {"240.0.0.1"},
	"documentation.example": {"192.0.2.1"},
	"mixed.example":         {outside, "127.0.0.1"},
	"mixedfirst.example":    {"127.0.0.1", outside},
	"mixed6.example":        {outside, "::1"},
	"alias.example":         {"db.internal."},
	"db.internal":           {"127.0.0.1"},
}

// insideURLs are spellings of targets that are internal, or whose port, scheme
// or form is forbidden. PORT is the insider's.
var insideURLs = []string{
	// IPv4 as browsers, C libraries and people write it.
	"https://127.0.0.1:PORT/", "https://127.0.0.1.:PORT/", "https://127.0.0.1..:PORT/", "https://127.1:PORT/", "https://127.0.1:PORT/",
	"https://2130706433:PORT/", "https://017700000001:PORT/", "https://0x7f000001:PORT/", "https://0X7F000001:PORT/",
	"https://0x7f.1:PORT/", "https://0x7f.0.0.0x1:PORT/", "https://0177.0.0.1:PORT/", "https://0177.0x0.0.1:PORT/", "https://127.0.0.01:PORT/",
	"https://00000177.0.0.1:PORT/", "https://0:PORT/", "https://0.0.0.0:PORT/", "https://000.0.0.0:PORT/", "https://127.0.0.2:PORT/", "https://127.255.255.254:PORT/",
	"https://4294967295/", "https://999.1.1.1/", "https://1.2.3/",
	// IPv4 in characters that normalize to it.
	"https://１２７.0.0.1:PORT/", "https://127。0。0。1:PORT/", "https://127．0．0．1:PORT/", "https://127｡0｡0｡1:PORT/", "https://１２７。０。０。１:PORT/",
	"https://①②⑦.0.0.1:PORT/", "https://𝟏𝟐𝟕.0.0.1:PORT/", "https://127.0.0.1\u00ad:PORT/", "https://127.0.0.1%00:PORT/", "https://%31%32%37.0.0.1:PORT/",
	"https://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1:PORT/", "https://127.0.0.1%2e:PORT/", "https://127.0.0.1 :PORT/", "https://127.0.0.1\t:PORT/",
	// Private, shared, link-local and other special ranges.
	"https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.254/", "https://192.168.1.1/", "https://100.64.0.1/", "https://100.127.255.254/",
	"https://169.254.169.254/latest/meta-data/", "https://169.254.170.2/v2/credentials/", "https://169.254.100.1:9001/", "https://2852039166/", "https://0xa9fea9fe/", "https://0251.0376.0251.0376/",
	"https://192.0.0.192/", "https://192.0.2.1/", "https://198.18.0.1/", "https://203.0.113.1/", "https://224.0.0.1/", "https://239.255.255.250:1900/", "https://240.0.0.1/", "https://255.255.255.255/",
	"https://10.9.8.7:9001/", "https://10.9.8.7/", // the Runtime API's address
	// IPv6, and IPv4 embedded in it.
	"https://[::1]:PORT/", "https://[0:0:0:0:0:0:0:1]:PORT/", "https://[::]:PORT/", "https://[::ffff:127.0.0.1]:PORT/", "https://[::ffff:7f00:1]:PORT/", "https://[::FFFF:7F00:0001]:PORT/",
	"https://[0:0:0:0:0:ffff:a9fe:a9fe]/", "https://[::127.0.0.1]:PORT/", "https://[::a9fe:a9fe]/", "https://[::ffff:0:127.0.0.1]:PORT/",
	"https://[64:ff9b::127.0.0.1]:PORT/", "https://[64:ff9b::a9fe:a9fe]/", "https://[64:ff9b:1::7f00:1]/", "https://[2002:7f00:1::]/", "https://[2002:a9fe:a9fe::1]/", "https://[2001:0:7f00:1::]/",
	"https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[::1%25lo]:PORT/", "https://[fc00::1]/", "https://[fd12:3456::1]/", "https://[fd00:ec2::254]/", "https://[fec0::1]/",
	"https://[ff02::1]/", "https://[2001:db8::1]/", "https://[100::1]/", "https://[::1", "https://::1:PORT/",
	// Names that are internal by definition.
	"https://localhost:PORT/", "https://LOCALHOST:PORT/", "https://localhost.:PORT/", "https://ｌｏｃａｌｈｏｓｔ:PORT/", "https://ⓛocalhost:PORT/", "https://a.b.localhost:PORT/",
	"https://metadata.google.internal/", "https://ip-10-0-0-1.ec2.internal/", "https://printer.local/", "https://intranet/", "https://loc\u200balhost:PORT/",
	// Ports, schemes and forms.
	"http://outside.example/", "https://outside.example:80/", "https://outside.example:22/", "https://outside.example:0/", "https://outside.example:1023/", "https://outside.example:65536/",
	"https://outside.example@127.0.0.1:PORT/", "https://user:secret@outside.example/", "https://outside.example\\@127.0.0.1:PORT/", "https://127.0.0.1:PORT#@outside.example/",
	"ftp://127.0.0.1:PORT/", "file:///etc/passwd", "gopher://127.0.0.1:PORT/_x", "https:127.0.0.1:PORT/", "//127.0.0.1:PORT/", "https:///127.0.0.1:PORT/", "https://", "127.0.0.1:PORT",
}

// deployed returns the sender of a deployed service, for which only the address
// outside is public. The test's server resolves names.
func deployed(t testing.TB, dns *nameServer, change func(*outbound.Config)) *outbound.Sender {
	t.Helper()
	return sender(t, func(c *outbound.Config) {
		*c = outbound.Config{
			UserAgent: "Posthaste/test", Now: time.Now, Lookup: dns.lookup, RuntimeAPI: "10.9.8.7:9001",
			AllowedCIDRs: []netip.Prefix{netip.MustParsePrefix(outside + "/32")},
		}
		if change != nil {
			change(c)
		}
	})
}

// saves returns a registry that checks targets as the deployed one does.
func saves(t testing.TB, s *outbound.Sender, rules webhook.Rules) (*webhook.Registry, *embedded.DB) {
	t.Helper()
	random := webhooktest.Random(1)
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: time.Now, Random: random})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	rules.CheckHost = s.Guard().CheckHost
	return &webhook.Registry{
		Webhooks: db.Webhooks(), Secrets: db.Secrets(), Rules: rules, Now: time.Now, Random: random, EventLife: time.Hour, Ping: s.Send,
	}, db
}

var who = webhook.Principal{Tenant: "Default"}

// Every spelling is tried at each of three stages: the save without a ping,
// which checks the URL alone; the save with a ping; and the delivery to a
// stored webhook, however it was stored. If a name has one public and one
// internal address, the public one must not be called either.
//
// Decision 0.7: where no target may lead.
func TestSSRF(t *testing.T) {
	t.Parallel()
	in, dns := newInsider(t, outside), newNameServer(t, names)
	s := deployed(t, dns, nil)
	registry, db := saves(t, s, webhook.Rules{})
	type way struct {
		url     string
		written bool // detected from the URL alone, without DNS
	}
	var ways []way
	for _, u := range insideURLs {
		ways = append(ways, way{u, true})
	}
	for name := range names {
		if name != "outside.example" && name != "db.internal" {
			ways = append(ways, way{"https://" + name + ":PORT/", false})
		}
	}
	if len(ways) < 100 {
		t.Fatalf("only %d ways", len(ways))
	}
	for _, w := range ways {
		target := strings.ReplaceAll(w.url, "PORT", in.port)
		draft := webhook.Draft{Events: []string{"a"}, TargetURL: target}
		var invalid *webhook.ValidationError
		if err := draft.Validate(registry.Rules); errors.As(err, &invalid) != w.written {
			t.Errorf("%s: check of the URL alone: %v, want refused %v", target, err, w.written)
		}
		if _, err := registry.Create(t.Context(), who, draft); !errors.As(err, &invalid) {
			t.Errorf("%s: saved, %v", target, err)
		}
		if !w.written && !strings.Contains(invalid.Error(), string(failure.Blocked)) {
			t.Errorf("%s: the ping was refused with %v", target, invalid)
		}
		for _, replay := range []bool{false, true} {
			result := s.Send(t.Context(), webhook.Post{Webhook: hook(target), Event: event, Replay: replay, Timeout: 5 * time.Second})
			if result.Error != failure.Blocked {
				t.Errorf("%s: sent with %v", target, result)
			}
		}
		if n := in.connections.Swap(0); n != 0 {
			t.Errorf("%s: %d connections", target, n)
		}
	}
	if stored, _, err := db.Webhooks().List(t.Context(), "Default", 0, 10); err != nil || len(stored) != 0 {
		t.Errorf("stored %v, %v", stored, err)
	}
}

// A client without a guard reaches the insider with many of these URLs, so they
// are real attacks.
func TestSSRF_TheURLsAreRealAttacks(t *testing.T) {
	t.Parallel()
	in, dns := newInsider(t), newNameServer(t, names)
	dialer := net.Dialer{Resolver: dns.resolver, Timeout: 300 * time.Millisecond}
	naive := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if host, _, _ := net.SplitHostPort(address); !strings.HasPrefix(host, "127.") && !strings.HasPrefix(host, "::") && strings.Trim(host, "0123456789.:") == "" {
				return nil, errors.New("not on this machine")
			}
			return dialer.DialContext(ctx, network, address)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	reached := 0
	for _, u := range append([]string{"https://loopback.example:PORT/", "https://loopback6.example:PORT/", "https://alias.example:PORT/"}, insideURLs...) {
		if !strings.Contains(u, "PORT") {
			continue
		}
		req, err := http.NewRequest(http.MethodPost, strings.ReplaceAll(u, "PORT", in.port), nil)
		if err != nil {
			continue
		}
		if resp, err := naive.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
		}
		if in.connections.Swap(0) > 0 {
			reached++
		}
	}
	if reached < 15 {
		t.Errorf("only %d URLs reach the insider", reached)
	}
}

// answering is a public target that always gives the same response.
func answering(t testing.TB, port string, handler http.HandlerFunc) (posts *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", outside+":"+port)
	if err != nil {
		t.Fatal(err)
	}
	posts = new(atomic.Int32)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		handler(w, r)
	}))
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return posts
}

func allowHTTP(c *outbound.Config) { c.AllowHTTP = true }

func TestSSRF_RebindingBetweenSaveAndSend(t *testing.T) {
	t.Parallel()
	in, dns := newInsider(t), newNameServer(t, names)
	s := deployed(t, dns, allowHTTP)
	registry, _ := saves(t, s, webhook.Rules{AllowHTTP: true})
	posts := answering(t, in.port, func(http.ResponseWriter, *http.Request) {})
	dns.set("rebind.example", []string{outside})
	w, err := registry.Create(t.Context(), who, webhook.Draft{Events: []string{"a"}, TargetURL: "http://rebind.example:" + in.port + "/"})
	if err != nil || posts.Load() != 1 {
		t.Fatalf("create: %v after %d pings", err, posts.Load())
	}
	if r := s.Send(t.Context(), webhook.Post{Webhook: w, Event: event}); r.Error != failure.None || posts.Load() != 2 {
		t.Fatalf("before: %v", r)
	}
	dns.set("rebind.example", []string{"127.0.0.1"})
	s.CloseIdle() // an open connection still leads to the checked address
	if r := s.Send(t.Context(), webhook.Post{Webhook: w, Event: event}); r.Error != failure.Blocked || posts.Load() != 2 || in.connections.Load() != 0 {
		t.Errorf("after: %v, %d posts outside, %d connections inside", r, posts.Load(), in.connections.Load())
	}
}

// A name that is resolved twice, once for the check and once for the call,
// could resolve differently. It is resolved once, and the checked address is
// the one that is called.
func TestSSRF_RebindingBetweenCheckAndCall(t *testing.T) {
	t.Parallel()
	in, dns := newInsider(t), newNameServer(t, names)
	s := deployed(t, dns, allowHTTP)
	posts := answering(t, in.port, func(http.ResponseWriter, *http.Request) {})
	dns.set("rebind.example", []string{outside}, []string{"127.0.0.1"})
	r := s.Send(t.Context(), webhook.Post{Webhook: hook("http://rebind.example:" + in.port + "/"), Event: event})
	if r.Error != failure.None || posts.Load() != 1 || in.connections.Load() != 0 || dns.asked("rebind.example") != 1 {
		t.Errorf("%v, %d posts outside, %d connections inside, resolved %d times", r, posts.Load(), in.connections.Load(), dns.asked("rebind.example"))
	}
}

func TestSSRF_Redirects(t *testing.T) {
	t.Parallel()
	in, dns := newInsider(t), newNameServer(t, names)
	s := deployed(t, dns, allowHTTP)
	status, location := new(atomic.Int32), "http://127.0.0.1:"+in.port+"/stolen"
	posts := answering(t, in.port, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(int(status.Load()))
	})
	registry, _ := saves(t, s, webhook.Rules{AllowHTTP: true})
	target := "http://outside.example:" + in.port + "/"
	codes := []int32{300, 301, 302, 303, 304, 305, 307, 308}
	for _, code := range codes {
		status.Store(code)
		if r := s.Send(t.Context(), webhook.Post{Webhook: hook(target), Event: event}); r.Error != failure.Redirect || r.StatusCode != int(code) {
			t.Errorf("%d: %v", code, r)
		}
		if _, err := registry.Create(t.Context(), who, webhook.Draft{Events: []string{"a"}, TargetURL: target}); err == nil {
			t.Errorf("%d: saved", code)
		}
	}
	if int(posts.Load()) != 2*len(codes) || in.connections.Load() != 0 {
		t.Errorf("%d posts outside, %d connections inside", posts.Load(), in.connections.Load())
	}
}

// The name is absolute: a final dot keeps resolvers from appending this
// network's own domains.
func TestSSRF_NamesAreAbsolute(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	s := sender(t, func(c *outbound.Config) {
		c.AllowPrivate = false
		c.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
			asked <- host
			return nil, errors.New("no such host")
		}
	})
	s.Send(t.Context(), webhook.Post{Webhook: hook("https://Vault.Corp.example/"), Event: event})
	if got := <-asked; got != "vault.corp.example." {
		t.Errorf("looked up %q", got)
	}
}
