package config

import "strings"

// Markdown returns the table of settings as it is in the README.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| setting | deployed | local run | meaning |\n|---|---|---|---|\n")
	for _, s := range settings {
		switch s.Name {
		case "FIRST_CREDENTIAL":
			s.Local = DefaultCredential
		case "ADMIN_CREDENTIAL":
			s.Local = DefaultAdmin
		}
		b.WriteString("| `" + s.Name + "` | " + cell(s.Deployed) + " | " + cell(s.Local) + " | " + s.Meaning + " |\n")
	}
	return b.String()
}

func cell(value string) string {
	switch value {
	case Absent:
		return Absent
	case "":
		return "empty"
	}
	return "`" + value + "`"
}
