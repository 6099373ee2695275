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
	// minPart is the length in bytes, of the bare form, from which any part of a
	// secret is taken out.
	minPart = 6
	// minPublic is the length in bytes from which a text that is no secret is
	// taken out wherever it stands. A shorter one, as "1" or "yes", would take
	// the answer apart: it is taken out where it stands alone.
	minPublic = 4
	// minBegun is the length in bytes from which the end of a cut answer is
	// taken for the beginning of what was sent.
	minBegun = 3
)

// scrubber takes out of an answer what was sent: targets in debug mode echo the
// request, and the excerpt is shown to people and stored in rows. It finds a text
// in any letter case, with white space or control characters inside, escaped for
// a URL, HTML or a program; and a secret also in base64 and hexadecimal, and in
// parts.
type scrubber struct {
	secrets    []string // as they were sent
	signatures []string // as secrets, but nobody encodes them again
	texts      []string // are no secrets, or parts of one too short to be found as such

	parts   grams    // of secrets and signatures; empty: nothing is prepared
	encoded grams    // of what base64 and hexadecimal make of secrets; empty until an answer needs them
	whole   [][]byte // folded, taken out wherever they stand
	words   [][]byte // folded, taken out where they stand alone
	begun   [][]byte // bare, of which the end of a cut answer may hold the beginning
}

// schemes of authorization are no secrets.
var schemes = map[string]bool{
	"basic": true, "bearer": true, "digest": true, "token": true, "apikey": true, "jwt": true, "oauth": true, "negotiate": true,
	"ntlm": true, "hawk": true, "signature": true, "soticket": true, "aws4-hmac-sha256": true,
}

// secret adds a text of which no part may come back. It may be base64 of another
// one.
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

// header adds a header's value. Of a secret one the scheme may come back, and
// what follows it must not, even if it is short.
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
		s.secrets = append(s.secrets, string(decoded)) // perhaps in Latin-1
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

// exact adds a text that is taken out as a whole alone: wherever it stands if it
// has at least a number of bytes.
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

// encode adds what base64 and hexadecimal make of secrets, wherever these begin
// in what was encoded: in base64 that decides about the characters.
func (s *scrubber) encode() {
	if len(s.encoded) > 0 {
		return
	}
	size := 0
	for _, text := range s.secrets {
		size += 6*len(text) + 8 // hexadecimal, and three times base64
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
			first, last := (8*before+5)/6, 8*(before+len(text))/6 // what other bytes have a part in is left out
			s.encoded.add(fold(buffer, encoded[first:last], true))
		}
	}
}

// mayBeEncoded reports whether a text has a word that base64 or hexadecimal may
// have made: a long one with a digit, or with a capital letter inside.
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

// forms are the views of a text that are searched: as it is, and unescaped if
// that makes a difference.
func forms(v view) []view {
	if !bytes.ContainsAny(v.text, introducers) {
		return []view{v}
	}
	return []view{v, v.unescaped()}
}

// clean replaces all that was added.
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

// findText appends where a text stands, alone if it must.
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

// withoutBeginning shortens a text that was cut so that no beginning of what was
// added is left at its end. The cut may have gone through an escape or a
// character, too.
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

// begin lists what an answer may hold the beginning of: all that was added, and
// the values that a secret is made of.
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

// delimits reports whether a character parts the value of a header into values.
func delimits(r rune) bool { return strings.ContainsRune(`,;=:"'&`, r) }
