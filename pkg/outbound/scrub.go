package outbound

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const redacted = "[redacted]"

const (
	// minPart is the shortest part of a secret that is redacted, in bytes of
	// the bare form.
	minPart = 6
	// minPublic is the shortest non-secret string that is redacted anywhere, in
	// bytes. A shorter one, such as "1" or "yes", would shred the response, so
	// it is redacted only as a whole word.
	minPublic = 4
	// minBegun is the shortest suffix of a cut response, in bytes, that is
	// taken for the beginning of something sent.
	minBegun = 3
)

// scrubber redacts from a response what was sent: targets in debug mode echo
// the request, and the excerpt is shown to people and stored in rows. It finds
// strings case-insensitively, with white space or control characters inside,
// and escaped for a URL, HTML or a program; secrets also in parts, in base64
// and in hexadecimal.
type scrubber struct {
	secrets    []string // as they were sent
	signatures []string // like secrets, but not searched in encoded form
	texts      []string // not secret, or parts of a secret too short to be found as such

	parts   grams    // of secrets and signatures; empty until prepare
	encoded grams    // of secrets in base64 and hexadecimal; empty until a response needs them
	whole   [][]byte // folded, redacted anywhere
	words   [][]byte // folded, redacted as whole words
	begun   [][]byte // bare, whose beginnings are dropped from the end of a cut response
}

// schemes are names of authorization schemes, which are not secret.
var schemes = map[string]bool{
	"basic": true, "bearer": true, "digest": true, "token": true, "apikey": true, "jwt": true, "oauth": true, "negotiate": true,
	"ntlm": true, "hawk": true, "signature": true, "soticket": true, "aws4-hmac-sha256": true,
}

// secret adds a string of which no part may come back. If it is base64, that
// covers the decoded string as well.
func (s *scrubber) secret(text string) {
	text = strings.Trim(text, " \t")
	if text == "" {
		return
	}
	s.secrets = append(s.secrets, text)
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		decoded, err := encoding.DecodeString(strings.TrimRight(text, "="))
		if err == nil && printable(decoded) {
			s.secrets = append(s.secrets, string(decoded))
		}
	}
}

// header adds a header's value. Of a secret value the scheme may come back;
// what follows it must not, however short.
func (s *scrubber) header(value string, secret bool) {
	value = strings.Trim(value, " \t")
	if value == "" {
		return
	}
	if !secret {
		s.texts = append(s.texts, value)
		return
	}
	scheme, credential := value, ""
	if i := strings.IndexAny(value, " \t"); i >= 0 {
		scheme, credential = value[:i], strings.Trim(value[i:], " \t")
	}
	if !schemes[strings.ToLower(scheme)] || credential == "" {
		s.secret(value)
		return
	}
	s.texts = append(s.texts, value)
	s.secret(credential)
	if !strings.EqualFold(scheme, "basic") {
		return
	}
	if decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(credential, "=")); err == nil {
		s.secrets = append(s.secrets, string(decoded)) // may be Latin-1
		if _, password, ok := strings.Cut(string(decoded), ":"); ok && password != "" {
			s.texts = append(s.texts, password)
		}
	}
}

func printable(text []byte) bool {
	return len(text) >= minPart && utf8.Valid(text) && !bytes.ContainsFunc(text, unicode.IsControl)
}

// signature adds a signature that was sent.
func (s *scrubber) signature(text string) { s.signatures = append(s.signatures, text) }

// prepare folds what was added, once.
func (s *scrubber) prepare() {
	if len(s.parts) > 0 {
		return
	}
	size := 0
	for _, list := range [][]string{s.secrets, s.signatures} {
		for _, text := range list {
			size += len(text)
		}
	}
	s.parts = newGrams(size)
	buffer := make([]byte, 0, 2*size+64)
	for _, text := range s.signatures {
		s.parts.add(fold(buffer, text, true))
	}
	for _, text := range s.secrets {
		if !s.parts.add(fold(buffer, text, true)) {
			s.exact(text, 1)
		}
		if strings.ContainsAny(text, introducers) {
			s.parts.add(viewOf(text).unescaped().folded(true).text)
		}
	}
	for _, text := range s.texts {
		s.exact(text, minPublic)
	}
}

// exact adds a string that is redacted only as a whole: anywhere if it has at
// least that many bytes, otherwise only between word boundaries.
func (s *scrubber) exact(text string, anywhere int) {
	for _, v := range forms(viewOf(text)) {
		folded := bytes.TrimRight(v.folded(false).text, " ")
		switch {
		case len(folded) >= anywhere:
			s.whole = append(s.whole, folded)
		case len(folded) > 0:
			s.words = append(s.words, folded)
		}
	}
}

// encode adds the base64 and hexadecimal forms of secrets. Base64 depends on
// the position of the secret in the encoded data, so all three alignments are
// added.
func (s *scrubber) encode() {
	if len(s.encoded) > 0 {
		return
	}
	size := 0
	for _, text := range s.secrets {
		size += 6*len(text) + 8 // hexadecimal, and base64 three times
	}
	s.encoded = newGrams(size)
	buffer := make([]byte, 0, size)
	for _, text := range s.secrets {
		if len(text) < minPublic {
			continue
		}
		s.encoded.add(hex.AppendEncode(buffer, []byte(text)))
		for before := range 3 {
			encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, before, before+len(text)), text...))
			first, last := (8*before+5)/6, 8*(before+len(text))/6 // characters that also encode neighboring bytes are left out
			s.encoded.add(fold(buffer, encoded[first:last], true))
		}
	}
}

// mayBeEncoded reports whether text has a word that could be base64 or
// hexadecimal: a long one with a digit, or with a capital after a lower-case
// letter.
func mayBeEncoded(text []byte) bool {
	length, marked := 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9', length > 0 && c >= 'A' && c <= 'Z' && text[i-1] >= 'a':
			length, marked = length+1, true
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '+', c == '/', c == '_':
			length++
		default:
			length, marked = 0, false
		}
		if marked && length >= minPart {
			return true
		}
	}
	return false
}

// forms returns the views of a text to search: the text itself, and the
// unescaped text if it has escapes.
func forms(v view) []view {
	if !bytes.ContainsAny(v.text, introducers) {
		return []view{v}
	}
	return []view{v, v.unescaped()}
}

// clean replaces everything that was added with [redacted].
func (s *scrubber) clean(text string) string {
	s.prepare()
	var found []span
	for _, v := range forms(viewOf(text)) {
		bare := v.folded(true)
		found = s.parts.find(bare, found)
		if mayBeEncoded(v.text) {
			s.encode()
			found = s.encoded.find(bare, found)
		}
		if len(s.whole)+len(s.words) > 0 {
			folded := v.folded(false)
			for _, whole := range s.whole {
				found = findText(folded, whole, false, found)
			}
			for _, word := range s.words {
				found = findText(folded, word, true, found)
			}
		}
	}
	if len(found) == 0 {
		return text
	}
	slices.SortFunc(found, func(a, b span) int { return int(a.from - b.from) })
	var b strings.Builder
	end := int32(0)
	for i, f := range found {
		if i == 0 || f.from > end {
			b.WriteString(text[end:f.from])
			b.WriteString(redacted)
		}
		end = max(end, f.to)
	}
	return b.String() + text[end:]
}

// findText appends the spans where text occurs, with alone only those between
// word boundaries.
func findText(in view, text []byte, alone bool, found []span) []span {
	for at := 0; ; {
		i := bytes.Index(in.text[at:], text)
		if i < 0 {
			return found
		}
		i, at = at+i, at+i+len(text)
		before, _ := utf8.DecodeLastRune(in.text[:i])
		after, _ := utf8.DecodeRune(in.text[at:])
		if !alone || !isWord(before) && !isWord(after) {
			found = append(found, in.original(i, at))
		}
	}
}

func isWord(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// withoutBeginning shortens a cut text until it no longer ends with the
// beginning of a string that was added. The cut may also have split an escape
// or a character.
func (s *scrubber) withoutBeginning(text string) string {
	s.begin()
	end := len(text)
	for at := len(text); at >= 0 && at >= len(text)-maxEscape; at-- {
		if at < len(text) && text[at] < utf8.RuneSelf && strings.IndexByte(introducers, text[at]) < 0 {
			continue
		}
		for _, v := range forms(viewOf(text[:at])) {
			v = v.folded(true)
			for _, begun := range s.begun {
				for n := min(len(begun), len(v.text)); n >= minBegun; n-- {
					if bytes.HasSuffix(v.text, begun[:n]) {
						end = min(end, int(v.original(len(v.text)-n, len(v.text)).from))
						break
					}
				}
			}
		}
	}
	return text[:end]
}

// begin lists the strings whose beginning a response may end with: everything
// that was added, and the values that a secret consists of.
func (s *scrubber) begin() {
	if len(s.begun) > 0 {
		return
	}
	for _, list := range [][]string{s.secrets, s.signatures, s.texts} {
		for _, text := range list {
			for _, v := range forms(viewOf(text)) {
				bare := v.folded(true).text
				s.begun = append(s.begun, bare)
				for part := range bytes.FieldsFuncSeq(bare, delimits) {
					if len(part) < len(bare) {
						s.begun = append(s.begun, part)
					}
				}
			}
		}
	}
}

// delimits reports whether a character separates values within a header.
func delimits(r rune) bool { return strings.ContainsRune(`,;=:"'&`, r) }
