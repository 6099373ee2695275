package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// calls returns the shell blocks of a page, and skips the test if a program that
// they need is not installed.
func calls(t *testing.T, page string) []string {
	t.Helper()
	for _, program := range []string{"curl", "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("the page's calls need ", program)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	blocks := fenced.FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/%s has %d blocks of calls, want 2", page, len(blocks))
	}
	return []string{blocks[0][1], blocks[1][1]}
}

// curl runs a page's call of curl with variables of its environment, and returns the
// response's body and its status.
func (s *started) curl(call string, env ...string) (body, status string) {
	s.t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		s.t.Skip("the page's calls need curl")
	}
	command := exec.CommandContext(s.t.Context(), "sh", "-c", strings.Replace(call, "curl", "curl -sS -w '%{http_code}'", 1)) //nolint:gosec // our own documentation
	command.Env = append(append(os.Environ(), "API_URL="+s.base, "ADMIN_CREDENTIAL=admin:admin", "FIRST_CREDENTIAL=tje0:Tje0"), env...)
	out, err := command.CombinedOutput()
	if err != nil || len(out) < 3 {
		s.t.Fatalf("%s: %v\n%s", call, err, out)
	}
	return string(out[:len(out)-3]), string(out[len(out)-3:])
}

// recipes returns the Go programs of docs/verify.md: a receiver, and a function
// for receivers without a library. .ci/clients runs those in other languages.
func recipes(t *testing.T) (receiver, function string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/verify.md has %d Go programs, want 2", len(blocks))
	}
	return blocks[0][1], blocks[1][1]
}

// build compiles files of package main in this module and returns the program.
func build(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", filepath.Join(dir, "program")}
	for i, text := range files {
		name := filepath.Join(dir, string(rune('a'+i))+".go")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil { //nolint:gosec // our own documentation
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "program")
}

// A receiver copied from docs/verify.md accepts what is signed with its secret,
// in either form, and nothing else.
func TestRecipe_Receiver(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	receiver, _ := recipes(t)
	if !strings.Contains(receiver, "127.0.0.1:9000") {
		t.Fatal("the receiver does not listen on the address that the page names")
	}
	program := build(t, strings.ReplaceAll(receiver, "127.0.0.1:9000", addr))
	s := start(t, t.TempDir(), nil)
	for _, secret := range []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "Hemmelig nøkkel ✓"} {
		command := exec.CommandContext(t.Context(), program)
		command.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, addr)
		for signer, want := range map[string]int{secret: 204, "another": 401} {
			body, err := json.Marshal(map[string]any{"Events": []string{"contact.*"}, "TargetUrl": "http://" + addr + "/", "Secret": signer})
			if err != nil {
				t.Fatal(err)
			}
			status, _, response := s.call("POST", "/api/v1/Webhook", string(body))
			var created struct{ WebhookId int32 } //nolint:revive // the wire's spelling
			if err := json.Unmarshal(response, &created); err != nil || status != 200 {
				t.Fatalf("create: got %d %s (%v)", status, response, err)
			}
			if got := s.attempted(created.WebhookId).Attempts[0].StatusCode; got != want {
				t.Errorf("the receiver with the secret %q responded %d to a POST signed with %q, want %d", secret, got, signer, want)
			}
			if status, _, response := s.call("PATCH", "/api/v1/Webhook/"+strconv.Itoa(int(created.WebhookId)), `{"State":"Stopped"}`); status != 200 {
				t.Fatalf("stop: got %d %s", status, response)
			}
		}
		_ = command.Process.Kill()
		_ = command.Wait()
	}
}

// waitFor returns once a program listens on the address.
func waitFor(t *testing.T, addr string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestRecipe_SuperOffice(t *testing.T) {
	t.Parallel()
	_, function := recipes(t)
	program := build(t, function, `package main

import (
	"io"
	"os"
)

func main() {
	body, _ := io.ReadAll(os.Stdin)
	if !valid(os.Args[1], body, os.Args[2]) {
		os.Exit(1)
	}
}
`)
	body := []byte(`{"name":"Blåbær"}`)
	for _, secret := range []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "Hemmelig nøkkel ✓"} {
		for signer, want := range map[string]bool{secret: true, "another": false} {
			command := exec.CommandContext(t.Context(), program, secret, signature.SuperOffice(signer, body)) //nolint:gosec // our own documentation
			command.Stdin = bytes.NewReader(body)
			if got := command.Run() == nil; got != want {
				t.Errorf("a body signed with %q is valid for %q: %v, want %v", signer, secret, got, want)
			}
		}
	}
}

// The calls of docs/verify.md make a secret that signs a delivery.
func TestRecipe_Calls(t *testing.T) {
	t.Parallel()
	steps := calls(t, "verify.md")
	s, target := start(t, t.TempDir(), nil), webhooktest.NewReceiver(t)
	script := strings.NewReplacer("http://127.0.0.1:8080", s.base, "http://127.0.0.1:9000", target.URL).Replace(steps[0] + steps[1])
	out, err := exec.CommandContext(t.Context(), "sh", "-ec", script+`echo "$WEBHOOK_SECRET"`).Output() //nolint:gosec // our own documentation
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	secret := strings.TrimSpace(string(out[bytes.LastIndex(out, []byte("whsec_")):])) // after the first call's response
	post := received(t, s, target, 1)[0]
	if err := official(t, secret).Verify(post.Body, post.Header); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The calls of docs/rotation.md change a secret and end the overlap.
func TestRecipe_Rotation(t *testing.T) {
	t.Parallel()
	steps := calls(t, "rotation.md")
	s, k := start(t, t.TempDir(), nil), newKeyholder(t, secretBefore)
	id := s.create(k.url)
	for i, want := range []int{http.StatusOK, refusal} { // what the old secret gets, after each call
		command := exec.CommandContext(t.Context(), "sh", "-c", steps[i]) //nolint:gosec // our own documentation
		command.Env = append(os.Environ(), "API_URL="+s.base, "CREDENTIAL=tje0:Tje0")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", steps[i], err, out)
		}
		if got := s.attempted(id).Attempts[0].StatusCode; got != want {
			t.Errorf("after call %d a receiver with the old secret responds %d, want %d", i+1, got, want)
		}
	}
}
