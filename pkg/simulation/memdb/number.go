package memdb

import (
	"math/big"
	"strconv"
	"strings"
)

// decimal is a DynamoDB number: 0.digits × 10^exp, where digits neither begins
// nor ends with a zero. The number zero has no digits.
type decimal struct {
	negative bool
	digits   string
	exp      int
}

const maxDigits = 38

// parseDecimal parses a number and refuses those that DynamoDB cannot store.
func parseDecimal(s string) (decimal, error) {
	bad := func() error { return invalid("The parameter cannot be converted to a numeric value: %s", s) }
	var d decimal
	rest := s
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		d.negative = rest[0] == '-'
		rest = rest[1:]
	}
	mantissa, exponent, scientific := strings.Cut(strings.ReplaceAll(rest, "E", "e"), "e")
	if scientific {
		e, err := strconv.Atoi(exponent)
		if err != nil || e > 1000 || e < -1000 {
			return decimal{}, bad()
		}
		d.exp = e
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := whole + fraction
	if all == "" || strings.Trim(all, "0123456789") != "" {
		return decimal{}, bad()
	}
	d.exp += len(whole)
	trimmed := strings.TrimLeft(all, "0")
	d.exp -= len(all) - len(trimmed)
	d.digits = strings.TrimRight(trimmed, "0")
	switch {
	case d.digits == "":
		return decimal{}, nil
	case len(d.digits) > maxDigits:
		return decimal{}, invalid("Attempting to store more than 38 significant digits in a Number")
	case d.exp > 126:
		return decimal{}, invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case d.exp < -129:
		return decimal{}, invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	return d, nil
}

// canonical returns the number in the form that DynamoDB returns.
func (d decimal) canonical() string {
	if d.digits == "" {
		return "0"
	}
	sign := ""
	if d.negative {
		sign = "-"
	}
	switch {
	case d.exp <= 0:
		return sign + "0." + strings.Repeat("0", -d.exp) + d.digits
	case d.exp >= len(d.digits):
		return sign + d.digits + strings.Repeat("0", d.exp-len(d.digits))
	default:
		return sign + d.digits[:d.exp] + "." + d.digits[d.exp:]
	}
}

// sortable returns a string whose byte order is the numbers' order.
func (d decimal) sortable() string {
	if d.digits == "" {
		return "1"
	}
	text := strconv.Itoa(d.exp+200) + d.digits
	if d.exp < -100 { // the exponent takes three digits: 071 to 326
		text = "0" + text
	}
	if !d.negative {
		return "2" + text
	}
	flipped := []byte("0" + text + ":")
	for i := 1; i < len(flipped); i++ {
		flipped[i] = '0' + ':' - flipped[i]
	}
	return string(flipped)
}

// isPlain recognizes the common canonical numbers, so that copying them is
// cheap.
func isPlain(s string) bool {
	if s == "" || len(s) > 18 || s[0] == '0' && len(s) > 1 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// number parses a number known to be valid.
func number(s string) decimal {
	d, err := parseDecimal(s)
	if err != nil {
		panic("memdb: a number was stored unchecked: " + s)
	}
	return d
}

// compareNumbers orders two valid numbers.
func compareNumbers(a, b string) int {
	if a == b {
		return 0
	}
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return strings.Compare(number(a).sortable(), number(b).sortable())
}

// addNumbers returns a + b, or a - b.
func addNumbers(a, b string, minus bool) (string, error) {
	x, y := number(a), number(b)
	if minus {
		y.negative = !y.negative
	}
	scale := min(x.exp-len(x.digits), y.exp-len(y.digits))
	sum := new(big.Int).Add(x.scaled(scale), y.scaled(scale))
	d, err := parseDecimal(sum.String() + "e" + strconv.Itoa(scale))
	if err != nil {
		return "", err
	}
	return d.canonical(), nil
}

// scaled returns the number divided by 10^scale, which leaves no fraction.
func (d decimal) scaled(scale int) *big.Int {
	n := new(big.Int)
	if d.digits == "" {
		return n
	}
	n.SetString(d.digits+strings.Repeat("0", d.exp-len(d.digits)-scale), 10)
	if d.negative {
		n.Neg(n)
	}
	return n
}
