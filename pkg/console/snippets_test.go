package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var languages = flag.Bool("languages", false, "run the snippets of other languages than Go, too")

// programs run a snippet on a POST given as JSON, and print true or false.
var programs = map[string]struct {
	file, before, after string
	run                 []string
}{
	"Node": {"verify.mjs", "", `
import { readFileSync } from "node:fs";
const p = JSON.parse(readFileSync(process.argv[2]));
console.log(verify(p.secret, p.headers, Buffer.from(p.body)));
`, []string{"node"}},
	"Python": {"verify.py", "", `
import json, sys
p = json.load(open(sys.argv[1]))
print(str(verify(p["secret"], p["headers"], p["body"].encode())).lower())
`, []string{"python3"}},
	"Go": {"verify.go", `package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

`, `
func main() {
	var p struct {
		Secret, Body string
		Headers      map[string]string
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil || json.Unmarshal(text, &p) != nil {
		panic("no POST")
	}
	header := http.Header{}
	for name, value := range p.Headers {
		header.Set(name, value)
	}
	fmt.Println(verify(p.Secret, header, []byte(p.Body)))
}
`, []string{"go", "run"}},
}

// Each snippet accepts a signed POST, with a second signature in front too, and refuses
// one that is changed, old or signed with another secret.
func TestSnippets(t *testing.T) {
	t.Parallel()
	for _, s := range snippets {
		t.Run(s.language, func(t *testing.T) {
			t.Parallel()
			if s.language != "Go" && !*languages {
				t.Skip("-languages runs it")
			}
			program, dir := programs[s.language], t.TempDir()
			file := filepath.Join(dir, program.file)
			if err := os.WriteFile(file, []byte(program.before+s.code+program.after), 0o600); err != nil {
				t.Fatal(err)
			}
			run := append(append([]string{}, program.run...), file)
			if s.language == "Go" {
				run = []string{filepath.Join(dir, "verify")}
				if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", run[0], file).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			for name, tt := range map[string]struct {
				change func(p *post)
				want   string
			}{
				"signed":            {func(*post) {}, "true"},
				"two signatures":    {func(p *post) { p.Headers["webhook-signature"] = "v1,AAAA " + p.Headers["webhook-signature"] }, "true"},
				"another body":      {func(p *post) { p.Body += " " }, "false"},
				"another id":        {func(p *post) { p.Headers["webhook-id"] = "2" }, "false"},
				"another secret":    {func(p *post) { p.Secret = "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)) }, "false"},
				"an old one":        {func(p *post) { p.sign(time.Now().Add(-time.Hour)) }, "false"},
				"without signature": {func(p *post) { p.Headers["webhook-signature"] = "" }, "false"},
			} {
				p := &post{Secret: "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))), Body: `{"name":"Blåbær"}`, Headers: map[string]string{"webhook-id": "1"}}
				p.sign(time.Now())
				tt.change(p)
				text, err := json.Marshal(p)
				if err != nil {
					t.Fatal(err)
				}
				given := filepath.Join(dir, "post.json")
				if err := os.WriteFile(given, text, 0o600); err != nil {
					t.Fatal(err)
				}
				out, err := exec.CommandContext(t.Context(), run[0], append(run[1:], given)...).CombinedOutput()
				if err != nil || strings.TrimSpace(string(out)) != tt.want {
					t.Errorf("%s: %s, %v; want %s", name, out, err, tt.want)
				}
			}
		})
	}
}

// post is a POST to verify.
type post struct {
	Secret  string            `json:"secret"`
	Body    string            `json:"body"`
	Headers map[string]string `json:"headers"`
}

func (p *post) sign(at time.Time) {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.Secret, "whsec_"))
	stamp := fmt.Sprint(at.Unix())
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", p.Headers["webhook-id"], stamp, p.Body)
	p.Headers["webhook-timestamp"], p.Headers["webhook-signature"] = stamp, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
