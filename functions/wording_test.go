package functions_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wordings lists patterns that keep a text from reading as native English, and
// how many lines of the tree still match each. A count may only fall.
var wordings = []struct {
	pattern string // case-insensitive
	except  string // what a matching line may say all the same
	left    int
}{
	{`\bis no [a-z]`, `is no (longer|more|way|such|need|point|reason|limit|lease|other|one|row|message|call)\b|there is no`, 0},
	{`\b(that|which|is|are) none\b`, `there (is|are) none\b`, 0},
	{`// \w+ gives\b`, ``, 0},
	{`\b(nobody|somebody|whoever)\b`, `NoBody|events/nobody`, 0},
	{`\bstands? (twice|for|in|there|beside)\b`, `stands? for|stand in for`, 0},
	{`\blies? (in|under|beside|within|outside)\b`, ``, 0},
	{`\bbeside\b|\btells? of\b`, ``, 0},
	{`\bletter case\b`, ``, 0},
	{`\bfor ever\b`, ``, 0},
	{`\banew\b`, ``, 0},
	{`what (a|the) [a-z]+ (gave|answered)\b`, ``, 0},
	{`\barrays? of texts\b|\bmust be text\b`, ``, 0},
	{`\bsee(s|n)? to (it|its|the|them|that)\b`, ``, 0},
}

// worded are the files whose text people read.
var worded = regexp.MustCompile(`\.(go|md|ya?ml|sh)$|^Makefile$|^\.ci/[a-z-]+$|openapi\.json$`)

func TestWording(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("git", "-C", root, "ls-files").Output()
	if err != nil {
		t.Skip("not a git checkout: ", err)
	}
	patterns, exceptions := make([]*regexp.Regexp, len(wordings)), make([]*regexp.Regexp, len(wordings))
	// Most lines hold none of these: looking for them first saves most of the time.
	words := []string{"is no ", " none", " gives", "nobody", "somebody", "whoever", "stand", "lies ", "lie ", "beside", "tell of", "tells of", "letter case", "for ever", "anew", "what a ", "what the ", "of texts", "be text", "see to", "sees to", "seen to"}
	for i, w := range wordings {
		patterns[i] = regexp.MustCompile("(?i)" + w.pattern)
		if w.except != "" {
			exceptions[i] = regexp.MustCompile("(?i)" + w.except)
		}
	}
	matches := make([][]string, len(wordings))
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSuffix(name, "\n")
		if !worded.MatchString(name) || strings.Contains(name, "testdata/") || name == "functions/wording_test.go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			lower := strings.ToLower(line)
			if !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(lower, word) }) {
				continue
			}
			for i, pattern := range patterns {
				if pattern.MatchString(line) && (exceptions[i] == nil || !exceptions[i].MatchString(line)) {
					matches[i] = append(matches[i], name+": "+strings.TrimSpace(line))
				}
			}
		}
	}
	for i, w := range wordings {
		switch n := len(matches[i]); {
		case n > w.left:
			t.Errorf("%d lines match %q, at most %d may:\n%s", n, w.pattern, w.left, strings.Join(matches[i], "\n"))
		case n < w.left:
			t.Errorf("%d lines match %q: lower its count from %d", n, w.pattern, w.left)
		}
	}
}
