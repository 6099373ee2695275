package main

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// matchesPattern reports whether CloudWatch Logs would find that a line, decoded
// from JSON, matches a filter pattern. It knows the part of the language that the
// template uses: comparisons of $.<key> by = and != with a "string", in which * matches
// anything, and by =, <, > and >= with a number; &&, || and parentheses.
func matchesPattern(t *testing.T, pattern string, line map[string]any) bool {
	t.Helper()
	p := &patternParser{line: line, tokens: patternToken.FindAllString(strings.Trim(pattern, "{} "), -1)}
	got := p.or()
	if p.fault == "" && len(p.tokens) > 0 {
		p.fault = "unexpected " + p.tokens[0]
	}
	if p.fault != "" {
		t.Fatalf("%s: %s", pattern, p.fault)
	}
	return got
}

var (
	patternToken = regexp.MustCompile(`&&|\|\||[()]|\$\.\w+ (?:>=|!=|[=<>]) (?:"[^"]*"|[\d.]+)|\S+`)
	comparison   = regexp.MustCompile(`^\$\.(\w+) (>=|!=|[=<>]) (.+)$`)
)

type patternParser struct {
	line   map[string]any
	tokens []string
	fault  string
}

func (p *patternParser) take(token string) bool {
	if len(p.tokens) == 0 || p.tokens[0] != token {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *patternParser) or() bool {
	got := p.and()
	for p.take("||") {
		right := p.and()
		got = got || right
	}
	return got
}

func (p *patternParser) and() bool {
	got := p.term()
	for p.take("&&") {
		right := p.term()
		got = got && right
	}
	return got
}

func (p *patternParser) term() bool {
	if p.take("(") {
		got := p.or()
		if !p.take(")") {
			p.fault = "no )"
		}
		return got
	}
	if len(p.tokens) == 0 {
		p.fault = "ends too early"
		return false
	}
	m := comparison.FindStringSubmatch(p.tokens[0])
	if m == nil {
		p.fault = "cannot read " + p.tokens[0]
		return false
	}
	p.tokens = p.tokens[1:]
	value, present := p.line[m[1]]
	if !present {
		return false
	}
	if text, quoted := strings.CutPrefix(m[3], `"`); quoted {
		matched, err := path.Match(strings.TrimSuffix(text, `"`), strings.ReplaceAll(fmt.Sprint(value), "/", " "))
		return err == nil && (m[2] == "=" && matched || m[2] == "!=" && !matched)
	}
	want, err := strconv.ParseFloat(m[3], 64)
	got, isNumber := value.(float64)
	switch {
	case err != nil || !isNumber:
		return false
	case m[2] == "=":
		return got == want
	case m[2] == "<":
		return got < want
	case m[2] == ">":
		return got > want
	}
	return got >= want
}

func TestMatchesPattern(t *testing.T) {
	t.Parallel()
	line := map[string]any{"msg": "request", "event_id": "7", "count": 3.0}
	for pattern, want := range map[string]bool{
		`{ $.msg = "request" }`:                                         true,
		`{ $.msg = "other" }`:                                           false,
		`{ $.event_id = "*" && $.count > 2 }`:                           true,
		`{ $.msg != "other" }`:                                          true,
		`{ $.msg != "request" }`:                                        false,
		`{ $.missing = "*" }`:                                           false,
		`{ $.missing = "*" || $.count >= 3 }`:                           true,
		`{ $.msg = "request" && ($.missing = "*" || $.count < 3) }`:     false,
		`{ ($.msg = "other" && $.count = 3) || $.event_id = "7" }`:      true,
		`{ $.msg = "request" && ($.event_id = "*" || $.missing > 0) }`:  true,
		`{ $.msg = "request" && ($.missing = "*" || $.missing = 0.5) }`: false,
	} {
		if got := matchesPattern(t, pattern, line); got != want {
			t.Errorf("%s: got %t", pattern, got)
		}
	}
}
